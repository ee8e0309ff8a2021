"""Who has a briefing, who has opened it, who has confirmed it: counted from receipts, by version, person by person.

Source: DOMAIN, Briefings and information: a receipt per version per person. Two handhelds of one officer are one
person, and what counts of a version is the furthest step that the person has come to on any device.
"""

import enum
from collections.abc import Collection, Iterable

import msgspec

from schemas.ids import Millis, OfficerId, RecordId
from schemas.kinds import Briefing, BriefingReceipt
from schemas.kinds.receipts import edition_of


class Step(enum.IntEnum):
    """How far somebody has come with a version."""

    NOTHING = 0
    ON_DEVICE = 1
    OPENED = 2
    ACKNOWLEDGED = 3


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a briefing.

    Attributes:
        edition: which (`schemas.kinds.receipts.edition_of`).
        current: whether it is the one that stands.
        first_at: when it was first on a device (ms since 1970); None where nobody has it.
        on_device, opened, acknowledged: how many people have come so far at least.
    """

    edition: str
    current: bool
    first_at: Millis | None
    on_device: int
    opened: int
    acknowledged: int


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """A briefing's receipts, counted.

    Attributes:
        versions: the one that stands first, then the others, the newest first.
        addressed: how many people it is addressed to.
        waiting: those of them who have not confirmed the version that stands, in order, and how far each has come.
    """

    versions: tuple[Count, ...]
    addressed: int
    waiting: tuple[tuple[OfficerId, Step], ...]


def tally(
    record: RecordId,
    briefing: Briefing,
    receipts: Iterable[BriefingReceipt],
    addressed: Collection[OfficerId],
    read: Collection[OfficerId] = (),
) -> Tally:
    """Count a briefing's receipts.

    Args:
        record, briefing: which, as it stands.
        receipts: of this briefing; those of another are passed over.
        addressed: whom it is addressed to now. Who has read it and has gone elsewhere since still counts as a reader.
        read: who confirmed the version that stands with an older program, which leaves no receipt.
    """
    current = edition_of(briefing)
    steps: dict[str, dict[OfficerId, Step]] = {current: dict.fromkeys(read, Step.ACKNOWLEDGED)}
    first: dict[str, Millis] = {}
    for receipt in receipts:
        if receipt.briefing != record:
            continue
        of_version = steps.setdefault(receipt.edition, {})
        of_version[receipt.officer] = max(of_version.get(receipt.officer, Step.NOTHING), _step(receipt))
        times = [at for at in (receipt.on_device_at, receipt.opened_at, receipt.acknowledged_at) if at is not None]
        if times:
            first[receipt.edition] = min([*times, first.get(receipt.edition, times[0])])
    others = sorted(steps.keys() - {current}, key=lambda edition: (-first.get(edition, 0), edition))
    reached = steps[current]
    return Tally(
        versions=tuple(_count(one, steps[one], first.get(one), current=one == current) for one in (current, *others)),
        addressed=len(addressed),
        waiting=tuple(
            (officer, reached.get(officer, Step.NOTHING))
            for officer in sorted(addressed)
            if reached.get(officer, Step.NOTHING) < Step.ACKNOWLEDGED
        ),
    )


def _step(receipt: BriefingReceipt) -> Step:
    if receipt.acknowledged_at is not None:
        return Step.ACKNOWLEDGED
    if receipt.opened_at is not None:
        return Step.OPENED
    return Step.NOTHING if receipt.on_device_at is None else Step.ON_DEVICE


def _count(edition: str, people: dict[OfficerId, Step], first_at: Millis | None, *, current: bool) -> Count:
    def so_far(step: Step) -> int:
        return sum(reached >= step for reached in people.values())

    return Count(
        edition=edition,
        current=current,
        first_at=first_at,
        on_device=so_far(Step.ON_DEVICE),
        opened=so_far(Step.OPENED),
        acknowledged=so_far(Step.ACKNOWLEDGED),
    )
