"""What a configuration says of webhooks: `[events]` for all of them, `[[webhooks]]` for each, and what comes of both.

Nobody is sent anything that is not named here: the scopes, the kinds, and of each kind the fields. What is closed (a
compartment, people's health) is in no open scope, so it leaves only where its own scope is named.
"""

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from schemas import scopes
from schemas.errors import StoreError, UsageError
from schemas.ids import SLUG_PATTERN, FieldName, ScopeName
from schemas.kinds import KINDS
from server.edge.addresses import is_loopback
from server.events.cloudevent import Mode
from server.events.outbox import Backoff
from server.events.signature import Signer
from server.secret_files import find_secret

SECOND_MS: Final = 1_000
_URL_CHARS_MAX: Final = 2_000
_BY_RULE: Final = frozenset({"inbox-item", "number-series"})
"""Kinds that change in commits without an op of their own: there would be changes that nobody is told."""


class Events(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for all webhooks."""

    source: Annotated[str, Meta(description="Which server events come from (their `source`): an absolute URI, as in "
                      "`https://beatbook.example`. Needed where there is a webhook, and kept for ever: with an event's "
                      "id it names the event.")] = ""  # fmt: skip
    tries_max: Annotated[int, Meta(ge=1, le=100, description="After so many tries an event is a dead letter, and "
                         "waits for an administrator.", extra={"unit": "tries"})] = 12  # fmt: skip
    backoff_first_s: Annotated[float, Meta(gt=0, le=3_600, description="Wait after the first failure; each wait is "
                               "twice the one before, and half of it is left to chance.",
                               extra={"unit": "s"})] = 5.0  # fmt: skip
    backoff_max_s: Annotated[float, Meta(gt=0, le=86_400, description="The longest wait.",
                             extra={"unit": "s"})] = 3_600.0  # fmt: skip
    timeout_s: Annotated[float, Meta(gt=0, le=60, description="For one call, its answer included.",
                         extra={"unit": "s"})] = 10.0  # fmt: skip
    in_flight_max: Annotated[int, Meta(ge=1, le=64, description="Calls to one subscriber at once, each about another "
                             "record.", extra={"unit": "calls"})] = 8  # fmt: skip


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One subscriber: where to, signed with what, and what it may be told. Any number of these sections."""

    name: Annotated[str, Meta(pattern=SLUG_PATTERN, description="Its name, in lower case: `records-office`. How far it "
                    "has come is kept under it.")]  # fmt: skip
    url: Annotated[str, Meta(description="Where events are posted to: https, or http on this machine.")]
    secret_file: Annotated[Path | None, Meta(description="File with the secret that signs, 32 characters or more. Over "
                           "it stand the variables `BEATBOOK_WEBHOOK_<NAME>_SECRET_FILE` and "
                           "`BEATBOOK_WEBHOOK_<NAME>_SECRET`, the name in capitals with `_` "
                           "for `-`.")] = None  # fmt: skip
    ca_file: Annotated[Path | None, Meta(description="PEM file of the authority that vouches for its certificate; by "
                       "default the machine's own.")] = None  # fmt: skip
    mode: Annotated[Mode, Meta(description="CloudEvents' form: one JSON document, or attributes in "
                    "headers.")] = "structured"  # fmt: skip
    scopes: Annotated[tuple[str, ...], Meta(description="Whose records: `area:birmingham`. A compartment, and the "
                      "medical part of a suite, only where it is named.")] = ()  # fmt: skip
    kinds: Annotated[tuple[str, ...], Meta(description="Which kinds of records: `incident`.")] = ()
    fields: Annotated[tuple[str, ...], Meta(description="Which fields, each with its kind: `incident.grade`. A change "
                      "to no other field is told.")] = ()  # fmt: skip
    from_seq: Annotated[int | None, Meta(description="Where it begins when it is new: behind this commit, as in 0 for "
                        "all that there ever was. By default with what comes from then on.",
                        extra={"unit": "commits"})] = None  # fmt: skip


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that can be served.

    Attributes:
        name, url, mode, from_seq: as `Webhook` has them.
        scopes: every scope whose records it is told of.
        fields: kind -> the fields that it is told; a kind that is not here it is not told of.
        signer: signs what it is sent.
        source: the events' `source`.
        backoff: how often and when to try again.
        timeout_s: for one call.
        in_flight_max: calls at once.
        tls: whom to believe about the subscriber's certificate; None is the machine's own authorities.
    """

    name: str
    url: str
    mode: Mode
    scopes: frozenset[ScopeName]
    fields: Mapping[str, frozenset[FieldName]]
    signer: Signer
    source: str
    backoff: Backoff
    timeout_s: float = 10.0
    in_flight_max: int = 8
    from_seq: int | None = None
    tls: ssl.SSLContext | None = None

    @property
    def host(self) -> str:
        """Where it goes, without what may be secret in its address."""
        return urlsplit(self.url).hostname or ""


def check(events: Events, webhooks: Sequence[Webhook]) -> None:
    """Refuse what each key allows and all together do not; secrets are not looked at.

    Raises:
        UsageError: the text says which webhook, which key, and what to do.
    """
    if webhooks and not urlsplit(events.source).scheme:
        raise UsageError(
            f"events.source: {events.source!r} is no absolute URI; webhooks need one that names this server, as in "
            "https://beatbook.example"
        )
    if not events.source.isascii() or not events.source.isprintable() or " " in events.source:
        raise UsageError(f"events.source: {events.source!r} is no URI; write it without spaces, in ASCII")
    if events.backoff_first_s > events.backoff_max_s:
        raise UsageError("events.backoff_first_s: longer than events.backoff_max_s; give a shorter one")
    names = [webhook.name for webhook in webhooks]
    for webhook in webhooks:
        where = f"webhooks {webhook.name!r}"
        if names.count(webhook.name) > 1:
            raise UsageError(f"{where}: two webhooks have this name; give each its own")
        _check_url(where, webhook.url)
        for scope in webhook.scopes:
            wrong = scopes.grant_problem(scope)
            if wrong is not None:
                raise UsageError(f"{where}: scopes: {wrong}")
        if webhook.from_seq is not None and webhook.from_seq < 0:
            raise UsageError(f"{where}: from_seq: {webhook.from_seq}; commits are counted from 1: give 0 for all")
        if not webhook.scopes or not webhook.kinds:
            missing = "kinds" if webhook.scopes else "scopes"
            raise UsageError(f"{where}: {missing}: names none, so nothing would ever be sent; name what it may be told")
        _fields(where, webhook)


def subscriptions(
    events: Events, webhooks: Sequence[Webhook], environment: Mapping[str, str]
) -> tuple[Subscription, ...]:
    """The webhooks with their secrets; `check` has passed them.

    Raises:
        UsageError: a secret is not given, given in two ways, or too short.
        StoreError: a file cannot be used.
    """
    backoff = Backoff(
        tries_max=events.tries_max,
        first_ms=max(1, int(events.backoff_first_s * SECOND_MS)),
        most_ms=max(1, int(events.backoff_max_s * SECOND_MS)),
    )
    found = []
    for webhook in webhooks:
        variable = f"BEATBOOK_WEBHOOK_{webhook.name.replace('-', '_').upper()}_SECRET"
        secret = find_secret(variable, webhook.secret_file, environment)
        if secret is None:
            raise UsageError(
                f"webhooks {webhook.name!r}: there is no secret to sign with: give secret_file, or set {variable}"
            )
        found.append(
            Subscription(
                name=webhook.name,
                url=webhook.url,
                mode=webhook.mode,
                scopes=scopes.with_briefings(frozenset(map(ScopeName, webhook.scopes))),
                fields=_fields(f"webhooks {webhook.name!r}", webhook),
                signer=Signer(webhook.name, secret),
                source=events.source,
                backoff=backoff,
                timeout_s=events.timeout_s,
                in_flight_max=events.in_flight_max,
                from_seq=webhook.from_seq,
                tls=None if webhook.ca_file is None else trusting(webhook.ca_file),
            )
        )
    return tuple(found)


def trusting(authority: Path) -> ssl.SSLContext:
    """A context that believes one authority alone.

    Raises:
        StoreError: its file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise StoreError(f"{authority}: holds no certificate that can be read ({error}); name a PEM file") from None


def _check_url(where: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    sound = url.isascii() and url.isprintable() and " " not in url and len(url) <= _URL_CHARS_MAX
    # What is wrong is told without the address: a part of it may be a secret.
    if parts.scheme not in {"http", "https"} or not host or not sound:
        raise UsageError(f"{where}: url: no address; give one as in https://records.example/hooks/beatbook")
    if "@" in parts.netloc or parts.fragment:
        raise UsageError(f"{where}: url: leave out name, password and fragment; the signature says who calls")
    if parts.scheme == "http" and not is_loopback(host):
        raise UsageError(f"{where}: url: what is sent in clear can be read on the way; use https")


def _fields(where: str, webhook: Webhook) -> dict[str, frozenset[FieldName]]:
    """Kind -> the fields of it that are told."""
    found: dict[str, set[FieldName]] = {}
    for kind in webhook.kinds:
        if kind not in KINDS or kind in _BY_RULE:
            known = ", ".join(sorted(KINDS.keys() - _BY_RULE))
            raise UsageError(f"{where}: kinds: no events are sent of {kind!r}; there are {known}")
        found[kind] = set()
    for told in webhook.fields:
        kind, _, name = told.partition(".")
        if kind not in found:
            raise UsageError(f"{where}: fields: {told!r} is of no kind that it names; write it as in incident.grade")
        if name not in KINDS[kind].fields:
            raise UsageError(f"{where}: fields: {kind} has no field {name!r}; docs/reference/records.md lists them")
        found[kind].add(FieldName(name))
    return {kind: frozenset(names) for kind, names in found.items()}
