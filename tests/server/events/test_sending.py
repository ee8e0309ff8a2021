"""Calls over real sockets: what each answer means, and that no subscriber can hold us up or lead us elsewhere."""

import ssl
from email.utils import formatdate

import pytest
import trustme

from schemas.errors import StoreError
from schemas.ids import Millis
from server.events.connection import ANSWER_BYTES_MAX
from server.events.sending import PAUSE_MS_MAX, HttpPost, Outcome, Verdict, heard, pause_of
from server.events.subscription import Subscription, trusting
from tests.server.events.receiver import NO_CONTENT, PATH, Call, Receiver, listening
from tests.server.events.station import subscription

NOW = Millis(1_700_000_000_000)


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    """An answer's bytes."""
    return "\r\n".join(["HTTP/1.1 " + status, f"content-length: {len(body)}", *headers, "", ""]).encode() + body


async def post(chosen: Subscription) -> Outcome:
    """What comes of one call."""
    client = HttpPost(chosen, lambda: NOW)
    try:
        return await client({"content-type": "application/json"}, b"{}")
    finally:
        await client.close()


def to(receiver: Receiver, timeout_s: float = 10.0) -> Subscription:
    """A subscription of a receiver."""
    return subscription(url=receiver.url, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("status", "retry_after", "verdict", "pause_ms"),
    [
        (200, None, Verdict.TAKEN, 0), (202, None, Verdict.TAKEN, 0), (299, None, Verdict.TAKEN, 0),
        (301, None, Verdict.FAILED, 0), (400, None, Verdict.FAILED, 0), (404, None, Verdict.FAILED, 0),
        (410, None, Verdict.GONE, 0), (410, "5", Verdict.GONE, 0), (500, "5", Verdict.FAILED, 0),
        (429, "5", Verdict.LATER, 5_000), (503, "120", Verdict.LATER, 120_000), (503, None, Verdict.FAILED, 0),
        (429, "soon", Verdict.FAILED, 0), (199, None, Verdict.FAILED, 0), (300, None, Verdict.FAILED, 0),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, retry_after: str | None, verdict: Verdict, pause_ms: int) -> None:
    """2xx takes the event, 410 ends the subscription, 429 and 503 with a time ask for it, all else is a failure."""
    found = heard(status, retry_after, NOW)
    assert (found.verdict, found.pause_ms) == (verdict, pause_ms)
    assert str(status) in found.detail


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0", 0), (" 7 ", 7_000), ("9" * 9, PAUSE_MS_MAX), ("9" * 10, None), ("-1", None), ("1.5", None), ("²", None),
        ("", None), (formatdate(1_700_000_060, usegmt=True), 60_000), (formatdate(1_600_000_000, usegmt=True), 0),
        (formatdate(4_000_000_000, usegmt=True), PAUSE_MS_MAX), ("Tue, 99 Foo 2023", None),
    ],
)  # fmt: skip
def test_how_long_a_subscriber_may_ask_for(text: str, ms: int | None) -> None:
    """Seconds or a date (RFC 9110 section 10.2.3), at most a day; what is neither is none."""
    assert pause_of(text, NOW) == ms


async def test_an_event_is_posted_and_taken() -> None:
    """One POST, to the path that was configured, with nothing from the environment."""
    async with listening() as receiver:
        assert (await post(to(receiver))).verdict is Verdict.TAKEN
    (call,) = receiver.calls
    assert call.line == f"POST {PATH} HTTP/1.1"
    assert call.headers["user-agent"] == "beatbook-events"
    assert call.body == b"{}"


async def test_a_redirect_is_never_followed() -> None:
    """The address was vouched for by whoever wrote the configuration; where it leads to was not."""
    async with listening() as elsewhere, listening() as receiver:
        for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
            receiver.answer = lambda _call, status=status: answer(status, f"location: {elsewhere.url}")  # type: ignore[misc]
            assert (await post(to(receiver))).verdict is Verdict.FAILED
        assert elsewhere.calls == []


async def test_who_does_not_answer_is_given_up() -> None:
    """A call ends after its time, whatever the subscriber does: it may also send its answer byte by byte."""
    async with listening() as receiver:
        receiver.answer = lambda _call: None
        found = await post(to(receiver, timeout_s=0.2))
        assert found == Outcome(Verdict.FAILED, "no answer within 0.2 s")


async def test_an_answer_without_end_is_not_read() -> None:
    """Of its body no more is taken than is bearable, and its status counts."""
    async with listening() as receiver:
        receiver.answer = lambda _call: answer("200 OK", body=b"x" * (ANSWER_BYTES_MAX * 64))
        assert (await post(to(receiver))).verdict is Verdict.TAKEN


async def test_what_is_no_http_is_a_failure_of_this_call() -> None:
    """So is an answer whose head has no end."""
    async with listening() as receiver:
        for wrong in (b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000):
            receiver.answer = lambda _call, wrong=wrong: wrong  # type: ignore[misc]
            assert (await post(to(receiver, timeout_s=2))).verdict is Verdict.FAILED


async def test_nobody_there_is_told_from_an_event_that_is_refused() -> None:
    """No event is at fault then."""
    async with listening() as receiver:
        gone = to(receiver)
    assert (await post(gone)).verdict is Verdict.UNREACHABLE


async def test_a_connection_is_used_again() -> None:
    """A call for each event would cost a TLS handshake for each."""
    async with listening() as receiver:
        client = HttpPost(to(receiver), lambda: NOW)
        for _ in range(3):
            await client({}, b"{}")
        await client.close()
        assert (len(receiver.calls), receiver.connections) == (3, 1)


async def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """And one of the authority that the configuration names is not."""
    authority = trustme.CA()
    folder = tmp_path_factory.mktemp("ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    async with listening(tls=context) as receiver:
        url = receiver.url.replace("http://127.0.0.1", "https://localhost")
        assert (await post(subscription(url=url))).verdict is Verdict.UNREACHABLE
        assert receiver.calls == []
        assert (await post(subscription(url=url, tls=trusting(folder / "ca.pem")))).verdict is Verdict.TAKEN
    with pytest.raises(StoreError, match="holds no certificate"):
        trusting(folder / "none.pem")


def test_a_call_is_kept_apart_from_the_answer() -> None:
    """The receiver's own answer is one that the parser of HTTP takes."""
    assert NO_CONTENT.startswith(b"HTTP/1.1 204")
    assert Call("POST / HTTP/1.1", {}, b"").body == b""
