"""What seats push and sign for, put before a store without a session in between."""

import hashlib
from collections.abc import Sequence
from typing import Final

from schemas.ids import DeviceId, OpNumber
from server.commits import Settled, Submission
from server.store.memory import MemoryStore
from sync.evidence.chain import ChainHead, SignedHead, genesis
from tests.server.settle.desk import BOTH, NOW
from tests.sync.replica.outposts import at_once

SEAT: Final = DeviceId("hh-1")
OTHER: Final = DeviceId("hh-2")
PAGE: Final = 1_000


def commit(store: MemoryStore, *group: Submission) -> list[Settled]:
    """Settle a group."""
    return at_once(store.commit(group, NOW))


def results(settled: Sequence[Settled]) -> list[tuple[str, str]]:
    """Status and code of every op."""
    return [(each.status, each.code) for one in settled for each in one.results]


def told(n: int, raw: bytes) -> tuple[OpNumber, bytes]:
    """Number and hash of an op."""
    return OpNumber(n), hashlib.sha256(raw).digest()


def head(*ops: tuple[OpNumber, bytes], begin: ChainHead | None = None, seat: DeviceId = SEAT) -> SignedHead:
    """What a session hands on with a push; it has looked at the signature."""
    return SignedHead(seat, (genesis(seat) if begin is None else begin).link, ops, bytes(64))


def pushed(*ops: bytes, signed: SignedHead | None = None, seat: DeviceId = SEAT) -> Submission:
    """A push of a seat that may do everything but what roles forbid."""
    return Submission(seat, BOTH, ops, head=signed)
