"""The sections of a server's configuration that belong to no other module: where, how much, how long.

`server.configuration` puts them together with those of the edge's neighbours, reads them and checks the whole.
"""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.limits import RETURN_WINDOW_MAX_MS, RETURN_WINDOW_MIN_MS
from schemas.retention import RETENTION, Period, RetentionGroup
from server.edge.admission import ADMISSIONS_PER_S
from server.returning import RETURNS_PER_S


def _unit(unit: str) -> dict[str, str]:
    return {"unit": unit}


class Listen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the server listens, and under which names it is called."""

    host: Annotated[str, Meta(description="Address to listen on. One that other machines reach needs TLS, or listed "
                              "proxies.")] = "127.0.0.1"  # fmt: skip
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port; 0 takes a free one.")] = 8_700
    hosts: Annotated[tuple[str, ...], Meta(description="Names under which devices and browsers call the server, in "
                     "lower case, without port. The loopback's names, and `host` where it is one address, always "
                     "count.")] = ()  # fmt: skip
    origins: Annotated[tuple[str, ...], Meta(description="Origins of the pages that may call the server, as in "
                       "`https://beatbook.example`. None means the server's own.")] = ()  # fmt: skip
    trusted_proxies: Annotated[tuple[str, ...], Meta(description="Addresses and networks of the proxies in front, as "
                               "in `10.0.0.7` or `10.1.0.0/24`. They alone are believed about X-Forwarded-For and "
                               "X-Forwarded-Proto.")] = ()  # fmt: skip


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS 1.3 by the server itself. Both or neither; SIGHUP reads them again."""

    certificate_file: Annotated[Path | None, Meta(description="PEM file: the certificate, then the intermediate "
                                "ones.")] = None  # fmt: skip
    key_file: Annotated[Path | None, Meta(description="PEM file of the private key, not encrypted, readable by its "
                        "owner only.")] = None  # fmt: skip


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What depends on how large a force is, and on how its network hides many devices behind one address."""

    connections_max: Annotated[int, Meta(ge=1, description="Open connections of all together. The limit of open files "
                               "must leave room for them.", extra=_unit("connections"))] = 12_000  # fmt: skip
    connections_per_address_max: Annotated[int, Meta(ge=1, description="Open connections of one IPv4 address or IPv6 "
                                           "/64. A listed proxy has no bound of its own.",
                                           extra=_unit("connections"))] = 5_000  # fmt: skip
    requests_per_s: Annotated[float, Meta(gt=0, description="New connections of one address, and its HTTP requests "
                              "and WebSocket handshakes, in the long run.",
                              extra=_unit("requests a second"))] = 300.0  # fmt: skip
    requests_burst: Annotated[int, Meta(ge=1, description="The same, at once. All devices behind one address come back "
                              "together after a restart.", extra=_unit("requests"))] = 6_000  # fmt: skip
    admissions_per_s: Annotated[float, Meta(gt=0, description="Devices that are let in in one second when many come at "
                                "once, desks apart from the others. The rest waits a little, or is told when to come "
                                "back. More than the machine takes in keep those who are in from working.",
                                extra=_unit("devices a second"))] = ADMISSIONS_PER_S  # fmt: skip


class Restart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How devices are asked to come back when the server goes down: each in its turn."""

    returns_per_s: Annotated[float, Meta(gt=0, description="How many are asked to come back in one second. More than "
                             "the machine lets in keep those who are back from working.",
                             extra=_unit("devices a second"))] = RETURNS_PER_S  # fmt: skip
    window_min_ms: Annotated[int, Meta(ge=0, le=RETURN_WINDOW_MAX_MS, description="Shortest time over which they are "
                             "spread, however few they are.", extra=_unit("ms"))] = RETURN_WINDOW_MIN_MS  # fmt: skip
    window_max_ms: Annotated[int, Meta(ge=0, le=RETURN_WINDOW_MAX_MS, description="Longest such time, however many "
                             "they are.", extra=_unit("ms"))] = RETURN_WINDOW_MAX_MS  # fmt: skip


class Witnesses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Witnesses that cosign the log's checkpoints (`beatbook witness`), run by people other than the server's."""

    ask: Annotated[tuple[str, ...], Meta(description="For each, its address and the key that it prints, with a space "
                   "between: `https://witness.example NAME+ID+KEY`.")] = ()  # fmt: skip


def _told(group: RetentionGroup) -> Meta:
    kept = RETENTION[group]
    least = "" if kept.least_days is None else f" No less than {Period(kept.least_days)} ({kept.law})."
    return Meta(description=kept.meaning + least)


def _by_default(group: RetentionGroup) -> Period:
    return Period(RETENTION[group].review_days or 0)


class RetentionPeriods(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=lambda name: name.replace("_", "-")
):
    """How long after its last change somebody must look at a record of each group again: in days, or years of 365."""

    public_protection: Annotated[Period, _told(RetentionGroup.PUBLIC_PROTECTION)] = _by_default(
        RetentionGroup.PUBLIC_PROTECTION
    )
    serious: Annotated[Period, _told(RetentionGroup.SERIOUS)] = _by_default(RetentionGroup.SERIOUS)
    other_offence: Annotated[Period, _told(RetentionGroup.OTHER_OFFENCE)] = _by_default(RetentionGroup.OTHER_OFFENCE)
    miscellaneous: Annotated[Period, _told(RetentionGroup.MISCELLANEOUS)] = _by_default(RetentionGroup.MISCELLANEOUS)
    custody: Annotated[Period, _told(RetentionGroup.CUSTODY)] = _by_default(RetentionGroup.CUSTODY)
    briefing: Annotated[Period, _told(RetentionGroup.BRIEFING)] = _by_default(RetentionGroup.BRIEFING)
    administrative: Annotated[Period, _told(RetentionGroup.ADMINISTRATIVE)] = _by_default(RetentionGroup.ADMINISTRATIVE)
