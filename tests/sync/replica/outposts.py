"""Devices with the real replica, and a server with the real settling, without sessions and sockets.

For tests of what becomes of ops that are refused, sent to wait, mended, or made twice under one number.

A `Post` is one copy of a device. It connects for a moment, in which as much or as little goes through as a test says.
"""

import copy
from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from schemas import wire
from schemas.codec import reread_op
from schemas.ids import DeviceId, Epoch, FieldName, Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import KINDS
from schemas.ops import Op
from server.commits import Submission
from server.store.memory import MemoryStore
from sync.evidence.chain import ChainHead, SignedHead, behind, genesis, head_words
from sync.outbox import ENDED, PENDING, OpState
from sync.replica import MemoryTables, Outcome, Replica, StoredOp, WriteFacts
from sync.session import Head
from sync.session.chaining import ChainWalk
from tests.sim.server import sign, verify

_T = TypeVar("_T")
NORTH: Final = ScopeName("area:north")
GRANTS: Final = frozenset({NORTH})
CLOSED: Final = frozenset({ScopeName("area:elsewhere")})
"""Grants with which every change to a record in NORTH is refused."""
GEN: Final = Generation(1)
LOG: Final = FieldName("log")
MADE: Final = {"opened_at": 1, "area": "north", "category": "crime", "summary": "made"}
BEGIN: Final = 1_700_000_000_000


def at_once(work: Coroutine[Any, Any, _T]) -> _T:
    """What a coroutine returns that never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        value: _T = done.value
        return value
    raise AssertionError("the store in memory waits for nothing")


class Server:
    """A store with the real settling, and the time."""

    def __init__(self) -> None:
        """Begin empty."""
        self.store = MemoryStore(Epoch("0" * 16))
        self.now = BEGIN
        self._epochs = 0

    def tick(self) -> Millis:
        """A little later."""
        self.now += 1_000
        return Millis(self.now)

    def take(
        self,
        device: DeviceId,
        bodies: Collection[bytes],
        grants: frozenset[ScopeName],
        head: SignedHead | None = None,
    ) -> list[wire.Result]:
        """Settle pushed ops, with what was signed for them."""
        settled = at_once(self.store.commit([Submission(device, grants, tuple(bodies), head=head)], self.tick()))
        return [result for one in settled for result in one.results]

    def backup(self) -> MemoryStore:
        """What would be restored."""
        return copied_store(self.store, self.store.epoch)

    def restore(self, backup: MemoryStore) -> None:
        """Be set back: another history begins."""
        self._epochs += 1
        self.store = copied_store(backup, Epoch(f"{self._epochs:016x}"))

    def chain(self, device: DeviceId) -> ChainHead:
        """Where a device's chain stands."""
        return at_once(self.store.chain(device)) or genesis(device)

    def head(self) -> Head | None:
        """Where NORTH stands."""
        return at_once(self.store.heads()).get(NORTH)

    def durable(self) -> list[Op]:
        """Every op that was taken in, in that order."""
        found, place = [], 0
        while kept := at_once(self.store.ops(None, place, 100)):
            found += [reread_op(one.body) for one in kept if one.result.status == "durable"]
            place = kept[-1].place
        return found

    def values(self, record: RecordId) -> dict[FieldName, Any]:
        """A record's values."""
        state = self.store.state(record)
        return {} if state is None else state.values()

    def shows(self, record: RecordId) -> dict[str, Any]:
        """The same by plain names."""
        return {str(name): value for name, value in self.values(record).items()}


def copied_store(store: MemoryStore, epoch: Epoch) -> MemoryStore:
    """The same content in another history. What the tables hold is never altered; the tables are."""
    other = MemoryStore()
    for name, value in vars(store).items():
        setattr(other, name, copy.copy(value))
    other._members = {scope: dict(members) for scope, members in store._members.items()}
    other._epoch = epoch
    return other


class Post:
    """One copy of a device."""

    def __init__(
        self, server: Server, name: str = "hh-0042", author: str = "WM21877", *, chained: bool = False
    ) -> None:
        """Begin with an empty replica.

        Args:
            server: where it connects.
            name, author: who it is.
            chained: whether the server keeps its chain of ops, and it signs heads.
        """
        self.server = server
        self.chained = chained
        self.walk: ChainWalk | None = None
        self.author = OfficerId(author)
        self.tables = MemoryTables()
        self.replica = Replica(self.tables, DeviceId(name))
        self.upto = OpNumber(0)
        self.pushes = 0
        self.lag_ms = 0

    def copied(self) -> "Post":
        """Another machine with the same replica, id and key."""
        other = Post(self.server, self.replica.device, self.author, chained=self.chained)
        other.tables.restore(self.tables)
        other.replica = Replica(other.tables, self.replica.device)
        return other

    # --- the officer -------------------------------------------------------------------------------------------------

    def facts(self, why: str = "what was seen there") -> WriteFacts:
        """Who and when."""
        now = Millis(self.server.tick() - self.lag_ms)
        return WriteFacts(author=self.author, now=now, wall=now, occurred_at=now, why=why)

    def create(self, record: RecordId, **more: Any) -> Op:  # noqa: ANN401  field values
        """Make an incident in NORTH."""
        return self.write(record, create=True, **MADE | more)

    def write(self, record: RecordId, *, create: bool = False, **values: Any) -> Op:  # noqa: ANN401  field values
        """Change an incident, or make one."""
        named = {FieldName(name): value for name, value in values.items()}
        return self.replica.write(record, KINDS["incident"], named, self.facts(), create=create)

    def mend(self, n: OpNumber, values: Mapping[str, Any] | None = None, **more: Any) -> Op:  # noqa: ANN401  options
        """Mend a refused op."""
        named = {FieldName(name): value for name, value in (values or {}).items()}
        return self.replica.mend(n, named, self.facts(), **more)

    def texts(self, record: RecordId) -> list[str]:
        """The texts of the log, as this copy shows it."""
        state = self.replica.view(record)
        return [] if state is None else [entry["text"] for entry in state.values().get(LOG, ())]

    # --- the connection ----------------------------------------------------------------------------------------------

    def hello(self) -> Outcome:
        """Begin a session: WELCOME."""
        store, head = self.server.store, self.server.head()
        self.upto = OpNumber(0)
        device = self.replica.device
        chain = self.server.chain(device) if self.chained else None
        self.walk = None if chain is None else ChainWalk(device, chain, device.encode(), verify)
        held = self.tables.position(NORTH)
        seq = Seq(0) if head is None else head.seq
        resumes = held is not None and held.after is None and held.seq <= seq and self.replica.epoch == store.epoch
        plan = wire.Plan(scope=NORTH, gen=GEN, action="resume" if resumes else "snapshot", seq=seq)
        outcome = self.replica.welcome(
            wire.Welcome(
                proto=wire.PROTO,
                schema_min=wire.SCHEMA_MIN,
                schema_max=wire.SCHEMA_MAX,
                epoch=store.epoch,
                server_time=Millis(self.server.now),
                last_op=at_once(store.last_op(self.replica.device)),
                credit=1,
                scopes=(plan,),
                chain=None if chain is None else wire.ChainPlace(n=chain.n, link=chain.link),
            )
        )
        self._again(outcome)
        return outcome

    def pull(self) -> None:
        """Take in all that the server has."""
        held = self.tables.position(NORTH)
        assert held is not None
        if held.after is not None:
            page = at_once(self.server.store.page(NORTH, "", ""))
            rows = tuple(map(msgspec.Raw, page.rows))
            pages = wire.Snapshot(scope=NORTH, gen=GEN, at=held.seq, after="", upto="", rows=rows, last=True)
            self._again(self.replica.page(msgspec.structs.replace(pages, erased=page.erased)))
            held = self.tables.position(NORTH)
            assert held is not None
        found = at_once(self.server.store.changes(NORTH, held.seq))
        if found.to > held.seq:
            rows = tuple(map(msgspec.Raw, found.rows))
            batch = wire.Batch(scope=NORTH, gen=GEN, frm=held.seq, to=found.to, rows=rows, gone=found.gone)
            self._again(self.replica.batch(msgspec.structs.replace(batch, erased=found.erased)))

    def push(self, most: int = 100, grants: frozenset[ScopeName] = GRANTS, *, heard: bool = True) -> bool:
        """Push what is queued, once. Whether there was anything.

        Args:
            most: how many ops, at most.
            grants: what the server grants at that moment.
            heard: whether the answer arrives.
        """
        ops = self.replica.queued(self.upto, most)
        if not ops:
            return False
        self.pushes += 1
        self.upto = ops[-1].n
        results = self.server.take(self.replica.device, [op.body for op in ops], grants, self.vouch(ops))
        if heard:
            told = [
                msgspec.structs.replace(result, scopes=tuple(scope for scope in result.scopes if scope in GRANTS))
                for result in results
            ]
            self._again(self.replica.results(wire.Results(results=tuple(told))))
        return True

    def vouch(self, ops: Sequence[StoredOp]) -> SignedHead | None:
        """Sign the head behind these ops, and have it checked as a session does."""
        walk, device = self.walk, self.replica.device
        if walk is None or ops[-1].n <= walk.head.n:
            return None
        digests = self.replica.digests(walk.head.n, ops[-1].n)
        new = [(reread_op(op.body), op.body) for op in ops if op.n > walk.head.n]
        unsent = {n: told for n, told in digests.items() if n not in {op.n for op, _ in new}}
        signature = sign(device.encode(), head_words(device, behind(walk.head, digests.items())))
        return walk.take(new, unsent, signature)

    def _again(self, outcome: Outcome) -> None:
        if outcome.again:
            self.upto = min(self.upto, OpNumber(min(outcome.again) - 1))

    def sync(self, grants: frozenset[ScopeName] = GRANTS) -> None:
        """A whole session, until nothing moves any more."""
        self.hello()
        self.pull()
        rounds = 0
        while self.push(grants=grants):
            self.pull()
            rounds += 1
            assert rounds < 100, "a session that never comes to rest"

    # --- looking at it -----------------------------------------------------------------------------------------------

    def states(self) -> dict[int, OpState]:
        """Number -> state of every op."""
        found = self.tables.ops_in(OpState, OpNumber(0), 10_000)
        return {op.n: op.state for op in found}

    def check(self) -> None:
        """What holds at any moment."""
        ops = {op.n: op for op in self.tables.ops_in(OpState, OpNumber(0), 10_000)}
        assert all(n < self.replica.next_op for n in ops)
        for op in ops.values():
            read = reread_op(op.body)
            assert (read.n, read.record) == (op.n, op.record)
            assert (op.became != 0) == (op.state in {OpState.MENDED, OpState.REISSUED}), op
            if op.became:
                assert op.became > op.n
                assert ops[op.became].record == op.record
            if op.state in PENDING and read.after:
                assert read.after < op.n
                before = ops[read.after]
                assert before.state not in ENDED, f"op {op.n} waits for {before.n}, which is {before.state.value}"
                assert read.after_digest == self.replica._own.digest(read.after)
