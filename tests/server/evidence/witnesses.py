"""A witness beside a running server, reached without a socket."""

import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from server.authority.witnessing import Witnessing
from server.witness.app import build
from server.witness.client import WitnessAddress, WitnessClient
from server.witness.heads import Heads
from server.witness.witness import Witness
from tests.server.running import Running
from tests.sync.evidence.parties import NOW_S, WITNESSES

WITNESS: Final = WITNESSES[0]
ADDRESS: Final = WitnessAddress("http://w1.example", WITNESS.key)


@contextlib.asynccontextmanager
async def witnessed(server: Running, folder: Path) -> AsyncIterator[None]:
    """Have a witness cosign the server's log whenever it is asked."""
    beatbook = server.beatbook
    checkpoints = beatbook.authority.checkpoints
    with contextlib.closing(Heads.open(folder / "w1.sqlite")) as heads, ThreadPoolExecutor(1) as thread:
        witness = Witness(heads, [checkpoints.verifier], WITNESS.key, WITNESS.sign, lambda: NOW_S)
        transport = httpx.ASGITransport(build(witness, thread))
        async with WitnessClient([ADDRESS], transport=transport) as client:
            asks = Witnessing(checkpoints, beatbook.committer, [ADDRESS], server.clock)
            checkpoints.ask = partial(asks.look, client)
            try:
                yield
            finally:
                checkpoints.ask = None
