"""Which entries of a detention hold: duplicates taken once, corrections and withdrawals followed, the order settled.

Entries come in any order and more than once, from devices that did not see each other. What holds depends on the set
of them alone. An entry that a later one corrects or withdraws stays in the record and is left out here; when the
correction itself is withdrawn, what it had replaced holds again (PACE Code C 2: nothing is overwritten).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.ids import Millis
from schemas.kinds.detention import DetentionEvent, Step, ref
from schemas.kinds.timed import gone

_PLACE: Final = {
    **{step: 2 * at for at, step in enumerate(Step)},
    # An arrest on bail comes late in a detention, but before the arrival to which it leads.
    Step.BAIL_ARREST: 2 * tuple(Step).index(Step.ARRIVAL) - 1,
}
"""Of steps at one moment, the one that comes first in a detention comes first."""


class Contradiction(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that cannot all be true, or lack what the law asks for. A person must look at them.

    Attributes:
        rule: its id, as in docs/policing.md.
        words: what is wrong and what was taken meanwhile, for the custody officer.
        refs: the names of the entries.
    """

    rule: str
    words: str
    refs: tuple[str, ...] = ()


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The entries that hold.

    Attributes:
        events: in order.
        contradictions: what is wrong with them as entries.
    """

    events: tuple[DetentionEvent, ...]
    contradictions: tuple[Contradiction, ...]

    def of(self, *steps: Step) -> list[DetentionEvent]:
        """Those of some steps, in order."""
        return [event for event in self.events if event.what in steps]


def order(event: DetentionEvent) -> tuple[int, int, str, bytes]:
    """Sorts entries: by when it happened, then by the course of a detention, then by what they say."""
    return (event.at, _PLACE.get(event.what, 2 * len(_PLACE)), ref(event), msgspec.msgpack.encode(event))


def held(entries: Iterable[DetentionEvent], now: Millis) -> Held:
    """The entries that hold at a moment.

    Args:
        entries: all of the booking's, in any order, each any number of times.
        now: the moment (ms since 1970); what is said to happen later has not happened.
    """
    distinct = sorted(set(entries), key=order)
    standing = _standing(distinct)
    events = tuple(one for one in standing if one.at <= now and one.what.known)
    found = [
        Contradiction(
            rule="custody-time-to-come",
            words=f"An entry ({one.what.value}) bears a time that is still to come. It counts from then.",
            refs=(ref(one),),
        )
        for one in standing
        if one.at > now
    ]
    found += [
        Contradiction(
            rule="custody-step-unknown",
            words=f"This program does not know the step {one.what.value!r}, which a newer one recorded. It counts for "
            "nothing here: update, or work the clocks out by hand.",
            refs=(ref(one),),
        )
        for one in standing
        if not one.what.known
    ]
    return Held(events=events, contradictions=tuple(found))


def _standing(entries: Sequence[DetentionEvent]) -> list[DetentionEvent]:
    """The entries that nothing in force corrects or withdraws."""
    out = gone((ref(one), one.corrects, one.what is Step.WITHDRAWN) for one in entries)
    return [one for one in entries if one.what is not Step.WITHDRAWN and ref(one) not in out]
