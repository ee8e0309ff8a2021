"""Two desks, an office, and what is told of their records."""

from schemas.ids import FieldName, OfficerId, RecordId, named_record_id
from server import dossier
from server.committer import Committer
from server.office import Choice, Office
from server.store.memory import MemoryStore
from sync.explain import FieldHistory, Step, history, tell
from tests.server.disputes import Desk, Disputes
from tests.server.running import Clock

INCIDENT = named_record_id("test", "incident")


class Case(Disputes):
    """Two desks, an office, and what is told of their records."""

    def __init__(self) -> None:
        """Over a store in memory."""
        clock, store = Clock(), MemoryStore()
        committer = Committer(store, clock, lambda _: None)
        super().__init__(store, committer, clock)
        self.office = Office(store, committer, clock)

    async def told(self, record: RecordId, field: str) -> FieldHistory:
        """One field's history."""
        account = await dossier.account(self.store, record, self.clock.now)
        assert account is not None
        (one,) = history(account, FieldName(field)).fields
        return one

    async def words(self, record: RecordId, field: str) -> str:
        """One field's history in words."""
        account = await dossier.account(self.store, record, self.clock.now)
        assert account is not None
        (one,) = history(account, FieldName(field)).fields
        return "\n".join(tell(account.state.spec, one, account.now))

    async def each(self, *desks: Desk) -> None:
        """Push, in this order."""
        for desk in desks:
            await desk.push()

    async def share(self, *records: RecordId) -> None:
        """Both desks see the records as they stand."""
        for desk in (self.a, self.b):
            await desk.pull(*records)

    async def decide(self, item: RecordId, value: object, reason: str = "Looked.") -> str:
        """The op of a decision."""
        return (await self.office.decide(item, Choice(value=value, reason=reason, author=OfficerId("WM77")))).op


def fates(told: FieldHistory) -> list[tuple[str, str, str]]:
    """(way, op, fate) of each step."""
    return [(step.way, step.op, step.fate) for step in told.steps]


def step(told: FieldHistory, op: str) -> Step:
    """The step of an op."""
    return next(one for one in told.steps if one.op == op)


async def row(case: Case, record: RecordId) -> bytes:
    """A record's row."""
    found = await case.store.record(record)
    assert found is not None
    return found
