"""What is reached from outside, and what is reached from here: the port, the certificate, the witnesses."""

import datetime as dt
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from schemas.errors import StoreError
from server.doctor.report import Found, Subject, fine, trouble, warning
from server.edge.addresses import is_loopback
from server.edge.tls import Tls

CERTIFICATE_DAYS_MIN: Final = 14
REACH_S: Final = 3.0
"""How long a witness may take to be there."""
_PORTS: Final = {"http": 80, "https": 443}


def port(subject: Subject) -> Iterator[Found]:
    """Whether the ports are free, or held by this folder's own server."""
    listen, metrics = subject.configuration.listen, subject.configuration.metrics
    if subject.running is not None:
        yield fine(f"a server runs on this folder, at {subject.running.http} (process {subject.running.pid})")
    else:
        yield _free(listen.host, listen.port, "[listen]")
        if metrics is not None:
            yield _free(metrics.host, metrics.port, "[metrics]")
    if metrics is not None and not is_loopback(metrics.host):
        yield warning(
            f"the metrics' port listens on {metrics.host}, with neither TLS nor sign-in",
            "keep other machines from it but the one that scrapes",
        )


def _free(host: str, number: int, section: str) -> Found:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            return trouble(
                f"{host} port {number} cannot be listened on ({error.strerror or error})",
                f"end what uses it (`ss -ltnp`), or name another port or address in {section}",
            )
    return fine(f"{host} port {number} is free")


def certificate(subject: Subject) -> Iterator[Found]:
    """Whether the certificate can be used, for how long, for which names, and whether its chain is one."""
    files = subject.configuration.tls_files
    if files is None:
        yield fine("no TLS of its own; a proxy does it, or only this machine calls")
        return
    try:
        Tls(*files)
        chain = x509.load_pem_x509_certificates(files[0].read_bytes())
    except (StoreError, ValueError, OSError) as error:
        yield trouble(str(error), "put the right files there")
        return
    yield _end(files[0], min(one.not_valid_after_utc for one in chain), subject)
    if any(one.not_valid_before_utc > _moment(subject) for one in chain):
        yield trouble(f"{files[0]} is not valid yet", "see to the clock, or put the right file there")
    yield from _chain(files[0], chain)
    names = _names(chain[0])
    for host in subject.configuration.listen.hosts:
        if not any(_covers(name, host) for name in names):
            yield trouble(f"{files[0]} is not for {host}", "have it issued for every name in listen.hosts")


def witnesses(subject: Subject) -> Iterator[Found]:
    """Whether the witnesses can be reached; nobody is asked to sign anything."""
    for witness in subject.configuration.witness_addresses():
        parts = urlsplit(witness.url)
        try:
            address = (parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443))
            socket.create_connection(address, timeout=REACH_S).close()
        except (OSError, ValueError) as error:
            yield warning(
                f"{witness.url} cannot be reached ({error})", "ask whoever runs it; heads go without it meanwhile"
            )
        else:
            yield fine(f"{witness.url} is there")


def _moment(subject: Subject) -> dt.datetime:
    return dt.datetime.fromtimestamp(subject.now / 1_000, dt.UTC)


def _end(path: Path, ends: dt.datetime, subject: Subject) -> Found:
    days = (ends - _moment(subject)).total_seconds() / 86_400
    if days < 0:
        return trouble(f"{path} ended on {ends:%Y-%m-%d}", "put a new one there and send SIGHUP")
    if days < CERTIFICATE_DAYS_MIN:
        return warning(f"{path} ends on {ends:%Y-%m-%d}", "put a new one there and send SIGHUP; see why nothing does")
    return fine(f"{path} holds until {ends:%Y-%m-%d}")


def _chain(path: Path, chain: list[x509.Certificate]) -> Iterator[Found]:
    for issued, issuer in pairwise(chain):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            yield trouble(
                f"{path}: {issued.subject.rfc4514_string()!r} was not issued by the one behind it",
                "put the server's certificate first, then each one that issued the one before",
            )


def _names(one: x509.Certificate) -> list[str]:
    try:
        found = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def _covers(name: str, host: str) -> bool:
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:].lower()
    return name.lower() == host.strip("[]")
