"""The client's own HTTP/1.1: connections that are used again, and subscribers that behave badly."""

import asyncio

import pytest

from server.events.connection import ANSWER_BYTES_MAX, Answer, BrokenError, Connections, UnreachableError
from tests.server.events.receiver import NO_CONTENT, Call, Receiver, listening

PLENTY_S = 10.0


def to(receiver: Receiver, timeout_s: float = PLENTY_S) -> Connections:
    """Connections to a receiver."""
    return Connections(receiver.url, None, timeout_s)


def read(data: bytes, pieces: int = 1) -> Answer:
    """An answer that came in pieces."""
    answer = Answer()
    size = -(-len(data) // pieces)
    for start in range(0, len(data), size):
        answer.feed(data[start : start + size])
    return answer


@pytest.mark.parametrize("pieces", [1, 2, 7, 1_000])
@pytest.mark.parametrize(
    ("data", "status", "retry_after", "keeps_open"),
    [
        (NO_CONTENT, 204, None, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, None, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, None, True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200, None, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, None, False),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil it closes", 200, None, False),
        (b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n" + NO_CONTENT, 204, None, True),
        (b"HTTP/1.1 503 No\r\nretry-AFTER: 7\r\ncontent-length: 0\r\n\r\n", 503, "7", True),
        (NO_CONTENT + b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", 204, None, False),
    ],
)  # fmt: skip
def test_an_answer_is_read_however_it_comes(
    data: bytes, status: int, retry_after: str | None, *, keeps_open: bool, pieces: int
) -> None:
    """Status and Retry-After of the final answer; a connection on which more came than was asked for is not used."""
    answer = read(data, pieces)
    assert (answer.status, answer.retry_after, answer.keeps_open) == (status, retry_after, keeps_open)


UPGRADE = b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nx"


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n\r\n", b"\xff" * 99, UPGRADE, b"HTTP/1.1 2000 OK\r\n\r\n"])
def test_what_is_no_answer_is_told_and_never_raised_as_anything_else(data: bytes) -> None:
    """Whatever a subscriber sends, the parser's own errors stay inside."""
    with pytest.raises(BrokenError):
        read(data)


async def test_a_connection_that_was_closed_meanwhile_is_replaced() -> None:
    """The subscriber closes idle connections, as they may; the next call is made on a new one, once."""
    async with listening() as receiver:
        connections = to(receiver)
        await connections.post({}, b"1")
        (idle,) = connections._idle
        idle[1].transport.abort()
        assert (await connections.post({}, b"2")).status == 204
        connections.close()
    assert [call.body for call in receiver.calls] == [b"1", b"2"]


async def test_a_connection_that_closes_under_a_call_is_not_asked_twice_once_something_came() -> None:
    """A half answer means that the call arrived: whether it was taken cannot be known."""
    async with listening() as receiver:
        connections = to(receiver)
        await connections.post({}, b"1")
        receiver.answer = lambda _call: b"HTTP/1.1 2"
        task = asyncio.create_task(connections.post({}, b"2"))
        await receiver.until(lambda calls: len(calls) == 2)
        receiver.hang_up()
        with pytest.raises(BrokenError):
            await task
    assert len(receiver.calls) == 2


async def test_a_time_that_is_over_ends_the_call_and_its_connection() -> None:
    """An answer that would come later must never be taken for that of the next call."""
    async with listening() as receiver:
        receiver.answer = lambda _call: None
        connections = to(receiver, timeout_s=0.2)
        with pytest.raises(BrokenError, match=r"no answer within 0\.2 s"):
            await connections.post({}, b"1")
        assert connections._idle == []
        assert connections._open == set()


async def test_nobody_there_is_told_apart() -> None:
    """A port on which nobody listens, and a name that is none."""
    async with listening() as receiver:
        gone = to(receiver)
    with pytest.raises(UnreachableError, match="ConnectionRefusedError"):
        await gone.post({}, b"")
    with pytest.raises(UnreachableError):
        await Connections("http://nosuchhost.invalid/", None, PLENTY_S).post({}, b"")


async def test_a_request_is_what_its_address_says() -> None:
    """The host with its port, the path with its query, the body's length."""
    async with listening() as receiver:
        connections = Connections(receiver.url + "?a=b&c", None, PLENTY_S)
        await connections.post({"x": "y"}, b"12345")
        connections.close()
    (call,) = receiver.calls
    assert isinstance(call, Call)
    assert call.line == "POST /hook/planted-Zq81?a=b&c HTTP/1.1"
    assert call.headers == {"host": f"127.0.0.1:{receiver.port}", "x": "y", "content-length": "5"}
    assert call.body == b"12345"


async def test_of_a_long_answer_no_more_is_read_than_is_bearable() -> None:
    """Its status counts, and its connection is not used again."""
    async with listening() as receiver:
        long = b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n" + b"x" * (4 * ANSWER_BYTES_MAX)
        receiver.answer = lambda _call: long
        connections = to(receiver)
        assert (await connections.post({}, b"")).status == 200
        assert connections._idle == []
