"""Records that moved away, though no grant has ended: when what their officer wrote on them is sealed up too.

A record leaves a replica when its fields take it elsewhere: another area, a compartment. Its row goes at once. What its
officer wrote on it says what it said, so that goes as well (`OwnOps.seal_up`), in the same transaction, but for two:

- As long as an op on it waits for an answer, for its row or for its officer, all of them stay. The server says what
  becomes of it: taken in, or refused and then handed to quarantine. A refused one cannot be put right by somebody who
  cannot read what it builds on.
- A record that goes from one held scope to another is nowhere for the moment between two batches. Sealing cannot be
  undone: the officer's own edits would be lost to them, and after a restore a supervisor would be asked about work that
  the server took in long ago. So what left a scope waits for the held scopes of the same sort, into which a move takes
  a record (area to area), until each has come past the commit with which it left. That is known of a scope by its
  position; and of one in which nothing happens by WELCOME, which tells where every scope stands at one moment.

What waits is on disk, for the power may go in between.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from schemas.ids import RecordId, ScopeName, Seq
from schemas.scopes import BRIEFING, SAFETY, audience
from schemas.wire import Plan
from sync.outbox import SHUT
from sync.replica.facts import Outcome
from sync.replica.ownops import OwnOps
from sync.replica.tables import StoredPosition, Tables

_MOVED: Final = "moved"
_NOWHERE: Final = ScopeName("")
"""The scope of what no scope told of: its row never came."""


class _Departure(msgspec.Struct, frozen=True, array_like=True):
    """How a record left: the last scope that held it, and a commit by which it had left that one."""

    scope: ScopeName
    seq: Seq


class MovedAway:
    """The records that have left and whose own ops can still be read."""

    def __init__(self, tables: Tables, own: OwnOps) -> None:
        """Bind it to the outbox."""
        self._tables = tables
        self._own = own
        self._stood: Mapping[ScopeName, Seq] = {}
        """Where each resumed scope stood at the last WELCOME; nothing before the first one."""
        self._as_of = Seq(0)
        """A commit that had been told of in every scope at that moment."""

    def note(self, record: RecordId, scope: ScopeName = _NOWHERE, seq: Seq = Seq(0)) -> None:
        """A scope does not hold a record any more, or none will bring its row. With a row, or noted already: nothing.

        Args:
            record: which.
            scope: the last one that held it.
            seq: a commit by which it had left that one.
        """
        if self._tables.row_version(record) is None and self._readable(record):
            noted = self._noted()
            if record not in noted:
                self._keep({**noted, record: _Departure(scope, seq)})

    def welcomed(self, plans: Iterable[Plan], *, set_back: bool) -> None:
        """A session begins: take in where each scope stands.

        Args:
            plans: as the server told them.
            set_back: whether its commits have begun to count anew. Then the seqs that are noted mean nothing, and
                what left comes back, if it does, with the scopes' snapshots.
        """
        held = [plan for plan in plans if plan.action != "drop"]
        self._stood = {plan.scope: plan.seq for plan in held if plan.action == "resume"}
        self._as_of = max((plan.seq for plan in held), default=Seq(0))
        if set_back:
            self._keep({record: _Departure(one.scope, Seq(0)) for record, one in self._noted().items()})

    def seal_up(self, outcome: Outcome) -> None:
        """Seal what is not coming back. The last step of every transaction that may have brought it, or word of it."""
        noted = self._noted()
        if not noted or self._own.seal is None:
            return
        positions = self._tables.positions()
        left = {record: one for record, one in noted.items() if self._stays(record, one, positions, outcome)}
        if left.keys() != noted.keys():
            self._keep(left)

    def _stays(
        self,
        record: RecordId,
        departure: _Departure,
        positions: Mapping[ScopeName, StoredPosition],
        outcome: Outcome,
    ) -> bool:
        """Whether a record is to be looked at again; if it is not, its ops are sealed, or it has come back."""
        if self._tables.row_version(record) is not None:
            return False
        if self._tables.pending_ops(record):
            return True
        if any(self._may_bring(scope, held, departure) for scope, held in positions.items()):
            return True
        self._own.seal_up(record, outcome)
        return False

    def _may_bring(self, scope: ScopeName, held: StoredPosition, departure: _Departure) -> bool:
        """Whether a held scope is one into which the record may have gone by leaving the other one."""
        if scope == departure.scope or _sort(scope) != _sort(departure.scope):
            return False
        return held.after is not None or self._come_to(scope, held.seq) < departure.seq

    def _come_to(self, scope: ScopeName, seq: Seq) -> Seq:
        """The last commit that the replica knows to be in what it holds of a scope, if it changed that at all."""
        stood = self._stood.get(scope)
        # As far as it stood at WELCOME, a scope holds all that had happened anywhere by then.
        return seq if stood is None or seq < stood else max(seq, self._as_of)

    def _readable(self, record: RecordId) -> bool:
        return any(op.body and op.state not in SHUT for op in self._tables.ops_of(record))

    def _noted(self) -> dict[RecordId, _Departure]:
        raw = self._tables.meta(_MOVED)
        return {} if raw is None else msgspec.msgpack.decode(raw, type=dict[RecordId, _Departure])

    def _keep(self, noted: Mapping[RecordId, _Departure]) -> None:
        self._tables.set_meta(_MOVED, msgspec.msgpack.encode(noted))


def _sort(scope: ScopeName) -> tuple[str, ...]:
    """What a move leaves as it is of a scope's name: of `suite:perry-barr:medical` it is `suite`, `medical`.

    Briefings and decisions go from one audience to any other, from an area to the whole force: there it is the suffix.
    A briefing on which officer safety hangs, or no longer does, goes from one lane's scope to the other's.
    """
    if audience(scope) != scope:
        last = scope.rpartition(":")[2]
        return (BRIEFING if last == SAFETY else last,)
    family, *rest = scope.split(":")
    return (family, *rest[1:])
