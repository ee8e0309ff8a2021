"""Which hosts and origins pass: one form each, and nothing that only looks like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.edge.origins import Names

OWN = Names(["beatbook.example", "127.0.0.1", "[::1]"], [])
LISTED = Names(["beatbook.example"], ["https://desk.example", "https://desk.example:8443"])

RIGHT = [
    ("https", "beatbook.example", "https://beatbook.example"),
    ("https", "beatbook.example:443", "https://beatbook.example"),
    ("https", "beatbook.example:8700", "https://beatbook.example:8700"),
    ("http", "127.0.0.1:8700", "http://127.0.0.1:8700"),
    ("http", "[::1]:8700", "http://[::1]:8700"),
    ("http", "127.0.0.1:80", "http://127.0.0.1"),
]
WRONG = [
    "null", "", " ", "https://", "beatbook.example", "//beatbook.example", "file://", "about:blank",
    "https://beatbook.example:444", "https://beatbook.example:8701", "https://beatbook.example:443",
    "https://beatbook.example:08700", "https://beatbook.example:8700:8700",
    "http://beatbook.example:8700", "wss://beatbook.example:8700", "HTTPS://beatbook.example:8700",
    "https://Beatbook.example:8700", "https://BEATBOOK.EXAMPLE:8700", "https://beatbook.example.:8700",
    "https://beatbook.example.evil.example:8700", "https://evilbeatbook.example:8700",
    "https://beatbook.example:8700.evil.example", "https://beatbook.example@evil.example:8700",
    "https://user@beatbook.example:8700", "https://beatbook.example:8700/", "https://beatbook.example:8700/x",
    "https://beatbook.example:8700?x", "https://beatbook.example:8700#x", " https://beatbook.example:8700",
    "https://beatbook.example:8700 ", "https://beatbook.example:8700, https://evil.example",
    "https://evil.example https://beatbook.example:8700", "https://b\u0435atbook.example:8700",
    "https://beatbook\uff0eexample:8700", "https://xn--batbook-9fg.example:8700", "https://beatbook.example:8700\u0000",
    "https://beatbook.example%2eevil.example:8700", "https://127.0.0.1:8700", "https://localhost:8700",
    "https://sub.beatbook.example:8700", "https://*", "*", "https://*.example:8700",
]  # fmt: skip


def status(names: Names, scheme: str, host: list[str], origin: list[str]) -> int | None:
    """The status of the refusal, or None."""
    refusal = names.refusal(scheme, [each.encode() for each in host], [each.encode() for each in origin])
    return None if refusal is None else refusal.status


@pytest.mark.parametrize(("scheme", "host", "origin"), RIGHT)
def test_a_page_of_our_own_may_call(scheme: str, host: str, origin: str) -> None:
    """The scheme, name and port of the call are those of the page; the scheme's own port is left out."""
    assert status(OWN, scheme, [host], [origin]) is None


@pytest.mark.parametrize("origin", WRONG)
def test_every_other_origin_is_refused(origin: str) -> None:
    """None of the ways to look like our own page, or like no page, is accepted."""
    assert status(OWN, "https", ["beatbook.example:8700"], [origin]) == 403
    assert status(LISTED, "https", ["beatbook.example:8700"], [origin]) == 403


def test_a_program_that_is_no_browser_sends_none() -> None:
    """A device passes without Origin; two of them are nobody's."""
    own = "https://beatbook.example"
    assert status(OWN, "https", ["beatbook.example"], []) is None
    assert status(OWN, "https", ["beatbook.example"], [own, own]) == 403


def test_a_list_takes_the_place_of_our_own_origin() -> None:
    """What is listed passes, port by port, and nothing else does."""
    assert status(LISTED, "https", ["beatbook.example"], ["https://desk.example"]) is None
    assert status(LISTED, "https", ["beatbook.example"], ["https://desk.example:8443"]) is None
    assert status(LISTED, "https", ["beatbook.example"], ["https://desk.example:8444"]) == 403
    assert status(LISTED, "https", ["beatbook.example"], ["https://beatbook.example"]) == 403


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([], 400), (["beatbook.example", "beatbook.example"], 400), ([""], 400), (["beatbook.example:"], 400),
        (["Beatbook.example"], 400), (["beatbook.example:0"], 400), (["beatbook.example/x"], 400),
        (["user@beatbook.example"], 400), (["beatbook.example."], 400), (["b\u0435atbook.example"], 400),
        (["beatbook.example:8700 "], 400), (["::1"], 400), (["[::1"], 400),
        (["evil.example"], 421), (["beatbook.example.evil.example"], 421), (["localhost"], 421), (["127.0.0.2"], 421),
    ],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_refused(hosts: list[str], expected: int) -> None:
    """A page that points a name of its own at this server (DNS rebinding) shows that name in Host."""
    assert status(OWN, "https", hosts, []) == expected


@given(st.text(max_size=60))
def test_no_other_text_is_an_origin(text: str) -> None:
    """Whatever is not byte for byte the one right text is refused."""
    refused = OWN.refusal("https", [b"beatbook.example"], [text.encode("utf-8", "surrogatepass")])
    assert (refused is None) == (text == "https://beatbook.example")
