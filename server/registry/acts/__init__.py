"""The acts: everything administrative that can be done, as one closed union of frozen, tagged structs in MessagePack.

`encode` and `decode` are the only way to bytes and back. What an act may refer to is not said here: `Registry.check`.
"""

import typing
from typing import Final, TypeAlias

import msgspec

from schemas.errors import StoreError, UsageError
from server.registry.acts.base import SERVER, BaseAct, SpanAct, tag_of, within
from server.registry.acts.devices import (
    Began,
    CodeAct,
    CodeIssued,
    CodeUsed,
    CodeWithdrawn,
    DeviceAct,
    DeviceEnrolled,
    DeviceRevoked,
    Ended,
    KeyRenewed,
    ScopeGranted,
    SeatAct,
    SeatOpened,
    SeatRights,
    SignedIn,
    SignedOut,
    SignInAct,
    SignInLocked,
    SignInRefused,
    SignInUnlocked,
    Wiped,
    WipeOrdered,
)
from server.registry.acts.organisation import (
    CompartmentMade,
    MissionBegun,
    MissionEnded,
    OrganisationAct,
    UnitAdded,
    UnitEnded,
    UnitMerged,
    UnitRenamed,
)
from server.registry.acts.parting import (
    HandOverAllowed,
    HandOverBegun,
    PartingAct,
    ReadsPardoned,
    ReadsResumed,
    ReadsSetBack,
)
from server.registry.acts.people import (
    Assigned,
    Cleared,
    LeaseSet,
    MissionJoined,
    NamedGrant,
    OfficerAdded,
    OfficerEnded,
    OfficerReturned,
    PassphraseChanged,
    PeopleAct,
    PersonSpan,
    Posted,
    RoleGiven,
    ShiftSet,
    SpanEnded,
)
from server.registry.acts.records import (
    Disclosed,
    DisclosedAt,
    RecordAct,
    RecordErased,
    RecordErasedAt,
    RetentionReviewed,
    RetentionReviewedAt,
    seat_of,
)

__all__ = [
    "SERVER",
    "TAGS",
    "Act",
    "Assigned",
    "BaseAct",
    "Began",
    "Cleared",
    "CodeAct",
    "CodeIssued",
    "CodeUsed",
    "CodeWithdrawn",
    "CompartmentMade",
    "DeviceAct",
    "DeviceEnrolled",
    "DeviceRevoked",
    "Disclosed",
    "DisclosedAt",
    "Ended",
    "HandOverAllowed",
    "HandOverBegun",
    "KeyRenewed",
    "LeaseSet",
    "MissionBegun",
    "MissionEnded",
    "MissionJoined",
    "NamedGrant",
    "OfficerAdded",
    "OfficerEnded",
    "OfficerReturned",
    "OrganisationAct",
    "PartingAct",
    "PassphraseChanged",
    "PeopleAct",
    "PersonSpan",
    "Posted",
    "ReadsPardoned",
    "ReadsResumed",
    "ReadsSetBack",
    "RecordAct",
    "RecordErased",
    "RecordErasedAt",
    "RetentionReviewed",
    "RetentionReviewedAt",
    "RoleGiven",
    "ScopeGranted",
    "SeatAct",
    "SeatOpened",
    "SeatRights",
    "ShiftSet",
    "SignInAct",
    "SignInLocked",
    "SignInRefused",
    "SignInUnlocked",
    "SignedIn",
    "SignedOut",
    "SpanAct",
    "SpanEnded",
    "UnitAdded",
    "UnitEnded",
    "UnitMerged",
    "UnitRenamed",
    "WipeOrdered",
    "Wiped",
    "checked",
    "decode",
    "encode",
    "seat_of",
    "tag_of",
    "within",
]

Act: TypeAlias = OrganisationAct | PeopleAct | CodeAct | DeviceAct | SeatAct | SignInAct | RecordAct | PartingAct
TAGS: Final = frozenset(str(kind.__struct_config__.tag) for kind in typing.get_args(Act))
"""The tags that this program knows."""


class _Tagged(msgspec.Struct):
    """The part of an act that every version has."""

    t: str


_ENCODER: Final = msgspec.msgpack.Encoder()
_ACT: "Final[msgspec.msgpack.Decoder[Act]]" = msgspec.msgpack.Decoder(Act)
_TAGGED: Final = msgspec.msgpack.Decoder(_Tagged)


def encode(act: Act) -> bytes:
    """The act in MessagePack: the same act, the same bytes."""
    return _ENCODER.encode(act)


def decode(data: bytes) -> Act:
    """An act that was kept.

    Raises:
        StoreError: a newer program wrote it, or the bytes are damaged.
    """
    try:
        return _ACT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(_trouble(data, error)) from None


def checked(act: Act) -> Act:
    """The act, once every value in it has its form.

    Raises:
        UsageError: one has not; the text says which.
    """
    try:
        return _ACT.decode(_ENCODER.encode(act))
    except (msgspec.MsgspecError, TypeError, OverflowError, UnicodeError) as error:
        raise UsageError(f"{tag_of(act)}: {error}") from None


def _trouble(data: bytes, error: Exception) -> str:
    try:
        tag = _TAGGED.decode(data).t
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "an administrative act cannot be read: its bytes are damaged; restore the data folder from a backup"
    if tag not in TAGS:
        return f"an administrative act {tag!r} is from a newer program: start that one on this data folder"
    return f"an administrative act {tag!r} cannot be read ({error}); restore the data folder from a backup"
