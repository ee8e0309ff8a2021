"""A running server and its witnesses: heads are cosigned, a disclosure gets one, a forgotten history is an alarm."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import UsageError
from schemas.ids import Millis
from server.alarms import Alarm
from server.authority.checkpoints import Checkpoints
from server.authority.witnessing import Witnessing
from server.commits import Submission
from server.configuration import Configuration
from server.configuration_sections import Witnesses
from server.logbook import ALARM, OFFICE, Entry
from server.store.memory import MemoryStore
from server.witness.app import build
from server.witness.client import WitnessAddress, WitnessClient
from server.witness.heads import Heads
from server.witness.witness import Witness
from sync.evidence.policy import Policy
from tests.sync.evidence.parties import NOW_S, WITNESSES

PARTY = WITNESSES[0]
ADDRESS = WitnessAddress("http://w1.example", PARTY.key)
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Log:
    """A store with a log, and what has it cosigned."""

    def __init__(self) -> None:
        """Begin with nothing in it."""
        self.store = MemoryStore()
        self.checkpoints = Checkpoints(self.store, LOG_KEY, "log.example")
        self.witnessing = Witnessing(self.checkpoints, self, [ADDRESS], lambda: Millis(7))

    async def commit(self, submission: Submission) -> object:
        """See `server.authority.ledger.Commits`."""
        return await self.store.commit([submission], Millis(7))

    async def grow(self, key: str) -> None:
        """One entry more."""
        await self.commit(Submission(OFFICE, frozenset(), (), entries=(Entry("note", key, b"x"),)))

    async def alarms(self) -> list[Alarm]:
        """What a person must look at."""
        kept = await self.store.journal(ALARM, 0, 10)
        return [msgspec.msgpack.decode(entry.body or b"", type=Alarm) for entry in kept]


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[WitnessClient]:
    """A way to one witness that knows the log's key and has seen nothing."""
    verifier = Log().checkpoints.verifier
    with closing(Heads.open(tmp_path / "w1.sqlite")) as heads, ThreadPoolExecutor(1) as thread:
        witness = Witness(heads, [verifier], PARTY.key, PARTY.sign, lambda: NOW_S)
        transport = httpx.ASGITransport(build(witness, thread))
        async with WitnessClient([ADDRESS], transport=transport) as client:
            yield client


async def test_a_head_is_cosigned_and_given_out_so(client: WitnessClient) -> None:
    """Whoever demands one witness believes what is handed out with a proof, and it holds all that was in the log."""
    log = Log()
    policy = Policy.of([log.checkpoints.verifier], [PARTY.key], 1)
    log.checkpoints.ask = lambda: log.witnessing.look(client)
    for n in range(3):
        await log.grow(str(n))
        size, signed = await log.checkpoints.witnessed()
        assert policy.open(signed).checkpoint.size == size == n + 1
    assert await log.alarms() == []


async def test_without_an_answer_the_log_speaks_for_itself(client: WitnessClient) -> None:
    """A witness that is away holds nothing up, and an older cosigned head is not passed off for the present one."""
    log = Log()
    await log.grow("a")
    await log.witnessing.look(client)
    await log.grow("b")
    assert (await log.checkpoints.witnessed())[0] == 2
    assert await log.checkpoints.witnessed() == await log.checkpoints.newest()


async def test_a_history_that_the_witness_has_not_seen_is_an_alarm(client: WitnessClient) -> None:
    """A server that was set back, or whose log was written anew, is found out; it is told once, and kept."""
    first = Log()
    for key in "abc":
        await first.grow(key)
    await first.witnessing.look(client)
    other = Log()
    await other.grow("x")
    for _ in range(2):
        await other.witnessing.look(client)
    (alarm,) = await other.alarms()
    assert (alarm.code, alarm.seat) == ("witness_conflict", OFFICE)
    assert PARTY.key.name in alarm.detail
    assert other.checkpoints.cosigned_size == 0


def test_a_witness_is_named_by_address_and_key() -> None:
    """A line that is not both is refused with what is wrong in it."""
    named = Configuration(witnesses=Witnesses(ask=(f"https://w.example {PARTY.key}",)))
    assert named.witness_addresses() == (WitnessAddress("https://w.example", PARTY.key),)
    for line in ("https://w.example", f"w.example {PARTY.key}", "https://w.example nonsense"):
        with pytest.raises(UsageError, match=r"witnesses\.ask"):
            Configuration(witnesses=Witnesses(ask=(line,))).witness_addresses()
