"""What was believed of a detention at a moment, from what had been recorded by then; and what has changed since.

A late entry or a correction moves the clocks as if it had always been there. Whoever acted before it acted on what was
on the screen then, and a court may ask what that was (PACE Code C 2; IOPC 2020, 2021). So the same function is asked
again with the entries of that moment: `occurred_at` decides what is true, `recorded_at` decides what was known.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from schemas.ids import FieldName, Millis
from schemas.kinds.detention import DetentionEvent
from schemas.ops import Stamp
from schemas.settings import CustodySettings
from sync.merge import RecordState
from sync.policies import Cell
from sync.policing.custody import words
from sync.policing.custody.clocks import Detention, detention
from sync.policing.custody.relevant import Facts

_ENTRIES: Final = FieldName("detention")
TIMES: Final = tuple(map(FieldName, Facts.__struct_fields__))


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An entry, or a time that the booking says once, with when it was recorded.

    Attributes:
        recorded_at: when the server made it durable; on its own device before that, when it was written (ms since
            1970).
        entry: the entry; or None.
        field: the field of the booking; "" for an entry.
        value: the field's value (ms since 1970).
    """

    recorded_at: Millis
    entry: DetentionEvent | None = None
    field: str = ""
    value: Millis | None = None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that two beliefs differ in.

    Attributes:
        what: which: `relevant time`, `counted`, `limit`, `next review`, `charged`, `released`, `whereabouts`, `to look
            at`.
        before, after: what each says, in words.
    """

    what: str
    before: str
    after: str


def recorded(state: RecordState) -> tuple[Recorded, ...]:
    """All that a record still holds of its detention, with when each was recorded.

    What a correction put in the place of a time is not in the record any more: take that from its history, and give it
    to `at` beside these.
    """
    entries = [
        Recorded(recorded_at=_when(one.stamp), entry=msgspec.convert(one.value, DetentionEvent))
        for one in state.cells.get(_ENTRIES, Cell()).entries
    ]
    times = [
        Recorded(recorded_at=_when(said.stamp), field=name, value=said.value)
        for name in TIMES
        if name in state.cells and (said := state.cells[name].said) is not None
    ]
    return (*entries, *times)


def at(known: Iterable[Recorded], moment: Millis, settings: CustodySettings) -> Detention | None:
    """The detention as it was believed at a moment; None before an arrest was recorded.

    Args:
        known: what was recorded, in any order.
        moment: the moment (ms since 1970): what was recorded after it is left out, and the clocks stand at it.
        settings: the force's.
    """
    then = sorted((one for one in known if one.recorded_at <= moment), key=_order)
    # Of one field the last that was recorded stood: a correction follows what it corrects.
    times = {one.field: one.value for one in then if one.field and one.value is not None}
    if "arrested_at" not in times:
        return None
    facts = msgspec.convert(times, Facts)
    return detention(facts, [one.entry for one in then if one.entry is not None], moment, settings)


def changes(before: Detention, after: Detention) -> tuple[Changed, ...]:
    """What two beliefs differ in, in the order in which a custody officer asks.

    Args:
        before, after: two beliefs; of one moment, to see what a correction did.
    """
    told: Mapping[str, Callable[[Detention], str]] = {
        "relevant time": _relevant,
        "counted": lambda one: words.duration(one.counted_ms),
        "limit": _limit,
        "next review": _review,
        "charged": lambda one: _moment(one, one.charged_at),
        "released": lambda one: _moment(one, one.released_at),
        "whereabouts": words.where,
        "to look at": lambda one: " ".join(each.words for each in one.contradictions) or "nothing",
    }
    pairs = [(what, tell(before), tell(after)) for what, tell in told.items()]
    return tuple(Changed(what=what, before=was, after=now) for what, was, now in pairs if was != now)


def _when(stamp: Stamp) -> Millis:
    return Millis(stamp.recorded_at or stamp.ms)


def _order(one: Recorded) -> tuple[int, str, int]:
    return (one.recorded_at, one.field, 0 if one.value is None else one.value)


def _moment(one: Detention, moment: Millis | None) -> str:
    return "no" if moment is None else words.at(moment, one.now)


def _relevant(one: Detention) -> str:
    return f"{words.at(one.relevant.at, one.now)} ({one.relevant.source})"


def _limit(one: Detention) -> str:
    binding = one.limits.binding
    if binding is None:
        return "none"
    reached = "while the clock stands still" if binding.at is None else words.at(binding.at, one.now)
    return f"{words.duration(binding.counted_ms)}, {reached}"


def _review(one: Detention) -> str:
    return "none" if one.reviews.next_due is None else words.at(one.reviews.next_due, one.now)
