"""Bookings for the tests of the custody record, of invented people: plain values in, a record or a rule's word out.

Times are minutes after NOON, a moment on a summer's day; negative ones are before it.
"""

from collections.abc import Sequence
from typing import Any, Final

from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, RecordId, Seq, named_record_id
from schemas.kinds import CustodyBooking, spec_of
from schemas.ops import Op
from schemas.roles import Role
from schemas.settings import DEFAULTS, Settings
from sync import merge
from sync.merge import RecordState
from sync.policing import rulebook
from sync.policing.rulebook import RuleError

NOON: Final = Millis(1_782_903_600_000)
"""1 July 2026, 12:00 in London."""
BOOKING: Final = named_record_id("custody record", "booking")
SPEC: Final = spec_of(CustodyBooking)
HOUR: Final = 60
"""In minutes."""
DAY: Final = 24 * HOUR


def at(minutes: float) -> Millis:
    """A moment (ms since 1970)."""
    return Millis(NOON + round(minutes * 60_000))


def arrival(minutes: float = 0) -> dict[str, Any]:
    """The step with which a person comes into the suite."""
    return {"what": "arrival", "at": at(minutes)}


def step(what: str, minutes: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401  parts of a step
    """A step of a detention."""
    return {"what": what, "at": at(minutes), **more}


def check(minutes: float, where: str = "M7", response: str = "awake", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A check on a detainee."""
    return {"checked_at": at(minutes), "where": where, "response": response, **more}


def values(**more: Any) -> dict[str, Any]:  # noqa: ANN401  plain values of any field
    """A booking of a person who came into the suite at noon."""
    return {
        "suite": "perry-barr",
        "detainee": "Robin Example",
        "arrested_at": at(-30),
        "detention": [arrival()],
        "status": "detained",
        **more,
    }


def booking(**more: Any) -> CustodyBooking:  # noqa: ANN401  as above
    """The same, as the rules see it."""
    found = SPEC.build({FieldName(name): value for name, value in values(**more).items()})
    assert isinstance(found, CustodyBooking)
    return found


def op(
    n: int,
    changes: dict[str, Any],
    *,
    minutes: float = 0,
    device: str = "desk-1",
    author: str = "WM21877",
    record: RecordId = BOOKING,
    create: bool = False,
    base: int = 1,
) -> Op:
    """An op on a booking.

    Args:
        n: its number on the device.
        changes: field -> plain change.
        minutes: when it was written.
        device, author: where and by whom.
        record: the booking.
        create: whether it makes it.
        base: version of the record that its author saw.
    """
    now = at(minutes)
    return Op(
        device=DeviceId(device),
        n=OpNumber(n),
        record=record,
        kind=SPEC.name,
        author=OfficerId(author),
        create=create,
        base=Seq(0 if create else base),
        hlc=(now, n),
        occurred_at=now,
        wall=now,
        changes={FieldName(name): value for name, value in changes.items()},
    )


def made(record: RecordId = BOOKING, **more: Any) -> RecordState:  # noqa: ANN401  as above
    """A booking with who said what: all of it by the op that made it, at noon."""
    tags = {"needs": {"add": more["needs"]}} if "needs" in more else {}
    opening = op(1, values(**more) | tags, device="maker", record=record, create=True)
    return merge.apply(merge.new_state(opening, SPEC), opening, at(0), Seq(1))


def written(state: RecordState, *ops: Op) -> RecordState:
    """A booking after ops."""
    for one in ops:
        state = merge.apply(state, one, Millis(one.hlc[0]), Seq(state.version + 1))
    return state


def rules_against(
    state: RecordState | None,
    changes: dict[str, Any],
    *,
    minutes: float = 60,
    beside: Sequence[RecordState] = (),
    settings: Settings = DEFAULTS,
    author: str = "WM21877",
) -> list[str]:
    """The ids of the rules that are against a change, in order; [] when it may be written."""
    try:
        ask(state, changes, minutes=minutes, beside=beside, settings=settings, author=author)
    except RuleError as refused:
        return [breach.rule for breach in refused.breaches]
    return []


def ask(
    state: RecordState | None,
    changes: dict[str, Any],
    *,
    minutes: float = 60,
    beside: Sequence[RecordState] = (),
    settings: Settings = DEFAULTS,
    author: str = "WM21877",
) -> None:
    """Ask the rules about a change.

    Raises:
        RuleError: they are against it.
    """
    base = 0 if state is None else state.version
    change = op(1, changes, minutes=minutes, author=author, create=state is None, base=base)
    after = merge.apply(merge.new_state(change, SPEC) if state is None else state, change)
    rulebook.require(change, state, after, frozenset({Role.CUSTODY_OFFICER}), settings, beside=lambda: beside)
