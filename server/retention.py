"""How long records are kept, who looks at them again, and who may have one erased: pure rules.

Nothing goes because time has passed, and nothing goes before: a record that is due is listed; a person reviews it and
keeps it until a date, or proposes that it be erased; somebody else carries that out (four eyes), and only while the
record is still the one that was looked at: an edit that came since is never erased with what nobody knew it held
(deletion never beats an edit). Before its time a record goes only where the law asks for that (a court's order, a
person's right to erasure), for a reason that is named, and proposed by those who answer for it.

    open      --keep-->    open          reviewed, due again at the date that was given
    open      --erase-->   proposed
    proposed  --keep-->    open          the proposal is withdrawn
    proposed  --erased-->  erased        by another officer; nothing leads out of it

Sources: Authorised Professional Practice, Information management (retention, review and disposal), and the Data
Protection Act 2018 sections 39 (storage limitation) and 47 (erasure). Periods and roles are settings with defaults.
"""

import enum
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final, Self

import msgspec

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import Millis, RecordId
from schemas.kinds import KINDS, retention_group
from schemas.limits import SNAPSHOT_ROWS_MAX
from schemas.retention import DAYS_A_YEAR, RETENTION, Period, RetentionGroup
from schemas.roles import Role
from server.registry.acts import RecordErased, RetentionReviewed, RetentionReviewedAt
from server.store import Store
from sync import merge
from sync.explain.values import moment
from sync.merge import RecordState

DAY_MS: Final = 24 * 60 * 60_000
DAYS_MAX: Final = 100 * DAYS_A_YEAR
"""The longest period that a schedule may give: MoPI keeps nothing past a person's hundredth year."""

ReviewAct = RetentionReviewed | RecordErased
"""The acts that this fold is about."""


class Schedule(msgspec.Struct, frozen=True):
    """A force's retention schedule.

    Attributes:
        review_days: group -> days after a record's last change when it is reviewed; None: with the record that it is
            a part of.
        reviewers: roles whose holders review: keep a record until a date, or propose its erasure.
        erasers: roles whose holders may carry out an erasure that somebody else has proposed.
        early: roles whose holders may propose the erasure of a record that is not due.
    """

    review_days: Mapping[RetentionGroup, int | None]
    reviewers: frozenset[Role] = frozenset({Role.REVIEWING_OFFICER, Role.SUPERINTENDENT, Role.REGISTRAR})
    erasers: frozenset[Role] = frozenset({Role.SUPERINTENDENT, Role.REGISTRAR})
    early: frozenset[Role] = frozenset({Role.SUPERINTENDENT})

    @classmethod
    def of(cls, days: Mapping[str, int] | None = None) -> Self:
        """The default schedule (`schemas.retention`), with a force's own periods put in.

        Args:
            days: name of a group -> days, as a configuration file gives them.

        Raises:
            UsageError: there is no such group, it has no period of its own, or the period is out of its range, or
                shorter than the law asks.
        """
        periods = {group: retention.review_days for group, retention in RETENTION.items()}
        for name, period in ({} if days is None else days).items():
            group = next((known for known in RETENTION if known.value == name), None)
            if group is None or periods[group] is None:
                own = sorted(known.value for known, kept in RETENTION.items() if kept.review_days is not None)
                raise UsageError(f"retention: no group {name!r} has a period of its own; there are {', '.join(own)}")
            if not 1 <= period <= DAYS_MAX:
                raise UsageError(f"retention.{name}: {Period(period)}; give 1 day to {Period(DAYS_MAX)}")
            told = RETENTION[group]
            if told.least_days is not None and period < told.least_days:
                raise UsageError(
                    f"retention.{name}: {Period(period)} is too short; {told.law} asks for {Period(told.least_days)}, "
                    "so give that or more"
                )
            periods[group] = period
        return cls(periods)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What retention must know of one record.

    Attributes:
        record: which.
        kind: its kind.
        group: why it is kept; it may be one that only a newer program knows.
        changed_at: when its last change was recorded (ms since 1970).
        about: the record that it is a part of, and is erased with; None when it stands alone.
    """

    record: RecordId
    kind: str
    group: RetentionGroup
    changed_at: Millis
    about: RecordId | None = None


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A record that somebody must look at.

    Attributes:
        record, kind: which.
        group: name of its retention group.
        due_at: since when it is due (ms since 1970).
        proposed_by: who has proposed its erasure, which somebody else must now decide; "" when nobody has.
        because: why it is listed, in words.
    """

    record: RecordId
    kind: str
    group: str
    due_at: Millis
    proposed_by: str
    because: str


class Stage(enum.Enum):
    """Where a record is between its making and its erasure."""

    OPEN = "open"
    PROPOSED = "proposed"
    ERASED = "erased"


class _Event(enum.Enum):
    """What an act is to the table below."""

    KEEP = "keep"
    PROPOSE = "erase"
    ERASE = "erased"


_TABLE: Final = {
    (Stage.OPEN, _Event.KEEP): Stage.OPEN,
    (Stage.OPEN, _Event.PROPOSE): Stage.PROPOSED,
    (Stage.PROPOSED, _Event.KEEP): Stage.OPEN,
    (Stage.PROPOSED, _Event.ERASE): Stage.ERASED,
}
"""All that may happen. What is not here is refused."""
_REFUSALS: Final = {
    (Stage.OPEN, _Event.ERASE): "nobody has proposed that it be erased: one officer reviews it, another one erases it",
    (Stage.PROPOSED, _Event.PROPOSE): "its erasure is proposed already: another officer carries it out, or keeps it",
}


class Review(msgspec.Struct, frozen=True):
    """What people have said of one record's retention.

    Attributes:
        stage: where it is.
        kept: the last review that kept it, or None.
        proposal: the review that proposes its erasure, or None.
        erased: the act that erased it, or None.
    """

    stage: Stage = Stage.OPEN
    kept: RetentionReviewed | None = None
    proposal: RetentionReviewed | None = None
    erased: RecordErased | None = None


_NEVER: Final = Review()


class Reviews:
    """All reviews, as a fold over the acts in their order."""

    def __init__(self, acts: Iterable[ReviewAct] = ()) -> None:
        """Begin with what was recorded, oldest first."""
        self._records: dict[RecordId, Review] = {}
        for act in acts:
            self.apply(act)

    def of(self, record: RecordId) -> Review:
        """What was said of a record."""
        return self._records.get(record, _NEVER)

    def apply(self, act: ReviewAct) -> None:
        """Take in an act that was recorded. It happened, so it is not judged again here (`check` does, before)."""
        before = self.of(act.record)
        stage = _TABLE.get((before.stage, _event(act)), before.stage)
        match act:
            case RecordErased():
                after = msgspec.structs.replace(before, stage=Stage.ERASED, proposal=None, erased=act)
            case RetentionReviewed(outcome="erase"):
                after = msgspec.structs.replace(before, stage=stage, proposal=act)
            case _:
                after = msgspec.structs.replace(before, stage=stage, kept=act, proposal=None)
        self._records[act.record] = after

    def check(self, act: ReviewAct, roles: frozenset[Role], held: Held | None, schedule: Schedule) -> None:
        """Refuse an act that may not be.

        Args:
            act: what somebody wants to do.
            roles: what they are at that moment.
            held: the record as it stands; None when there is none.
            schedule: the force's schedule.

        Raises:
            UsageError: it may not; the text says why, and what to do.
        """
        review = self.of(act.record)
        if review.erased is not None:
            raise UsageError(f"record {act.record} was {erased_text(review.erased)}")
        if held is None:
            raise UsageError(f"there is no record {act.record}; check its id")
        if held.about is not None:
            raise UsageError(f"record {act.record} is a part of {held.about} and goes with it: review that one")
        entitled = schedule.erasers if isinstance(act, RecordErased) else schedule.reviewers
        if roles.isdisjoint(entitled):
            raise UsageError(f"{act.by} may not do this: it takes {_names(entitled)}")
        if (review.stage, _event(act)) not in _TABLE:
            raise UsageError(f"record {act.record}: {_REFUSALS[review.stage, _event(act)]}")
        if isinstance(act, RetentionReviewed):
            _check_date(act)
            self._check_due(act, roles, held, schedule)
        elif review.proposal is not None:
            _check_erasure(act, review.proposal, held)

    def _check_due(self, act: RetentionReviewed, roles: frozenset[Role], held: Held, schedule: Schedule) -> None:
        early = early_of(act)
        due_at, because = _due_at(held, self.of(act.record), schedule)
        if act.outcome != "erase" or due_at <= act.at:
            if early is not None:
                raise UsageError(f"record {act.record}: it needs no reason to go early; leave `early` out")
            return
        if early is None:
            raise UsageError(
                f"record {act.record} is due at {moment(due_at)} ({because}), and is not erased before; where a "
                "court's order or a person's right to erasure asks for it, name that as `early`"
            )
        if roles.isdisjoint(schedule.early):
            raise UsageError(f"{act.by} may not do this early: it takes {_names(schedule.early)}")


def early_of(act: RetentionReviewed) -> str | None:
    """Why a record is to go before its time, if a review says so."""
    return act.early if isinstance(act, RetentionReviewedAt) else None


def erased_text(act: RecordErased) -> str:
    """What is said where a record was: `erased on 2031-04-01T09:00:00Z by WM40001 under …`."""
    return f"erased on {moment(act.at)} by {act.by} under: {act.why}"


def held(state: RecordState) -> Held:
    """What retention must know of a record."""
    built = state.build()
    return Held(
        record=state.id,
        kind=state.spec.name,
        group=retention_group(built),
        changed_at=Millis(max((one.recorded_at for cell in state.cells.values() for one in cell.stamps()), default=0)),
        about=built.about(),
    )


async def survey(store: Store) -> AsyncIterator[Held]:
    """Every record of the kinds that this program knows, in bounded pages, by kind and id.

    Raises:
        StoreError: the store failed.
    """
    for kind in sorted(KINDS):
        after = ""
        while rows := await store.records(kind, None, after, SNAPSHOT_ROWS_MAX):
            for row in rows:
                state = merge.from_row(decode_row(row))
                after = state.id
                yield held(state)


def due(records: Iterable[Held], now: Millis, schedule: Schedule, reviews: Reviews) -> list[Due]:
    """The records that somebody must look at, those that are due longest first.

    Args:
        records: what there is (`survey`). A part of another record is reviewed with that one, and not listed.
        now: the server's clock (ms since 1970).
        schedule: the force's schedule.
        reviews: what people have said so far.
    """
    found = []
    for record in records:
        review = reviews.of(record.record)
        due_at, because = _due_at(record, review, schedule)
        if review.proposal is not None:
            early = early_of(review.proposal)
            proposed = (
                "its erasure is proposed" if early is None else f"its erasure before its time is proposed ({early})"
            )
            due_at, because = review.proposal.at, f"{proposed}: another officer carries it out, or keeps it"
        if review.stage is Stage.ERASED or record.about is not None or due_at > now:
            continue
        found.append(
            Due(
                record=record.record,
                kind=record.kind,
                group=record.group.value,
                due_at=due_at,
                proposed_by="" if review.proposal is None else review.proposal.by,
                because=because,
            )
        )
    return sorted(found, key=lambda one: (one.due_at, one.record))


def _due_at(record: Held, review: Review, schedule: Schedule) -> tuple[Millis, str]:
    """(when a record is due, why)."""
    days = schedule.review_days.get(record.group)
    if days is None:
        by_period, because = record.changed_at, f"no period is known for the group {record.group.value!r}"
    else:
        by_period, because = Millis(record.changed_at + days * DAY_MS), f"not changed for {days} days"
    if review.kept is None or review.kept.until is None:
        return by_period, because
    # A change after the review may put the next one off, and never brings it forward.
    if record.changed_at <= review.kept.at or review.kept.until >= by_period:
        return review.kept.until, f"kept until then by {review.kept.by}"
    return by_period, because


def _names(roles: frozenset[Role]) -> str:
    named = ", ".join(sorted(role.value for role in roles))
    return f"the role {named}" if len(roles) == 1 else f"one of the roles {named}"


def _event(act: ReviewAct) -> _Event:
    if isinstance(act, RecordErased):
        return _Event.ERASE
    return _Event.PROPOSE if act.outcome == "erase" else _Event.KEEP


def _check_date(act: RetentionReviewed) -> None:
    if act.outcome == "keep" and (act.until is None or act.until <= act.at):
        raise UsageError(f"record {act.record}: say until when it is kept: a date after today")
    if act.outcome == "erase" and act.until is not None:
        raise UsageError(f"record {act.record}: a proposal to erase has no date; leave `until` out")


def _check_erasure(act: RecordErased, proposal: RetentionReviewed, held: Held) -> None:
    if act.by == proposal.by:
        raise UsageError(f"record {act.record}: {act.by} has proposed this; another officer must carry it out")
    if held.changed_at > proposal.at:
        raise UsageError(
            f"record {act.record}: it has changed since its erasure was proposed; keep it, or review it as it is now"
        )
