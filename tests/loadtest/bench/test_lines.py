"""HTTP as cheap as can be: what is read of an answer, and which connections are used again."""

import asyncio

import pytest

from loadtest.bench.lines import Lines
from schemas.errors import StoreError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"


class Peer:
    """A server that answers each call with the next of its answers, and closes behind one that is told to."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []
        self.connections = 0

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.answers:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
            self.asked.append(await reader.readexactly(int(length.split(b":")[1])))
            answer = self.answers.pop(0)
            writer.write(answer)
            await writer.drain()
            if b"close" in answer:
                break
        writer.close()


async def test_a_connection_serves_call_after_call() -> None:
    """One connection is enough for calls that follow each other; one that the server ends is not used again."""
    peer = Peer(
        OK + b'{"n": 1}', OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + b'{"n": 2}', OK + b'{"n": 3}'
    )
    async with peer as base, Lines(base) as lines:
        assert [(await lines.post("/v1/x", {"a": n}, {})).json() for n in range(3)] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert (peer.connections, peer.asked) == (2, [b'{"a":0}', b'{"a":1}', b'{"a":2}'])


async def test_a_nonce_is_remembered_from_a_refusal_alone() -> None:
    """Who is let in is told the nonce of those who are known, and an enrolment wants another one."""
    refused = b"HTTP/1.1 401 Unauthorized\r\nDPoP-Nonce: wanted\r\nContent-Length: 2\r\n\r\n{}"
    let_in = b"HTTP/1.1 200 OK\r\nDPoP-Nonce: other\r\nContent-Length: 2\r\n\r\n{}"
    async with Peer(refused, let_in) as base, Lines(base) as lines:
        first = await lines.post("/v1/enrol", {}, {})
        assert (first.refused, first.nonce) == (True, "wanted")
        await lines.post("/v1/enrol", {}, {})
        assert lines.nonces == {"/v1/enrol": "wanted"}


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"close", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nA: close\r\n\r\n{}"]
)
async def test_what_is_no_whole_answer_is_an_error(answer: bytes) -> None:
    """Without a length, without a head, or cut off: it is said where, and nothing is taken for an answer."""
    async with Peer(answer) as base, Lines(base) as lines:
        with pytest.raises(StoreError, match=r"/v1/x: the server gave no answer"):
            await lines.post("/v1/x", {}, {})
