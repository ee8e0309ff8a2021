"""What a server is told about the place where it runs: one TOML file, typed, with nothing secret in it.

Every key has a default, and `docs/reference/configuration.md` is written from the types below. A key that nobody knows
is refused with the one that was probably meant: a misspelt limit is no limit. Where a secret comes from is said by a
key that ends in `_file`, or by the variable of that name (`tls.key_file` is `BEATBOOK_TLS_KEY_FILE`), which stands over
the file. What the force sets for police work stands under `[policing]`: `schemas.settings` says what there is.
"""

import difflib
import os
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from schemas.errors import UsageError
from schemas.retention import Period
from schemas.settings import DEFAULTS, Settings
from schemas.settings.overriding import settings_of
from server.configuration_sections import Limits, Listen, Restart, RetentionPeriods, TlsFiles, Witnesses
from server.edge.addresses import Proxies, is_loopback
from server.edge.buckets import Rate
from server.edge.door import DoorLimits
from server.edge.middleware import LOOPBACK_NAMES, EdgeSettings
from server.edge.origins import HOST_NAME, ORIGIN
from server.events import subscription
from server.events.subscription import Events, Subscription, Webhook
from server.federation.settings import CALLBACK_PATH, OidcSettings, WebAuthnSettings
from server.observing.settings import LogSettings, MetricsSettings, TracingSettings
from server.retention import Schedule
from server.returning import ReturnPace
from server.secret_files import Secret, find_secret
from server.witness.client import WitnessAddress
from sync.evidence.note import VerifierKey

OIDC_CLIENT_SECRET: Final = "BEATBOOK_OIDC_CLIENT_SECRET"  # noqa: S105  a variable's name
POLICING: Final = "policing"
WEBHOOKS: Final = "webhooks"
"""The one section of which there may be several."""
CONFIGURATION_BYTES_MAX: Final = 256 * 1_024
_WILDCARDS: Final = {"0.0.0.0", "::"}  # noqa: S104  to tell them apart
LogLevel = Literal["debug", "info", "warning", "error"]


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a server is told."""

    data: Annotated[Path, Meta(description="Data folder; it is made when it is not there.")] = Path("beatbook-data")
    log_level: Annotated[LogLevel, Meta(description="How much is logged, on standard error.")] = "info"
    listen: Listen = Listen()
    tls: TlsFiles = TlsFiles()
    limits: Limits = Limits()
    restart: Restart = Restart()
    witnesses: Witnesses = Witnesses()
    retention: RetentionPeriods = RetentionPeriods()
    oidc: OidcSettings | None = None
    webauthn: WebAuthnSettings | None = None
    organisation: Annotated[Path | None, Meta(description="TOML file of the force's organisation, with its tables "
                            "beside it; it is applied at the start and at SIGHUP.")] = None  # fmt: skip
    events: Events = Events()
    webhooks: tuple[Webhook, ...] = ()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings | None = None
    tracing: TracingSettings | None = None
    policing: Settings = DEFAULTS

    @property
    def host_names(self) -> tuple[str, ...]:
        """Every name under which the server may be called."""
        host = self.listen.host
        own = () if host in _WILDCARDS else (f"[{host}]" if ":" in host else host,)
        return tuple(dict.fromkeys((*self.listen.hosts, *own, *LOOPBACK_NAMES)))

    @property
    def tls_files(self) -> tuple[Path, Path] | None:
        """The certificate's and the key's file; None when the server speaks no TLS itself."""
        if self.tls.certificate_file is None or self.tls.key_file is None:
            return None
        return self.tls.certificate_file, self.tls.key_file

    def witness_addresses(self) -> tuple[WitnessAddress, ...]:
        """Whom to ask to cosign the log.

        Raises:
            UsageError: one of them is no address with a witness's key behind it; the text says which.
        """
        found = []
        for line in self.witnesses.ask:
            url, _, key = line.strip().partition(" ")
            try:
                found.append(WitnessAddress(url, VerifierKey.parse(key.strip())))
            except UsageError as error:
                raise UsageError(f"witnesses.ask: {line!r}: {error}") from None
        return tuple(found)

    def schedule(self) -> Schedule:
        """How long records are kept before somebody looks at them again.

        Raises:
            UsageError: a period is out of its range, or shorter than the law asks.
        """
        fields = msgspec.structs.fields(RetentionPeriods)
        return Schedule.of({field.encode_name: getattr(self.retention, field.name).days for field in fields})

    def returning(self) -> ReturnPace:
        """How devices are asked to come back when the server goes down."""
        restart = self.restart
        return ReturnPace(
            per_s=restart.returns_per_s, window_min_ms=restart.window_min_ms, window_max_ms=restart.window_max_ms
        )

    def listening_at(self, addresses: Iterable[tuple[str, int]]) -> "Configuration":
        """The same, for a server whose sockets were handed over: what they are bound to stands over `listen`.

        Args:
            addresses: where they listen, as (host, port); at least one.

        Raises:
            UsageError: to listen there would be unsafe; the text says what to do.
        """
        # Whichever other machines reach says what must be guarded.
        host, port = min(addresses, key=lambda address: is_loopback(address[0]))
        found = msgspec.structs.replace(self, listen=msgspec.structs.replace(self.listen, host=host, port=port))
        _check(found)
        return found

    def edge(self) -> EdgeSettings:
        """What the edge is told."""
        return EdgeSettings(
            hosts=self.host_names,
            origins=self.listen.origins,
            trusted_proxies=self.listen.trusted_proxies,
            proxies_only=self.tls_files is None and not is_loopback(self.listen.host),
            requests=Rate(self.limits.requests_per_s, self.limits.requests_burst),
        )

    def oidc_client_secret(self, environment: Mapping[str, str]) -> Secret | None:
        """The secret that the provider knows this server by; None for a public client, or without `[oidc]`.

        Raises:
            UsageError: it is given in two ways.
            StoreError: its file cannot be used.
        """
        if self.oidc is None:
            return None
        file = self.oidc.client_secret_file
        return find_secret(OIDC_CLIENT_SECRET, Path(file) if file else None, environment)

    def subscriptions(self, environment: Mapping[str, str]) -> tuple[Subscription, ...]:
        """Who is sent events.

        Raises:
            UsageError: the secret of one is not given, given in two ways, or too short.
            StoreError: a file cannot be used.
        """
        return subscription.subscriptions(self.events, self.webhooks, environment)

    def door(self) -> DoorLimits:
        """What the door is told."""
        return DoorLimits(
            connections_max=self.limits.connections_max,
            connections_per_address_max=self.limits.connections_per_address_max,
            connects=Rate(self.limits.requests_per_s, self.limits.requests_burst),
        )


def read_configuration(path: Path | None, environment: Mapping[str, str], **given: object) -> Configuration:
    """The configuration of a server.

    Args:
        path: the TOML file; None when there is none. Paths in it are relative to its folder.
        environment: the process's variables.
        given: what the command line says, by dotted key with `_` in place of the dot (`listen_host`); None is nothing
            said.

    Raises:
        UsageError: the file cannot be read or is no TOML, a key is unknown, a value is of the wrong kind or out of
            range, or the whole of it would be unsafe; the text says which key, and what to do.
    """
    try:
        values = {} if path is None else _read(path)
        policing = settings_of(values.pop(POLICING, {}), POLICING)
        _refuse_unknown(values, Configuration, "")
        base = Path() if path is None else path.parent
        _anchor(values, base)
        _overlay(values, _from_environment(environment))
        _overlay(values, {tuple(name.split("_", 1)) if name.startswith("listen_") else (name,): value
                          for name, value in given.items() if value is not None})  # fmt: skip
        configuration = msgspec.convert(values, Configuration, dec_hook=_in_words)
        configuration = msgspec.structs.replace(configuration, policing=policing)
        _check(configuration)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{_where(path)}: {str(error).replace('`$.', '`')}; see docs/reference/configuration.md"
        ) from None
    except UsageError as error:
        raise UsageError(f"{_where(path)}: {error}") from None
    return configuration


def keys(section: type[msgspec.Struct] = Configuration, prefix: str = "") -> Iterator[tuple[str, Any, object]]:
    """Every key but those of `[policing]`: (dotted name, its type with what is said of it, its default or NODEFAULT).

    NODEFAULT is msgspec's: the key must be given.
    """
    hints = typing.get_type_hints(section, include_extras=True)
    for field in msgspec.structs.fields(section):
        hint = hints[field.name]
        inner = section_of(hint)
        if inner is Settings:
            continue
        if inner is not None:
            yield from keys(inner, f"{prefix}{field.name}.")
        elif field.default_factory is not msgspec.NODEFAULT:
            yield f"{prefix}{field.encode_name}", hint, field.default_factory()
        else:
            yield f"{prefix}{field.encode_name}", hint, field.default


def section_of(hint: Any) -> type[msgspec.Struct] | None:  # noqa: ANN401  a type form
    """The Struct of a key that is a section, also of one that is off by default; None for any other key."""
    for each in (hint, *typing.get_args(hint)):
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            return each
    return None


def variable_of(key: str) -> str | None:
    """The variable that stands over a key which names a file; None for other keys, and for those of a list."""
    if not key.endswith("_file") or key.startswith(f"{WEBHOOKS}."):
        return None
    return f"BEATBOOK_{key.replace('.', '_').upper()}"


def _where(path: Path | None) -> str:
    return "configuration" if path is None else str(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror}); check the path and its permissions") from None
    if len(data) > CONFIGURATION_BYTES_MAX:
        raise UsageError(f"longer than {CONFIGURATION_BYTES_MAX} bytes: that is no configuration")
    try:
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        # The parser tells the place, and at most one character of what stands there.
        told = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "not text in UTF-8"
        raise UsageError(f"no TOML: {told}") from None


def _refuse_unknown(values: Mapping[str, Any], section: type[msgspec.Struct], prefix: str) -> None:
    types = typing.get_type_hints(section)
    hints = {field.encode_name: types[field.name] for field in msgspec.structs.fields(section)}
    for name, value in values.items():
        hint = hints.get(name)
        if hint is None:
            near = difflib.get_close_matches(name, hints, n=1, cutoff=0.5)
            secret = f"{name}_file"
            meant = secret if secret in hints else near[0] if near else None
            hint_text = f"did you mean {prefix}{meant}?" if meant else f"known here: {', '.join(hints)}"
            raise UsageError(f"there is no key {prefix}{name}; {hint_text}")
        inner = section_of(hint)
        for one in value if isinstance(value, list) else [value]:
            if inner is not None and isinstance(one, dict):
                _refuse_unknown(one, inner, f"{prefix}{name}.")


def _from_environment(environment: Mapping[str, str]) -> dict[tuple[str, ...], object]:
    found: dict[tuple[str, ...], object] = {}
    for key, _, _ in keys():
        variable = variable_of(key)
        # What [oidc] names is found by `find_secret`: a variable alone does not switch a section on.
        if variable is not None and environment.get(variable) and not key.startswith("oidc."):
            # Relative to where the process runs, not to the configuration's folder.
            found[tuple(key.split("."))] = os.path.abspath(environment[variable])  # noqa: PTH100  no link is followed
    return found


def _overlay(values: dict[str, Any], upon: Mapping[tuple[str, ...], object]) -> None:
    for names, value in upon.items():
        section = values
        for name in names[:-1]:
            inner = section.setdefault(name, {})
            if not isinstance(inner, dict):
                # What is there is no section; the conversion will say so.
                return
            section = inner
        section[names[-1]] = value


def _anchor(values: dict[str, Any], base: Path) -> None:
    """Make the data folder and the names of files relative to the configuration's folder."""
    for key in ("data", "organisation"):
        if isinstance(values.get(key), str) and values[key]:
            values[key] = str(base / values[key])
    for value in values.values():
        for section in value if isinstance(value, list) else [value]:
            for name, path in section.items() if isinstance(section, dict) else ():
                if name.endswith("_file") and isinstance(path, str) and path:
                    section[name] = str(base / path)


def _in_words(kind: type, value: object) -> Path | Period:
    """What is written as text and is more than that."""
    if kind is Period:
        try:
            return Period.parse(value)
        except UsageError as error:
            # As any other value of the wrong kind: with the key.
            raise ValueError(str(error)) from None
    if kind is not Path or not isinstance(value, str | Path) or not str(value):
        raise ValueError("Expected a path, in quotes")
    return Path(value)


def _check(configuration: Configuration) -> None:
    """Refuse what each key allows and all together do not."""
    listen, tls = configuration.listen, configuration.tls
    for name in listen.hosts:
        if HOST_NAME.match(name) is None:
            raise UsageError(f"listen.hosts: {name!r} is no host name; write it in lower case, without scheme and port")
    for origin in listen.origins:
        if ORIGIN.match(origin) is None:
            raise UsageError(
                f"listen.origins: {origin!r} is no origin; write it as a browser sends it, as in https://beatbook.example"
            )
    proxies = Proxies(listen.trusted_proxies)
    configuration.schedule()
    if configuration.restart.window_min_ms > configuration.restart.window_max_ms:
        raise UsageError("restart.window_min_ms: more than restart.window_max_ms; the shortest time is the lesser")
    subscription.check(configuration.events, configuration.webhooks)
    if (tls.certificate_file is None) != (tls.key_file is None):
        missing = "tls.key_file" if tls.key_file is None else "tls.certificate_file"
        raise UsageError(f"{missing} is not given: TLS needs the certificate's file and the key's")
    if configuration.oidc is not None and urlsplit(configuration.oidc.redirect_uri).path != CALLBACK_PATH:
        raise UsageError(
            f"oidc.redirect_uri: {configuration.oidc.redirect_uri!r} does not lead to this server; it ends in "
            f"{CALLBACK_PATH}, as in https://beatbook.example{CALLBACK_PATH}"
        )
    if is_loopback(listen.host):
        return
    if configuration.tls_files is None and not proxies:
        raise UsageError(
            f"listen.host {listen.host} can be reached from other machines, and there is no TLS: give "
            "tls.certificate_file and tls.key_file, or list the proxy that speaks TLS in listen.trusted_proxies"
        )
    if listen.host in _WILDCARDS and not listen.hosts:
        raise UsageError(f"listen.host {listen.host} has no name: list in listen.hosts the names that devices call")
