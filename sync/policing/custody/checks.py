"""Checks on a detainee: which count, which contradict the rest of the record, and how late they were entered.

What inspectors found wrong, and what this makes impossible or visible (IOPC 2020 and 2021; DOMAIN, Custody): one
observation pasted across many records, a detainee in hospital shown as visited in the cell, and only the computer's
entry time kept while the check itself was late. A check that arrives by a merge is never refused: it is kept, shown
with what is wrong with it, and does not count.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.ids import FieldName, Millis, OfficerId, OpId, RecordId
from schemas.kinds import CustodyBooking
from schemas.kinds.admission import Need
from schemas.kinds.booking import ObservationLevel
from schemas.kinds.care import Check, Place, Response
from schemas.kinds.timed import standing
from schemas.ops import Stamp
from schemas.settings import Settings
from schemas.settings.care import CareSettings
from schemas.tokens import Token
from sync.merge import RecordState
from sync.policies import Cell
from sync.policies.base import Entry
from sync.policing.custody.record import ELSEWHERE, Stay, Where, here_since, stays, where_at

CHECKS: Final = FieldName("checks")
STATUS: Final = FieldName("status")
AWAKE: Final = (Response.AWAKE, Response.ROUSED)
"""What shows that the person can be roused (Code C annex H)."""
_INSIDE: Final = (Place.CELL, Place.SUITE)


class Flag(Token):
    """What is wrong with a check."""

    ELSEWHERE = "elsewhere"
    """It says that the person was seen in the suite, and they were not there; or the other way round."""
    BULK = "bulk"
    """It came with others in one change: each is made and entered by itself."""
    COPIED = "copied"
    """Its note is that of another detainee's check, by the same author, within minutes. It counts all the same."""
    TO_COME = "to-come"
    """It bears a time later than when it was recorded."""
    CORRECTED = "corrected"
    """Another entry corrects it or takes it back."""


VOID: Final = frozenset({Flag.ELSEWHERE, Flag.BULK, Flag.TO_COME, Flag.CORRECTED})
"""What keeps a check from counting."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One check with what the record knows of it. Both times are kept: when it was made, and when it was entered.

    Attributes:
        check: what the officer recorded.
        stamp: who, on which device, when it was recorded.
        flags: what is wrong with it.
        late_ms: how long after it was made it was entered (ms); 0 where that is within the force's setting.
    """

    check: Check
    stamp: Stamp
    flags: frozenset[Flag]
    late_ms: int

    @property
    def counts(self) -> bool:
        """Whether it is a check for the rules."""
        return self.flags.isdisjoint(VOID)


# --- from the values alone -------------------------------------------------------------------------------------------


def place_of(check: Check, settings: CareSettings) -> Place:
    """Where a check was made: as it says; of an older program's, by the words that the force uses."""
    if check.place is not None:
        return check.place
    words = check.where.casefold()
    if any(one in words for one in settings.hospital_words):
        return Place.HOSPITAL
    return Place.COURT if any(one in words for one in settings.court_words) else Place.CELL


def contradicts(check: Check, found: Sequence[Stay], settings: CareSettings) -> bool:
    """Whether a check says that the person was where they were not.

    Args:
        check: the check.
        found: where the person was (`record.stays`); with none known nothing is contradicted.
        settings: the force's.
    """
    if not found:
        return False
    was, said = where_at(found, check.checked_at), place_of(check, settings)
    return (was in ELSEWHERE) if said in _INSIDE else was is Where.SUITE


def counting(booking: CustodyBooking, settings: Settings, now: Millis) -> tuple[Check, ...]:
    """The checks that count, in order of when they were made. What their stamps tell beside: `account`, `credible`."""
    found = stays(booking, now)
    return tuple(
        one for one in standing(booking.checks) if one.checked_at <= now and not contradicts(one, found, settings.care)
    )


def every_ms(booking: CustodyBooking, settings: CareSettings) -> int:
    """The longest time between two checks at the person's observation level (ms). Level 1 while none is recorded."""
    return {
        ObservationLevel.L2: settings.l2_check_ms,
        ObservationLevel.L3: settings.l3_check_ms,
        ObservationLevel.L4: settings.l4_check_ms,
    }.get(booking.observation or ObservationLevel.L1, settings.l1_check_ms)


def next_check(booking: CustodyBooking, settings: Settings, now: Millis) -> Millis | None:
    """When the next check is due (ms since 1970); None while the person is not in the suite."""
    return _after(booking, settings, now, every_ms(booking, settings.care), tuple(Response))


def next_rousing(booking: CustodyBooking, settings: Settings, now: Millis) -> Millis | None:
    """When a person under drink or drugs must be roused next (Code C 9.3, annex H; ms since 1970); None if not so."""
    if Need.UNDER_DRINK_OR_DRUGS not in booking.needs:
        return None
    return _after(booking, settings, now, settings.care.rouse_every_ms, AWAKE)


def _after(
    booking: CustodyBooking, settings: Settings, now: Millis, every: int, responses: Sequence[Response]
) -> Millis | None:
    since = here_since(booking, now)
    if since is None:
        return None
    made = [one.checked_at for one in counting(booking, settings, now) if one.response in responses]
    return Millis(max([since, *made]) + every)


# --- with who entered them, and when ---------------------------------------------------------------------------------


def account(state: RecordState, settings: Settings, now: Millis, others: Iterable[RecordState] = ()) -> list[Seen]:
    """Every check of a booking, with what is wrong with it.

    Args:
        state: the booking.
        settings: the force's.
        now: the moment (ms since 1970).
        others: the other bookings in sight, for notes that were copied.

    Returns:
        In the record's order. What was corrected is among them.
    """
    booking = state.build()
    if not isinstance(booking, CustodyBooking):
        raise TypeError(f"record {state.id} is no custody booking")
    said = state.cells.get(STATUS, Cell()).said
    found = stays(booking, now, None if said is None else Millis(said.stamp.occurred_at))
    entries = state.cells.get(CHECKS, Cell()).entries
    checks = tuple(msgspec.convert(entry.value, Check) for entry in entries)
    held = standing(checks)
    copied = {(name, k) for name, k, _ in copies(state, others, settings.care)}
    return [
        _seen(entry, check, held, found, settings.care, among=entries, copied=(entry.stamp.op, entry.k) in copied)
        for entry, check in zip(entries, checks, strict=True)
    ]


def credible(state: RecordState, booking: CustodyBooking, settings: CareSettings) -> CustodyBooking:
    """A booking without the checks that only their stamps give away, for rules that look at its values alone.

    A check that came with others in one change, or before its time, must not keep the next one from falling due.

    Args:
        state: the booking's record, with who entered what.
        booking: what it says.
        settings: the force's.
    """
    entries = state.cells.get(CHECKS, Cell()).entries
    together = Counter(entry.stamp.op for entry in entries)
    kept = tuple(
        check
        for entry, check in zip(entries, booking.checks, strict=True)
        if together[entry.stamp.op] == 1 and not _to_come(entry, check, settings)
    )
    return booking if len(kept) == len(booking.checks) else msgspec.structs.replace(booking, checks=kept)


def _to_come(entry: Entry, check: Check, settings: CareSettings) -> bool:
    return check.checked_at > entry.stamp.ms + settings.early_entry_ms


def _seen(
    entry: Entry,
    check: Check,
    held: Sequence[Check],
    found: Sequence[Stay],
    settings: CareSettings,
    *,
    among: Sequence[Entry],
    copied: bool,
) -> Seen:
    stamp = entry.stamp
    late = stamp.ms - check.checked_at
    flags = {
        Flag.ELSEWHERE: contradicts(check, found, settings),
        Flag.BULK: sum(one.stamp.op == stamp.op for one in among) > 1,
        Flag.COPIED: copied,
        Flag.TO_COME: _to_come(entry, check, settings),
        Flag.CORRECTED: check not in held,
    }
    return Seen(
        check=check,
        stamp=stamp,
        flags=frozenset(flag for flag, is_so in flags.items() if is_so),
        late_ms=late if late > settings.late_entry_ms else 0,
    )


def copies(
    state: RecordState, others: Iterable[RecordState], settings: CareSettings
) -> list[tuple[OpId, int, RecordId]]:
    """The checks whose note their author also entered for somebody else within minutes (IOPC 2020, 2021).

    Returns:
        (op, k) of the check in `state`, and the other record.
    """
    mine = _noted(state, settings)
    if not mine:
        return []
    return [
        (entry.stamp.op, entry.k, other.id)
        for other in others
        if other.id != state.id
        for theirs, what in _noted(other, settings)
        for entry, said in mine
        if _alike(said, what, settings) and entry.stamp.author == theirs.stamp.author
    ]


def worth_comparing(check: Check, settings: CareSettings) -> bool:
    """Whether a check's note says enough to be compared with another's."""
    return len(_words(check)) >= settings.same_note_chars_min


def noted_before(other: RecordState, mine: Iterable[Check], author: OfficerId, settings: CareSettings) -> bool:
    """Whether an author has entered the note of one of these checks for somebody else, within minutes."""
    theirs = [check for entry, check in _noted(other, settings) if entry.stamp.author == author]
    return any(_alike(one, check, settings) for one in mine for check in theirs)


def _noted(state: RecordState, settings: CareSettings) -> list[tuple[Entry, Check]]:
    found = [(one, msgspec.convert(one.value, Check)) for one in state.cells.get(CHECKS, Cell()).entries]
    return [(one, check) for one, check in found if worth_comparing(check, settings)]


def _alike(one: Check, other: Check, settings: CareSettings) -> bool:
    return _words(one) == _words(other) and abs(one.checked_at - other.checked_at) <= settings.same_note_ms


def _words(check: Check) -> str:
    return " ".join((check.note or "").casefold().split())


def late_in_words(seen: Seen) -> str:
    """How late a check was entered, for whoever reads the record; "" where it was not."""
    if not seen.late_ms:
        return ""
    minutes = seen.late_ms // 60_000
    return f"entered {minutes // 60} h {minutes % 60:02} min after it was made"
