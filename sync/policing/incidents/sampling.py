"""Which incidents are called back about: a draw that anybody with the seed repeats, and nobody without it foretells.

Each incident is drawn or not by its own id and the seed alone, so a report that comes in late changes nothing for the
others. The sample is a record in a compartment (`schemas.kinds.callback`).
"""

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.ids import RecordId
from schemas.kinds import CallBackSample, Incident

_THOUSAND: Final = 1_000
_BYTES: Final = 8


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
