"""Planted bugs: each one breaks a promise, and `test_mutants` shows that the oracles notice.

A mutant is a context manager that replaces one function of the core (or, where the shell is to blame, of the simulated
shell) while it lasts. docs/testing.md tells which promise each is about.
"""

# ruff: noqa: ANN401, ARG005, PT008
# A mutant takes what the function takes whose place it has, and drops what it should have looked at.

import contextlib
from collections.abc import Callable
from typing import Any
from unittest import mock

import msgspec

from schemas import wire
from schemas.codec import decode_row, reread_op
from schemas.ids import FieldName, OpNumber, RecordId, ScopeName, Seq
from schemas.ops import Hlc
from server import commits, consequences, logbook, settle
from server.held_rows import Changed
from server.logbook import Extras, NewEntry, OpKey
from sync import merge, policies
from sync.outbox import OpState
from sync.policies import Cell, Change, Said
from sync.policies.claim import Claim
from sync.policies.tags import Tags
from sync.replica import Outcome, Replica, core, rebuilding
from sync.replica.chain import OwnChain
from sync.replica.ownops import OwnOps
from sync.replica.results import ResultTaker
from sync.replica.tables import PlacedRow
from sync.session.feeds import Feeds
from sync.session.steps import Commit, WantChanges
from tests.sim import server as sim_server
from tests.sim.device import SimDevice
from tests.sim.server import SimServer
from tests.sim.store import decide

Planted = contextlib.AbstractContextManager[object]


# --- promise 1 -------------------------------------------------------------------------------------------------------


def durable_before_the_commit() -> Planted:
    """The server tells its results, and then writes."""

    def commit(self: SimServer, most: int) -> bool:
        group = [self.arrivals.popleft() for _ in range(min(most, len(self.arrivals)))]
        if not group:
            return False
        submissions = [submission for _, _, submission in group]
        settled = decide(self.store, commits.flatten(submissions), self._now(), commits.extras(submissions))
        at = 0
        for conn, demand, submission in group:
            if isinstance(demand, Commit):
                conn.session.committed(settled.results[at : at + len(submission.ops)], demand.size)
            at += len(submission.ops)
            while self.pump(conn):
                pass
        self._fuse.point(sim_server.NODE, "before commit")
        self._write(settled, group)
        self.unpublished.append(([], [settled]))
        return True

    return mock.patch.object(SimServer, "commit", commit)


def nothing_offered_again() -> Planted:
    """A device takes a restored server's word that it still has what it once called durable."""
    return mock.patch.object(OwnOps, "offer_all_again", lambda self, holds_upto: None)


def number_given_twice() -> Planted:
    """A device forgets to count: the next op gets the last one's number."""

    def write(self: Replica, *args: Any, **kwargs: Any) -> Any:
        before = self._tables.meta("next_op")
        op = _write(self, *args, **kwargs)
        if op.n % 3 == 0 and before is not None:
            self._tables.set_meta("next_op", before)
        return op

    _write = Replica.write
    return mock.patch.object(Replica, "write", write)


def refusals_forgotten() -> Planted:
    """An op that the server refused is called settled, and nobody hears of it."""

    def take(self: ResultTaker, kept: Any, result: wire.Result, outcome: Outcome) -> None:
        if result.status == "refused":
            result = msgspec.structs.replace(result, status="durable", code="", detail="")
        _take(self, kept, result, outcome)

    _take = ResultTaker.take
    return mock.patch.object(ResultTaker, "take", take)


# --- promise 2 -------------------------------------------------------------------------------------------------------


def applied_as_often_as_pushed() -> Planted:
    """The server does not look whether it knows the op."""

    def init(self: Any, loaded: commits.Loaded, seq: Seq, now: Any, beside: Any) -> None:
        mine = {key: known for key, known in loaded.ops.items() if key not in fresh}
        _init(self, msgspec.structs.replace(loaded, ops=mine), seq, now, beside)

    def needs(ops: Any, beside: Any) -> commits.Needs:
        fresh.clear()
        fresh.update((submission.device, reread_op(raw).n) for submission, raw in ops)
        return _needs(ops, beside)

    fresh: set[OpKey] = set()
    _needs = commits.needs
    _init = settle._Commit.__init__
    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch.object(settle._Commit, "__init__", init))
    stack.enter_context(mock.patch.object(commits, "needs", needs))
    # Nor at what was signed for: behind the chain's head it would not take an op that it does not know.
    stack.enter_context(mock.patch.object(settle._Commit, "_is_another", lambda self, key, sha256, *, signed: False))
    return stack


def batches_applied_in_pieces() -> Planted:
    """A device's transaction that is interrupted leaves what it had written."""

    def transact(self: SimDevice, body: Callable[[], Any]) -> Any:
        self._fuse.point(self.id, "before transaction")
        return body()

    return mock.patch.object(SimDevice, "_transact", transact)


# --- promise 3 -------------------------------------------------------------------------------------------------------


def last_to_arrive_wins() -> Planted:
    """`latest` goes by the order of arrival instead of the clock."""

    def merge(self: object, field: Any, cell: Cell | None, change: Change) -> Cell:
        return Cell(said=Said(change.value, change.stamp))

    return mock.patch.object(type(policies.ENGINE["latest"]), "merge", merge)


def once_overwritten() -> Planted:
    """`once` lets a later value stand, and forgets the first."""

    def merge(self: object, field: Any, cell: Cell | None, change: Change) -> Cell:
        return Cell(said=Said(change.value, change.stamp))

    return mock.patch.object(type(policies.ENGINE["once"]), "merge", merge)


def differing_dropped() -> Planted:
    """`once` keeps the first value and drops what was said differently."""

    def merge(self: object, field: Any, cell: Cell | None, change: Change) -> Cell:
        return cell if cell is not None and cell.said is not None else Cell(said=Said(change.value, change.stamp))

    return mock.patch.object(type(policies.ENGINE["once"]), "merge", merge)


def displaced_claim_dropped() -> Planted:
    """`claim` keeps who was first and forgets who else asked."""

    def merge(self: Any, field: Any, cell: Cell | None, change: Change) -> Cell:
        return msgspec.structs.replace(_merge(self, field, cell, change), beside=())

    _merge = Claim.merge
    return mock.patch.object(Claim, "merge", merge)


def lowered_blindly() -> Planted:
    """`highest` lets a lowering replace what its author had not seen."""

    def merge(self: object, field: Any, cell: Cell | None, change: Change) -> Cell:
        return Cell(said=Said(change.value, change.stamp))

    return mock.patch.object(type(policies.ENGINE["highest"]), "merge", merge)


def warning_removed_unseen() -> Planted:
    """`tags` removes a tag whoever added it."""

    def merge(self: Any, field: Any, cell: Cell | None, change: Change) -> Cell:
        seen = frozenset() if cell is None else frozenset(stamp.op for stamp in cell.stamps())
        return _merge(self, field, cell, msgspec.structs.replace(change, saw=seen))

    _merge = Tags.merge
    return mock.patch.object(Tags, "merge", merge)


def arrest_overlooked() -> Planted:
    """A closing that had not seen an arrest stands."""
    return mock.patch.object(merge, "contest", lambda field, cell, pairs: cell)


def question_not_asked() -> Planted:
    """What a policy leaves open is kept, and no inbox item is made."""
    return mock.patch.object(consequences.Plan, "_ask", lambda self, before, after, stamp: {})


def decided_over_the_unseen() -> Planted:
    """A decision replaces whatever stands, also what was said after its author had looked."""

    def decide(state: Any, name: FieldName, change: Change, seq: Seq) -> Any:
        all_of_it = frozenset(stamp.op for stamp in state.cells[name].stamps())
        return _decide(state, name, msgspec.structs.replace(change, saw=all_of_it), seq)

    _decide = merge.decide
    return mock.patch.object(merge, "decide", decide)


def late_answer_ends_the_question() -> Planted:
    """A decision that came too late to take effect closes the item, and what is open is not asked anew."""

    def decide(state: Any, name: FieldName, change: Change, seq: Seq) -> Any:
        field, before = state.spec.fields[name], state.cells.get(name)
        cells = {**state.cells, name: policies.policy_of(field).merge(field, before, change)}
        return msgspec.structs.replace(state, cells=cells, version=max(state.version, seq))

    return mock.patch.object(merge, "decide", decide)


def unknown_sight_accepted() -> Planted:
    """The server takes in an op whose author saw what the server does not hold."""
    return mock.patch.object(settle._Commit, "_not_here", lambda self, op, before: None)


def told_time_overtakes() -> Planted:
    """A better time that a device tells for one op puts it behind that device's own later ones."""

    def reading(state: Any, op: Any, told: Any = None) -> Hlc:
        return Hlc(*op.hlc) if told is None else Hlc(told, 0)

    return mock.patch.object(merge, "reading", reading)


# --- promise 4 (and 7) -----------------------------------------------------------------------------------------------


def gone_ignored() -> Planted:
    """A device keeps what has left a scope."""

    def batch(self: Replica, message: wire.Batch) -> Outcome:
        return _batch(self, msgspec.structs.replace(message, gone=()))

    _batch = Replica.batch
    return mock.patch.object(Replica, "batch", batch)


def absent_from_a_page_kept() -> Planted:
    """A snapshot adds and replaces, and takes nothing away."""

    def page(self: Replica, message: wire.Snapshot) -> Outcome:
        with mock.patch.object(self._tables, "members", lambda scope, after, upto: []):
            return _page(self, message)

    _page = Replica.page
    return mock.patch.object(Replica, "page", page)


def ghosts_stay() -> Planted:
    """An op waits for ever for the row of a record that has left the device."""

    def waits(self: OwnOps, record: RecordId, seq: Seq, scopes: Any) -> bool:
        return self._tables.row_version(record) is None or _waits(self, record, seq, scopes)

    _waits = OwnOps.awaits_row
    return mock.patch.object(OwnOps, "awaits_row", waits)


def settled_by_the_result() -> Planted:
    """An op is taken off the row as soon as it is durable, before the row that holds it is there."""
    return mock.patch.object(OwnOps, "awaits_row", lambda self, record, seq, scopes: False)


def superseded_value_comes_back() -> Planted:
    """A device lays its op over a row that holds it already, and all that has come after it."""
    return mock.patch.object(merge.RecordState, "holds", lambda self, op: False)


def older_row_wins() -> Planted:
    """A row replaces a newer one that another scope has brought."""

    def batch(self: Replica, message: wire.Batch) -> Outcome:
        outcome = _batch(self, message)
        rows = core._by_record(message.rows)
        self._tables.put_rows([row for record, row in rows.items() if record in outcome.touched])
        return outcome

    _batch = Replica.batch
    return mock.patch.object(Replica, "batch", batch)


def row_outlives_its_scopes() -> Planted:
    """A record stays on the device when the last scope that held it has let it go (promise 7 too)."""
    return mock.patch.object(Replica, "_left", lambda self, record, outcome: outcome.touched.add(record))


def scopes_told_too_early() -> Planted:
    """A result names a scope that the record only passed through within the commit."""

    def decide(self: Any, op: Any, submission: commits.Submission) -> Any:
        result, acts = _decide(self, op, submission)
        if result.status == "durable":
            result = msgspec.structs.replace(result, scopes=tuple(sorted(self._states[op.record].scopes())))
        return result, acts

    _decide = settle._Commit._decide
    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch.object(settle._Commit, "_decide", decide))
    stack.enter_context(mock.patch.object(settle, "_told", lambda result, scopes: result))
    return stack


def recent_frames_always() -> Planted:
    """The batch behind a snapshot is the frame of a recent commit, older than the pages."""

    def want_of(self: Feeds, scope: ScopeName, feed: Any) -> Any:
        want = _want_of(self, scope, feed)
        return msgspec.structs.replace(want, log=False) if isinstance(want, WantChanges) else want

    _want_of = Feeds._want_of
    return mock.patch.object(Feeds, "_want_of", want_of)


def told_by_difference_to_all() -> Planted:
    """A record that comes into a scope is told by what changed in it, to devices that never held it."""

    def base(self: Changed, record: RecordId, stood: Seq) -> bytes | None:
        return self._before.get(record, (stood, None))[1]

    return mock.patch.object(Changed, "_base", base)


def rebuilt_on_any_base() -> Planted:
    """A device takes the row before for the one that the difference leads to."""

    def rebuilt(record: RecordId, version: Seq, base: bytes, one: wire.Difference) -> PlacedRow:
        del one
        return PlacedRow(record, decode_row(base).kind, version, base)

    return mock.patch.object(rebuilding, "_rebuilt", rebuilt)


# --- promise 7 -------------------------------------------------------------------------------------------------------


def left_in_clear() -> Planted:
    """What an officer wrote on a record that a grant takes away stays as it is."""
    return mock.patch.object(OwnOps, "seal_up", lambda self, record, outcome: None)


def sealed_in_name_only() -> Planted:
    """What is sealed can be read by whoever has it."""
    return mock.patch("tests.sim.device.seal", lambda body: body)


def quarantine_taken_for_granted() -> Planted:
    """A device counts a sealed op as kept before the server has it."""

    def seal_up(self: OwnOps, record: RecordId, outcome: Outcome) -> None:
        _seal_up(self, record, outcome)
        self.kept_sealed(op.n for op in self._tables.ops_in([OpState.SEALED], OpNumber(0), 100))

    _seal_up = OwnOps.seal_up
    return mock.patch.object(OwnOps, "seal_up", seal_up)


# --- promise 8 -------------------------------------------------------------------------------------------------------


def hashes_shredded() -> Planted:
    """With its content, the hash of a sealed op goes."""
    return mock.patch.object(OwnChain, "shred", lambda self, n, body: None)


def heads_not_kept() -> Planted:
    """The server brings a chain on, and keeps nothing of what was signed."""

    def new_entries(extras: Extras, *rest: Any) -> tuple[NewEntry, ...]:
        return _new_entries(msgspec.structs.replace(extras, heads=()), *rest)

    _new_entries = logbook.new_entries
    return mock.patch.object(logbook, "new_entries", new_entries)
