"""A server's records without a server: groups of ops are settled, one commit each, and what came of it is looked at."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from schemas.codec import decode_row, encode, reread_op
from schemas.ids import (
    DeviceId,
    Epoch,
    FieldName,
    Generation,
    Millis,
    OfficerId,
    OpId,
    OpNumber,
    RecordId,
    ScopeName,
    Seq,
    named_record_id,
)
from schemas.kinds import InboxItem
from schemas.ops import Op, Stamp
from schemas.wire import SCHEMA, Batch, Result
from server.commits import ScopeChange, Settled, Submission, flatten, needs
from server.roles import Roles
from server.settle import settle
from server.store.memory import MemoryStore
from sync import inbox, merge
from sync.history import Act, acts_on, unaccounted

NOW: Final = Millis(1_700_000_000_000)
NORTH, SOUTH = ScopeName("area:north"), ScopeName("area:south")
BOTH: Final = frozenset({NORTH, SOUTH})
SUITE: Final = ScopeName("suite:perry-barr")
SUITE_INBOX: Final = ScopeName("suite:perry-barr:inbox")
OLDBURY: Final = ScopeName("suite:oldbury")
CUSTODY: Final = frozenset({SUITE, SUITE_INBOX, OLDBURY, ScopeName("custody")})

INCIDENT: Final[dict[str, Any]] = {"opened_at": 1, "area": "north", "category": "crime", "summary": "made"}
BOOKING: Final[dict[str, Any]] = {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": 5}
CELL: Final[dict[str, Any]] = {"category": "cell", "name": "M1", "home": "suite:perry-barr"}
_MADE: Final = {"incident": INCIDENT, "custody-booking": BOOKING, "resource": CELL}


def record(number: int) -> RecordId:
    """The number-th record."""
    return named_record_id("settle", str(number))


def op(n: int, on: int | RecordId, changes: dict[str, Any] | None = None, **more: Any) -> bytes:  # noqa: ANN401  fields of Op
    """An op as it travels; without `changes` it makes the record, by default an incident in the north.

    Args:
        n: its number.
        on: which record.
        changes: field -> plain value.
        more: other fields of the op.
    """
    kind = more.pop("kind", "incident")
    made = dict(_MADE[kind]) if changes is None else changes
    facts: dict[str, Any] = {
        "device": DeviceId("hh-1"),
        "author": OfficerId("WM1"),
        "create": changes is None,
        "hlc": (NOW, n),
        "occurred_at": NOW,
        "wall": NOW,
    }
    return encode(
        Op(
            n=OpNumber(n),
            record=record(on) if isinstance(on, int) else on,
            kind=kind,
            changes={FieldName(name): value for name, value in made.items()},
            **(facts | more),
        )
    )


def name(device: str, n: int) -> OpId:
    """The name of a device's n-th op."""
    return OpId(f"{device}/{n}")


def frame_of(change: ScopeChange) -> bytes:
    """The BATCH that a commit makes in one scope."""
    return encode(
        Batch(
            scope=change.scope,
            gen=Generation(1),
            frm=change.frm,
            to=change.head.seq,
            rows=tuple(map(msgspec.Raw, change.rows)),
            gone=change.gone,
            digest=change.head.digest,
            count=change.head.count,
        )
    )


def statuses(settled: Settled) -> list[tuple[str, str]]:
    """Status and code of each result."""
    return [(result.status, result.code) for result in settled.results]


class Desk(MemoryStore):
    """The reference store, one commit at a time, and what came of it."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__(Epoch("0" * 16))

    def submit(
        self,
        *ops: bytes,
        device: str = "hh-1",
        scopes: frozenset[ScopeName] | None = BOTH | CUSTODY,
        schema: int = SCHEMA,
        times: Mapping[int, int] | None = None,
        now: int = NOW,
        roles: Roles | None = None,
    ) -> Settled:
        """Settle and keep one commit of one device's ops."""
        told = {OpNumber(n): Millis(ms) for n, ms in (times or {}).items()}
        return self.decide(Submission(DeviceId(device), scopes, ops, schema=schema, times=told, roles=roles), now=now)

    def decide(self, *group: Submission, skip: int = 0, now: int = NOW) -> Settled:
        """Settle and keep one commit of a group, behind its first `skip` ops."""
        ops = flatten(group)[skip:]
        settled = settle(ops, self._load(needs(ops)), self._seq, Millis(now))
        self._keep(settled)
        return settled

    def one(self, raw: bytes, **rest: Any) -> Result:  # noqa: ANN401  as in `submit`
        """What became of a single op of the device that made it."""
        return self.submit(raw, device=rest.pop("device", reread_op(raw).device), **rest).results[0]

    def row(self, on: int | RecordId) -> bytes | None:
        """A record's encoded row, or None when it is not there."""
        return self._bodies.get(record(on) if isinstance(on, int) else on)

    def held(self, on: int | RecordId) -> merge.RecordState:
        """A record as it stands."""
        body = self.row(on)
        assert body is not None
        return merge.from_row(decode_row(body))

    def values(self, on: int | RecordId) -> dict[str, Any]:
        """What a record shows, field by field."""
        return {str(field): value for field, value in self.held(on).values().items()}

    def stamp(self, on: int | RecordId, field: str) -> Stamp:
        """Who wrote a field with one value, and when."""
        said = self.held(on).cells[FieldName(field)].said
        assert said is not None
        return said.stamp

    def item(self, on: int | RecordId, field: str, decided: OpId | str = "") -> InboxItem | None:
        """The inbox item about a field since a decision on it, or None."""
        subject = record(on) if isinstance(on, int) else on
        found = inbox.item_id(subject, FieldName(field), decided)
        if self.row(found) is None:
            return None
        built = self.held(found).build()
        assert isinstance(built, InboxItem)
        return built

    def members(self, scope: ScopeName) -> dict[RecordId, Seq]:
        """The records of a scope with their versions, by its log."""
        return {one: seq for one, (seq, held) in self._members.get(scope, {}).items() if held}

    def items(self) -> list[RecordId]:
        """Every inbox item that was ever made, by id."""
        return [one for one in sorted(self._bodies) if isinstance(self.held(one).build(), InboxItem)]

    def acts(self, device: str, n: int) -> tuple[Act, ...]:
        """What is kept of what an op did."""
        return self._kept[self._places[DeviceId(device), OpNumber(n)] - 1].acts

    def lost(self) -> list[tuple[OpId, FieldName]]:
        """Every change that is neither current, nor superseded with a link, nor asked about (promise 3)."""
        accepted = [(reread_op(kept.body), kept.acts) for kept in self._kept if kept.result.status == "durable"]
        found = []
        for on in self._bodies:
            state = self.held(on)
            found += unaccounted(state, {each.id: acts_on(on, each, acts) for each, acts in accepted})
        return found
