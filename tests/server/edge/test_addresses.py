"""What counts as one source, and whom a proxy may speak for."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from server.edge.addresses import HOPS_MAX, ForwardedError, Proxies, is_loopback, source_of

PROXIES = Proxies(["10.0.0.7", "10.1.0.0/24", "2001:db8:1::/48"])


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:aaaa::1", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::1", "2001:db8:0:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_a_source_is_an_ipv4_address_or_an_ipv6_customer(address: str, source: str) -> None:
    """Whoever has a /64 has one pace for all of it, and nobody has two by writing an address in two ways."""
    assert source_of(address) == source


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_no_address_of_a_customer_makes_another_source(address: ipaddress.IPv6Address, low: int) -> None:
    """The lower 64 bits never matter."""
    other = ipaddress.IPv6Address((int(address) >> 64 << 64) | low)
    if address.ipv4_mapped is None and other.ipv4_mapped is None:
        assert source_of(str(address)) == source_of(str(other))


def test_the_loopback_is_told_from_the_rest() -> None:
    """Only what this machine alone can reach may listen in clear."""
    assert all(map(is_loopback, ("127.0.0.1", "127.0.0.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.7", "192.0.2.7", "beatbook.example", "")))  # noqa: S104


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        ("10.0.0.7", ["198.51.100.4"], "198.51.100.4"),
        ("10.0.0.7", ["203.0.113.9, 198.51.100.4"], "198.51.100.4"),
        ("10.0.0.7", ["203.0.113.9", "198.51.100.4"], "198.51.100.4"),
        ("10.0.0.7", ["198.51.100.4, 10.1.0.9"], "198.51.100.4"),
        ("10.0.0.7", ["10.1.0.9"], "10.1.0.9"),
        ("10.0.0.7", [], "10.0.0.7"),
        ("2001:db8:1::5", ["2001:DB8:0:0::9"], "2001:db8::9"),
        ("::ffff:10.0.0.7", ["198.51.100.4"], "198.51.100.4"),
        # From here on nobody who is listed says anything.
        ("10.0.0.8", ["127.0.0.1"], "10.0.0.8"),
        ("127.0.0.1", ["198.51.100.4"], "127.0.0.1"),
        ("10.0.1.7", ["198.51.100.4"], "10.0.1.7"),
    ],
)
def test_only_a_listed_proxy_is_believed_and_only_its_own_entry(
    peer: str, forwarded_for: list[str], address: str
) -> None:
    """The caller is the last entry that no listed proxy is; what stands before it anyone could have written."""
    caller = PROXIES.caller(peer, "http", forwarded_for, ["https"])
    assert caller.address == address
    assert caller.proxied == (peer in PROXIES)
    assert caller.scheme == ("https" if peer in PROXIES else "http")


@pytest.mark.parametrize(
    ("forwarded_for", "forwarded_proto"),
    [
        (["unknown"], []),
        (["198.51.100.4, "], []),
        (["198.51.100.4:80"], []),
        (["_hidden"], []),
        ([], ["https", "http"]),
        ([], ["https, http"]),
        ([], ["ftp"]),
        ([], [""]),
    ],
)
def test_what_a_listed_proxy_says_must_be_understood(forwarded_for: list[str], forwarded_proto: list[str]) -> None:
    """A guess would count one caller as another, or take clear text for TLS."""
    with pytest.raises(ForwardedError, match="X-Forwarded"):
        PROXIES.caller("10.0.0.7", "http", forwarded_for, forwarded_proto)


def test_a_long_row_of_hops_costs_little() -> None:
    """Only the last few entries are looked at, whatever stands before them."""
    hops = ["garbage"] * 10_000 + ["10.1.0.1"] * (HOPS_MAX - 1) + ["198.51.100.4"]
    assert PROXIES.caller("10.0.0.7", "http", [", ".join(hops)], []).address == "198.51.100.4"


@pytest.mark.parametrize("entry", ["proxy.example", "10.0.0.7/24", "*", "", "10.0.0.256"])
def test_a_list_of_proxies_that_means_nothing_is_refused(entry: str) -> None:
    """A misspelt entry would leave the proxy's callers all in one pace, or trust too many."""
    with pytest.raises(UsageError, match="trusted_proxies"):
        Proxies([entry])
    assert not Proxies([])
