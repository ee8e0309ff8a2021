"""Wrong policies: each is one function done as one might do it in a hurry, and `test_mutants` shows that it is noticed.

A mutant is a context manager that replaces that function while it lasts. `OF` says which policy each is about;
docs/testing.md tells what each does and which hunt notices.
"""

# ruff: noqa: ANN401, ARG005, PT008
# A mutant takes what the function takes whose place it has, and drops what it should have looked at.

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final
from unittest import mock

import msgspec

from schemas.ids import OpId
from schemas.kinds import FieldSpec
from schemas.ops import Hlc, Stamp
from sync import clock, history, inbox, merge
from sync.policies import ENGINE, Cell, Change, Entry, Said, base, claim, state
from sync.policies.highest import rank

Planted = contextlib.AbstractContextManager[object]
Merge = Callable[[Any, FieldSpec, Cell | None, Change], Cell]


def _merge(policy: str, wrong: Merge) -> Planted:
    return mock.patch.object(type(ENGINE[policy]), "merge", wrong)


def _real(policy: str) -> Merge:
    found: Merge = type(ENGINE[policy]).merge
    return found


def _said(change: Change) -> Said:
    return Said(change.value, change.stamp)


def _whatever_comes(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
    """The last to arrive stands alone."""
    return Cell(said=_said(change))


def _whatever_is_there(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
    """The first to arrive stands, the others are dropped."""
    return Cell(said=_said(change)) if cell is None or cell.said is None else cell


class _Everything(frozenset[OpId]):
    """Every op that there is."""

    def __contains__(self, op: object) -> bool:
        """Whatever it is."""
        return True


def _sees_all(change: Change) -> Change:
    """The change as if its author had seen whatever there is."""
    return msgspec.structs.replace(change, saw=_Everything())


# --- latest ----------------------------------------------------------------------------------------------------------


def latest_by_arrival() -> Planted:
    """The last to arrive stands, whatever its time."""
    return _merge("latest", _whatever_comes)


def latest_never_changed() -> Planted:
    """What stands first stays."""
    return _merge("latest", _whatever_is_there)


def latest_ties_by_arrival() -> Planted:
    """Of two changes of one time the first to arrive stands, instead of the one that its op's name says."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        mine = _said(change)
        if cell is None or cell.said is None:
            return Cell(said=mine)
        there = cell.said.stamp
        return cell if (there.ms, there.tick) >= (mine.stamp.ms, mine.stamp.tick) else Cell(said=mine)

    return _merge("latest", wrong)


def latest_by_the_wall_clock() -> Planted:
    """An op bears its device's clock, also when that is behind what its author saw."""
    return mock.patch.object(clock, "next_hlc", lambda now, seen: Hlc(now, 0))


# --- once ------------------------------------------------------------------------------------------------------------


def once_overwritten() -> Planted:
    """A later value replaces the first and forgets it."""
    return _merge("once", _whatever_comes)


def once_differing_dropped() -> Planted:
    """What was said differently is not kept."""
    return _merge("once", _whatever_is_there)


def once_by_clock() -> Planted:
    """The earlier clock stands instead of the first commit."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        after = real(self, field, cell, change)
        if change.decides or len(after.standing()) == 1:
            return after
        first, *others = sorted(after.standing(), key=lambda one: one.stamp.order)
        return msgspec.structs.replace(after, said=first, beside=tuple(others))

    real = _real("once")
    return _merge("once", wrong)


def once_corrected_blindly() -> Planted:
    """A correction or decision replaces also what its author had not seen."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        return real(self, field, cell, _sees_all(change) if change.decides else change)

    real = _real("once")
    return _merge("once", wrong)


def once_decided_nothing_is_nothing() -> Planted:
    """Where a person decided that there is no value, the next one is taken without a question."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        if cell is not None and cell.said is not None and cell.said.value is None and change.value is not None:
            return msgspec.structs.replace(cell, said=_said(change))
        return real(self, field, cell, change)

    real = _real("once")
    return _merge("once", wrong)


# --- highest ---------------------------------------------------------------------------------------------------------


def highest_lowered_blindly() -> Planted:
    """A lowering counts, whatever its author saw."""
    return _merge("highest", _whatever_comes)


def highest_never_lowered() -> Planted:
    """A lowering never counts, though its author saw the value."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        if cell is not None and cell.said is not None and rank(field, cell.said.value) > rank(field, change.value):
            return cell
        return Cell(said=_said(change))

    return _merge("highest", wrong)


def highest_loser_dropped() -> Planted:
    """Only the highest is kept: when it is lowered, what was said beside it is gone."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        return Cell(said=real(self, field, cell, change).said)

    real = _real("highest")
    return _merge("highest", wrong)


def highest_by_clock() -> Planted:
    """The later clock is shown."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        return _first_by_clock(real(self, field, cell, change))

    real = _real("highest")
    return _merge("highest", wrong)


def _first_by_clock(cell: Cell) -> Cell:
    *others, first = sorted(cell.standing(), key=lambda one: one.stamp.order)
    return msgspec.structs.replace(cell, said=first, beside=tuple(others))


# --- grow ------------------------------------------------------------------------------------------------------------


def grow_replaced() -> Planted:
    """The last list replaces the one before."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        return Cell(entries=tuple(Entry(one, change.stamp, k) for k, one in enumerate(change.value)))

    return _merge("grow", wrong)


def grow_in_order_of_arrival() -> Planted:
    """What comes late stands last, whenever it happened."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        there = () if cell is None else cell.entries
        names = {entry.name for entry in there}
        fresh = [Entry(one, change.stamp, k) for k, one in enumerate(change.value)]
        return Cell(entries=(*there, *(entry for entry in fresh if entry.name not in names)))

    return _merge("grow", wrong)


def grow_same_words_once() -> Planted:
    """Two officers who write the same are taken for one."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        there = [] if cell is None else [entry.value for entry in cell.entries]
        fresh = [one for one in change.value if one not in there]
        return real(self, field, cell, msgspec.structs.replace(change, value=fresh))

    real = _real("grow")
    return _merge("grow", wrong)


def grow_kept_twice() -> Planted:
    """An entry that comes again is appended again."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        there = () if cell is None else cell.entries
        fresh = [Entry(one, change.stamp, k) for k, one in enumerate(change.value)]
        return Cell(entries=tuple(sorted((*there, *fresh), key=lambda entry: entry.order)))

    return _merge("grow", wrong)


# --- tags ------------------------------------------------------------------------------------------------------------


def tags_removed_by_value() -> Planted:
    """A removal takes addings too that its author had not seen."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        return real(self, field, cell, _sees_all(change))

    real = _real("tags")
    return _merge("tags", wrong)


def tags_removal_forgotten() -> Planted:
    """What was removed stays."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        return real(self, field, cell, msgspec.structs.replace(change, value={"add": change.value.get("add", [])}))

    real = _real("tags")
    return _merge("tags", wrong)


def tags_added_once() -> Planted:
    """A tag that is there is not added again: the removal of the first adding takes the second one's warning too."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        there = [] if cell is None else [entry.value for entry in cell.entries]
        fresh = [tag for tag in change.value.get("add", ()) if tag not in there]
        return real(self, field, cell, msgspec.structs.replace(change, value={**change.value, "add": fresh}))

    real = _real("tags")
    return _merge("tags", wrong)


def tags_removed_with_their_op() -> Planted:
    """Who removes one tag removes all that were given with it."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        after = real(self, field, cell, change)
        there = () if cell is None else cell.entries
        hit = {entry.stamp.op for entry in there if entry not in after.entries} - {change.stamp.op}
        return Cell(entries=tuple(entry for entry in after.entries if entry.stamp.op not in hit))

    real = _real("tags")
    return _merge("tags", wrong)


# --- state -----------------------------------------------------------------------------------------------------------


def state_by_arrival() -> Planted:
    """The last to arrive stands alone."""
    return _merge("state", _whatever_comes)


def state_by_clock() -> Planted:
    """The later clock stands instead of the declared precedence."""

    def wrong(flow: Any, standing: Sequence[Said], against: Any) -> Said:
        return max(standing, key=lambda one: one.stamp.order)

    return mock.patch.object(state, "_pick", wrong)


def state_any_transition() -> Planted:
    """What is not declared is taken."""
    return mock.patch.object(state.State, "refusal", base.OneValue.refusal)


def state_judged_by_what_is_left() -> Planted:
    """Whether a step is allowed is asked of what happens to stand when it arrives."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Any:
        return real(self, field, cell, _sees_all(change))

    real = state.State.refusal
    return mock.patch.object(state.State, "refusal", wrong)


def state_unseen_arrest_ignored() -> Planted:
    """A closing counts, whatever its author had not seen."""
    return mock.patch.object(merge, "_contest_endings", lambda spec, cells, op: None)


def state_arrest_contests_when_it_is_second() -> Planted:
    """Only an arrest that arrives after the closing is noticed."""

    def wrong(spec: Any, cells: Any, op: Any) -> None:
        if not any(field.flow is not None and name in op.changes for name, field in spec.fields.items()):
            real(spec, cells, op)

    real = merge._contest_endings
    return mock.patch.object(merge, "_contest_endings", wrong)


def state_release_asks_nobody() -> Planted:
    """What is declared to be asked is settled by precedence alone."""
    return mock.patch.object(state.State, "unsettled", base.OneValue.unsettled)


# --- judged ----------------------------------------------------------------------------------------------------------


def judged_latest_shown() -> Planted:
    """The later value is shown instead of the safe one."""
    return mock.patch.object(type(ENGINE["judged"]), "value", base.OneValue.value)


def judged_loser_dropped() -> Planted:
    """Only one of the values is kept."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        return Cell(said=real(self, field, cell, change).said)

    real = _real("judged")
    return _merge("judged", wrong)


def judged_asks_nobody() -> Planted:
    """People differ, and no question is put."""
    return mock.patch.object(type(ENGINE["judged"]), "unsettled", base.OneValue.unsettled)


def judged_decided_blindly() -> Planted:
    """A decision takes away also what its author had not seen."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        return real(self, field, cell, _sees_all(change) if change.decides else change)

    real = _real("judged")
    return _merge("judged", wrong)


# --- claim -----------------------------------------------------------------------------------------------------------


def claim_taken_by_the_last() -> Planted:
    """Who comes last moves the holder out."""
    return _merge("claim", _whatever_comes)


def claim_displaced_dropped() -> Planted:
    """Who came second is not told."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        return msgspec.structs.replace(real(self, field, cell, change), beside=())

    real = _real("claim")
    return _merge("claim", wrong)


def claim_by_clock() -> Planted:
    """The earlier clock holds instead of the first commit."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        after = real(self, field, cell, change)
        if change.decides or not after.beside or after.said is None or after.said.value is None:
            return after
        first, *others = sorted(after.standing(), key=lambda one: one.stamp.order)
        return msgspec.structs.replace(after, said=first, beside=tuple(others))

    real = _real("claim")
    return _merge("claim", wrong)


def claim_never_ends() -> Planted:
    """A reservation blocks also after its time."""
    return mock.patch.object(claim, "is_free", lambda said, at: said is None or said.value is None)


def claim_released_blindly() -> Planted:
    """A release gives up also a hold that its author had not seen."""

    def wrong(self: Any, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        return real(self, field, cell, _sees_all(change) if change.value is None else change)

    real = _real("claim")
    return _merge("claim", wrong)


def claim_swallowed_by_a_reservation() -> Planted:
    """A lasting claim is taken for a confirmation of a reservation for the same holder."""
    return mock.patch.object(claim, "_covers", lambda hold, wanted: claim._holder(hold) == claim._holder(wanted))


# --- the inbox and the history ---------------------------------------------------------------------------------------


def inbox_decision_sees_all() -> Planted:
    """A decision counts against everything that stands when it arrives."""

    def wrong(before: Any, after: Any, op: Any, stamp: Stamp) -> Any:
        found = real(before, after, op, stamp)
        return found and msgspec.structs.replace(found, change=_sees_all(found.change))

    real = inbox.consequence
    return mock.patch.object(inbox, "consequence", wrong)


def inbox_decider_knows_all_work() -> Planted:
    """A decision to close ends also the work that was recorded after the item that its author looked at."""

    def wrong(before: Any, after: Any, op: Any, stamp: Stamp) -> Any:
        found = real(before, after, op, stamp)
        return found and msgspec.structs.replace(found, change=msgspec.structs.replace(found.change, base=stamp.seq))

    real = inbox.consequence
    return mock.patch.object(inbox, "consequence", wrong)


def inbox_never_ends() -> Planted:
    """A question that has settled itself stays open."""

    def wrong(field: FieldSpec, subject: Any, item: Any, stamp: Stamp, author: Any) -> Any:
        open_now = ENGINE[field.policy.name].unsettled(field, subject.cells[field.name])
        return real(field, subject, item, stamp, author) if open_now else None

    real = inbox.follow
    return mock.patch.object(inbox, "follow", wrong)


def inbox_late_candidate_dropped() -> Planted:
    """Who differs after the question was put is not added to it."""

    def wrong(field: FieldSpec, subject: Any, item: Any, stamp: Stamp, author: Any) -> Any:
        brought = real(field, subject, item, stamp, author)
        if item is None or brought is None:
            return brought
        kept = {**brought.cells, inbox.CANDIDATES: item.cells[inbox.CANDIDATES]}
        return msgspec.structs.replace(brought, cells=kept)

    real = inbox.follow
    return mock.patch.object(inbox, "follow", wrong)


def history_without_links() -> Planted:
    """What an op superseded is not noted."""

    def wrong(*args: Any) -> Any:
        return msgspec.structs.replace(real(*args), over=())

    real = history.act
    return mock.patch.object(history, "act", wrong)


OF: Final[dict[str, tuple[Callable[[], Planted], ...]]] = {
    "latest": (latest_by_arrival, latest_never_changed, latest_ties_by_arrival, latest_by_the_wall_clock),
    "once": (
        once_overwritten,
        once_differing_dropped,
        once_by_clock,
        once_corrected_blindly,
        once_decided_nothing_is_nothing,
    ),
    "highest": (highest_lowered_blindly, highest_never_lowered, highest_loser_dropped, highest_by_clock),
    "grow": (grow_replaced, grow_in_order_of_arrival, grow_same_words_once, grow_kept_twice),
    "tags": (tags_removed_by_value, tags_removal_forgotten, tags_added_once, tags_removed_with_their_op),
    "state": (
        state_by_arrival,
        state_by_clock,
        state_any_transition,
        state_judged_by_what_is_left,
        state_unseen_arrest_ignored,
        state_arrest_contests_when_it_is_second,
        state_release_asks_nobody,
    ),
    "judged": (judged_latest_shown, judged_loser_dropped, judged_asks_nobody, judged_decided_blindly),
    "claim": (
        claim_taken_by_the_last,
        claim_displaced_dropped,
        claim_by_clock,
        claim_never_ends,
        claim_released_blindly,
        claim_swallowed_by_a_reservation,
    ),
    "inbox": (inbox_decision_sees_all, inbox_decider_knows_all_work, inbox_never_ends, inbox_late_candidate_dropped),
    "history": (history_without_links,),
}
"""Policy, or the part beside the policies -> its mutants."""
