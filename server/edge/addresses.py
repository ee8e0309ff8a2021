"""Whose connection it is: what counts as one address, and which proxies are believed.

A network hands a customer a whole IPv6 /64, so that is one address here (RFC 6177 section 2); an IPv4 address is one.
Only a proxy that the configuration lists is believed about whom it forwards for, and only its own last entry of
X-Forwarded-For: everything before it was written by whoever called.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.errors import UsageError

_V6_CUSTOMER_BITS: Final = 64
HOPS_MAX: Final = 8
"""Entries of X-Forwarded-For that are looked at: more proxies than this in a row are a mistake."""
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForwardedError(ValueError):
    """A listed proxy forwards something that cannot be understood."""


class Caller(msgspec.Struct, frozen=True):
    """Who is at the other end of a request.

    Attributes:
        address: its IP address, in its canonical form; "" when the transport has none (a local socket).
        scheme: `http` or `https`, as the caller used it.
        proxied: whether a listed proxy forwarded the request.
    """

    address: str
    scheme: str
    proxied: bool


def source_of(address: str) -> str:
    """What is counted as one source: an IPv4 address, an IPv6 /64, or the text itself when it is no address.

    An IPv4 address that is written as IPv6 (`::ffff:192.0.2.7`, RFC 4291 section 2.5.5.2) is the IPv4 address.
    """
    parsed = _parse(address)
    if parsed is None:
        return address
    if parsed.version == 4:  # noqa: PLR2004  the version of IP
        return str(parsed)
    return str(ipaddress.IPv6Network((parsed, _V6_CUSTOMER_BITS), strict=False))


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is reached from this machine alone."""
    parsed = _parse(host)
    return host == "localhost" if parsed is None else parsed.is_loopback


def _parse(address: str) -> _Address | None:
    try:
        # A zone (fe80::1%eth0) is this machine's affair.
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


class Proxies:
    """The proxies that are believed."""

    def __init__(self, listed: Iterable[str]) -> None:
        """Read the list.

        Args:
            listed: addresses and networks, as in `10.0.0.7` or `10.1.0.0/24`.

        Raises:
            UsageError: an entry is neither, or a network has bits of a host.
        """
        networks = []
        for entry in listed:
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError as error:
                raise UsageError(
                    f"trusted_proxies: {entry!r} is no address or network ({error}); write it as in 10.0.0.7 or "
                    "10.1.0.0/24"
                ) from None
        self._networks = tuple(networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: str) -> bool:
        parsed = _parse(address)
        return parsed is not None and any(
            parsed.version == network.version and parsed in network for network in self._networks
        )

    def caller(self, peer: str, scheme: str, forwarded_for: Sequence[str], forwarded_proto: Sequence[str]) -> Caller:
        """Who called.

        Args:
            peer: address of the other end of the TCP connection.
            scheme: `http` or `https`, of this connection.
            forwarded_for: every X-Forwarded-For header, in order.
            forwarded_proto: every X-Forwarded-Proto header, in order.

        Raises:
            ForwardedError: a listed proxy says what cannot be understood; the text says what.
        """
        if peer not in self:
            return Caller(_canonical(peer), scheme, proxied=False)
        if len(forwarded_proto) > 1 or (forwarded_proto and forwarded_proto[0].strip() not in {"http", "https"}):
            raise ForwardedError("X-Forwarded-Proto is not http or https, once")
        hops = [hop.strip() for line in forwarded_for for hop in line.split(",")][-HOPS_MAX:]
        address = peer
        for hop in reversed(hops):
            if _parse(hop) is None:
                raise ForwardedError("X-Forwarded-For has an entry that is no address")
            address = hop
            if hop not in self:
                break
        return Caller(_canonical(address), forwarded_proto[0].strip() if forwarded_proto else scheme, proxied=True)


def _canonical(address: str) -> str:
    parsed = _parse(address)
    return address if parsed is None else str(parsed)
