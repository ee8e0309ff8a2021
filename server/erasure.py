"""What the erasure of a record takes with it, and what forbids it: pure. `server.settle` makes it part of a commit.

Erasing destroys the record's key, and with it every copy of its content that the server keeps: its row, its ops, what
the journal holds about it, and the same of every record that is a part of it (`Kind.about`): what people were asked
about it, what is medical. Its ids, hashes and times stay, and so does the log. It leaves every scope, so every replica
retracts it; nothing that comes about it later brings it back. The scopes that it left before are told as well: a
device there has nothing of it but what its officer wrote, and that goes too.

A server that was restored may have lost a record together with its erasure. It is then erased *ahead*: there is nothing
to destroy, and whatever a device brings of it, or about it, is refused as if it had been here.
"""

from collections.abc import Collection, Iterable
from typing import Protocol

import msgspec

from schemas.ids import RecordId, ScopeName
from server.logbook import Entry, Erased, Erasure
from sync.explain.values import moment
from sync.merge import RecordState


class Records(Protocol):
    """What is looked up."""

    def state(self, record: RecordId) -> RecordState | None:
        """A record."""

    def parts(self, record: RecordId) -> list[RecordId]:
        """The records that are directly a part of one."""

    def erasure_of(self, record: RecordId) -> Erased | None:
        """What is kept of a record that was erased; None when it was not."""

    def scopes_ever(self, record: RecordId) -> frozenset[ScopeName]:
        """The scopes that a record is in, and those that it has left."""


class Plan(msgspec.Struct, frozen=True):
    """What a commit erases.

    Attributes:
        gone: each record as it stood, with the erasure that takes it.
        ahead: the erasures of records that are not here, and are kept out.
        entries: for the journal.
    """

    gone: tuple[tuple[RecordState, Erasure], ...] = ()
    ahead: tuple[Erasure, ...] = ()
    entries: tuple[Entry, ...] = ()


def plan(
    erasures: Iterable[tuple[Erasure, tuple[Entry, ...]]], records: Records, touched: Collection[RecordId]
) -> Plan:
    """What is erased by those erasures that may be carried out; of the others nothing, and none of their entries.

    Args:
        erasures: as `server.logbook.Extras` has them.
        records: as they stood before the commit.
        touched: the records that the commit has changed, and those that they are parts of.
    """
    gone: dict[RecordId, tuple[RecordState, Erasure]] = {}
    ahead: dict[RecordId, Erasure] = {}
    entries: list[Entry] = []
    for erasure, own in erasures:
        whole = _whole(erasure.record, records)
        if erasure.ahead and not whole:
            if erasure.record not in {*touched, *ahead} and records.erasure_of(erasure.record) is None:
                ahead[erasure.record] = erasure
                entries += own
            continue
        if erasure.record in gone or not whole or any(_forbids(state, erasure, touched) for state in whole):
            continue
        gone.update((state.id, (state, erasure)) for state in whole)
        entries += own
    return Plan(tuple(gone.values()), tuple(ahead.values()), tuple(entries))


def refusal_detail(erased: Erased) -> str:
    """What a device is told that comes with an op about it: when it was erased, and nothing of who or why."""
    return f"erased on {moment(erased.at)}"


def _whole(record: RecordId, records: Records) -> list[RecordState]:
    """The record and everything that is a part of it, or of a part of it; nothing when there is no such record."""
    found: dict[RecordId, RecordState] = {}
    waiting = [record]
    while waiting:
        one = waiting.pop()
        state = None if one in found else records.state(one)
        if state is not None:
            found[one] = state
            waiting += records.parts(one)
    return list(found.values()) if record in found else []


def _forbids(state: RecordState, erasure: Erasure, touched: Collection[RecordId]) -> bool:
    """Whether something was written that whoever proposed the erasure cannot have seen.

    What the rules alone write, an inbox item that asks more people as time passes, is nothing that anybody wrote.
    """
    return state.id in touched or (not state.spec.by_rule and state.version > erasure.seen)
