"""Which incidents are called back about: a draw that anybody with the seed repeats, and nobody without it foretells.

Each incident is drawn or not by its own id and the seed alone, so a report that comes in late changes nothing for the
others. The sample is a record in a compartment (`schemas.kinds.callback`).
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from schemas.ids import FieldName, RecordId
from schemas.kinds import CallBackSample, Incident
from schemas.kinds.callback import CallBack
from sync.policing.guards import Breach, Guard, Look

_THOUSAND: Final = 1_000
_BYTES: Final = 8
_SOURCE: Final = "HMIC 2014: audit of crime recording"


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What calling back has shown.

    Attributes:
        drawn: incidents drawn.
        called: of these, how many somebody was called about.
        reached: how many of those were reached.
        agreeing: how many of those said what was recorded.
    """

    drawn: int
    called: int
    reached: int
    agreeing: int


def is_drawn(record: RecordId, seed: str, per_thousand: int) -> bool:
    """Whether the seed draws that incident."""
    digest = hashlib.sha256(f"{len(seed)} {seed} {record}".encode()).digest()
    return int.from_bytes(digest[:_BYTES]) * _THOUSAND < per_thousand << (8 * _BYTES)


def drawn(sample: CallBackSample, held: Mapping[RecordId, Incident]) -> tuple[RecordId, ...]:
    """The incidents of the sample, by id: of its area, reported in its time. What is in a compartment is left out.

    Whoever called about a closed matter is not called back by people who are not cleared for it.
    """
    return tuple(
        record
        for record, incident in sorted(held.items())
        if sample.from_at <= incident.opened_at < sample.until_at
        and sample.area in {None, incident.area}
        and incident.compartment is None
        and is_drawn(record, sample.seed, sample.per_thousand)
    )


def agreement(sample: CallBackSample, held: Mapping[RecordId, Incident]) -> Agreement:
    """What calling back has shown so far; of several calls about one incident the last that reached somebody counts."""
    chosen = frozenset(drawn(sample, held))
    calls = [one for one in sample.calls if one.incident in chosen]
    answers = {one.incident: one.agrees for one in calls if one.reached}
    return Agreement(
        drawn=len(chosen),
        called=len({one.incident for one in calls}),
        reached=len(answers),
        agreeing=sum(agrees is True for agrees in answers.values()),
    )


def drawn_from_some_time(look: Look) -> Iterator[Breach]:
    """A sample is drawn from a time that has a length: what was settled first stands, and it would draw nobody ever."""
    sample = look.after
    if look.before is None and isinstance(sample, CallBackSample) and sample.until_at <= sample.from_at:
        yield Breach(
            rule="sample-time",
            why="This sample ends before it begins, so that nobody would be drawn.",
            remedy="Give an end that is later than its beginning.",
            source=_SOURCE,
        )


def answers_are_of_who_was_reached(look: Look) -> Iterator[Breach]:
    """What somebody said can be written of nobody who was not reached, and was not said before it was heard."""
    if not isinstance(look.after, CallBackSample):
        return
    for one in msgspec.convert(look.changes.get(FieldName("calls"), []), list[CallBack]):
        if one.agrees is not None and not one.reached:
            yield Breach(
                rule="call-back-reached",
                why="Nobody was reached, and what they said is written down.",
                remedy="Write that they were reached, or leave out whether they agree.",
                source=_SOURCE,
            )
        if one.called_at > look.now + look.settings.incidents.early_entry_ms:
            yield Breach(
                rule="call-back-to-come",
                why="This call bears a time that is still to come.",
                remedy="Enter it when you have called.",
                source=_SOURCE,
            )


GUARDS: Final[tuple[Guard, ...]] = (drawn_from_some_time, answers_are_of_who_was_reached)
