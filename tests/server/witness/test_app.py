"""The witness over HTTP: the one path, and no more of a body than the longest request."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from server.witness.app import build
from server.witness.heads import Heads
from server.witness.request import PATH, REQUEST_BYTES_MAX, SIZE_TYPE
from server.witness.witness import Witness
from tests.server.witness.submitting import request
from tests.sync.evidence.parties import LOG, NOW_S, ORIGIN, WITNESSES

OWN = WITNESSES[0]


@pytest.fixture
def heads(tmp_path: Path) -> Iterator[Heads]:
    """A fresh memory."""
    with closing(Heads.open(tmp_path / "heads.sqlite")) as heads:
        yield heads


@pytest_asyncio.fixture
async def http(heads: Heads) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a witness that has seen nothing."""
    witness = Witness(heads, [LOG.key], OWN.key, OWN.sign, lambda: NOW_S)
    with ThreadPoolExecutor(1) as thread:
        transport = httpx.ASGITransport(build(witness, thread))
        async with httpx.AsyncClient(transport=transport, base_url="http://witness.example") as http:
            yield http


async def test_the_witnesss_answers_go_out_as_they_are(http: httpx.AsyncClient) -> None:
    """Status, content type and body: a cosignature, a known size, a refusal."""
    signed = await http.post(PATH, content=request(0, 9))
    assert (signed.status_code, signed.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert signed.text.startswith(f"\N{EM DASH} {OWN.key.name} ")
    behind = await http.post(PATH, content=request(0, 17))
    assert (behind.status_code, behind.headers["content-type"], behind.text) == (409, SIZE_TYPE, "9\n")
    assert (await http.post(PATH, content=b"nonsense")).status_code == 400


async def test_nothing_else_is_served(http: httpx.AsyncClient) -> None:
    """No other path and no other method."""
    assert (await http.get(PATH)).status_code == 405
    assert (await http.post("/", content=request(0, 9))).status_code == 404


async def test_a_long_body_is_not_read_to_its_end(http: httpx.AsyncClient, heads: Heads) -> None:
    """413 at the bound, though the sender would go on for ever; what it would have said is not looked at."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield request(0, 9)
        while True:
            sent += 65_536
            yield bytes(65_536)

    answer = await http.post(PATH, content=endless())
    assert answer.status_code == 413
    assert sent <= REQUEST_BYTES_MAX + 2 * 65_536
    assert heads.latest(ORIGIN).size == 0
