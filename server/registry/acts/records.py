"""Acts about records as such: retention reviewed, erased, disclosed. What stands in a record is its ops' affair."""

from typing import Annotated, Literal, TypeAlias

import msgspec

from schemas.ids import DeviceId, DeviceText, MillisInt, RecordText
from server.registry.acts.base import BaseAct, Hash, Title, Why


class RetentionReviewed(BaseAct, frozen=True, kw_only=True, tag="retention-reviewed-1"):
    """A person has looked at whether a record is kept.

    Attributes:
        record: which.
        outcome: `keep`, or `erase`: that is a proposal, which somebody else carries out (`RecordErased`).
        until: when it is looked at again (ms since 1970), if it is kept.
        why: what for.
    """

    record: RecordText
    outcome: Literal["keep", "erase"]
    until: MillisInt | None = None
    why: Why


class RecordErased(BaseAct, frozen=True, kw_only=True, tag="record-erased-1"):
    """A record's key is destroyed. Hashes of what it held stay in the log.

    Attributes:
        record: which; somebody else than `by` has proposed it.
        why: under which rule.
    """

    record: RecordText
    why: Why


class Disclosed(BaseAct, frozen=True, kw_only=True, tag="disclosed-1"):
    """A record was disclosed outside (Data Protection Act 2018 section 62(1)(d), (3)).

    Attributes:
        record: which.
        recipients: to whom, as far as it is known.
        export: SHA-256 of what they were given.
        why: what for.
    """

    record: RecordText
    recipients: Annotated[tuple[Title, ...], msgspec.Meta(min_length=1, max_length=64)]
    export: Hash
    why: Why


class RetentionReviewedAt(RetentionReviewed, frozen=True, kw_only=True, tag="retention-reviewed-2"):
    """A review that also says at which seat it was made: `by` was there.

    Attributes:
        early: why a record is to go whose time is not over: under which order, or at whose request. None otherwise.
    """

    seat: DeviceText
    early: Why | None = None


class RecordErasedAt(RecordErased, frozen=True, kw_only=True, tag="record-erased-2"):
    """An erasure that also says at which seat it was carried out: `by` was there."""

    seat: DeviceText


class DisclosedAt(Disclosed, frozen=True, kw_only=True, tag="disclosed-2"):
    """A disclosure that also says at which seat it was made: `by` was there."""

    seat: DeviceText


RecordAct: TypeAlias = RetentionReviewed | RetentionReviewedAt | RecordErased | RecordErasedAt | Disclosed | DisclosedAt


def seat_of(act: RecordAct) -> DeviceId | None:
    """Where an act was done; None of one that does not say it."""
    return act.seat if isinstance(act, RetentionReviewedAt | RecordErasedAt | DisclosedAt) else None
