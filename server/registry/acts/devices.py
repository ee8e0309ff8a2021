"""Acts about devices, the seats on them, and who signs in where."""

from typing import Annotated, TypeAlias

import msgspec

from schemas.ids import DeviceText, GenerationInt, MillisInt, OfficerText, ScopeText
from schemas.limits import SCOPES_PER_DEVICE_MAX
from server.registry.acts.base import BaseAct, Certificate, Hash, PublicKey, SpanAct, SpanText, Why

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class CodeIssued(BaseAct, frozen=True, kw_only=True, tag="code-issued-1"):
    """A one-time code is handed out.

    Attributes:
        code: SHA-256 of it; the code itself is nowhere in the registry.
        device: the device id that it is for; None for a code that enrols none (the first administrator's link).
        officer: for whom; None for a device that is shared.
        expires_at: the first moment at which it is good for nothing (ms since 1970).
    """

    code: Hash
    device: DeviceText | None = None
    officer: OfficerText | None = None
    expires_at: MillisInt


class CodeUsed(BaseAct, frozen=True, kw_only=True, tag="code-used-1"):
    """A code that enrols no device has been used, and is good for nothing any more."""

    code: Hash


class CodeWithdrawn(BaseAct, frozen=True, kw_only=True, tag="code-withdrawn-1"):
    """A code is good for nothing any more, though nobody has used it."""

    code: Hash
    why: Why


class DeviceEnrolled(BaseAct, frozen=True, kw_only=True, tag="device-enrolled-1"):
    """A device is enrolled, for the first time or again after it was revoked or wiped.

    Enrolled again it begins anew: the seats it had are never used again, since their numbering is.

    Attributes:
        device: its id.
        public_key: its key, which no device has had before.
        certificate: what the server signed about it.
        code: SHA-256 of the code that it showed, which is used up by this; None for a device enrolled at the server.
    """

    device: DeviceText
    public_key: PublicKey
    certificate: Certificate
    code: Hash | None = None


class KeyRenewed(BaseAct, frozen=True, kw_only=True, tag="key-renewed-1"):
    """A device has another key from now on."""

    device: DeviceText
    public_key: PublicKey
    certificate: Certificate


class DeviceRevoked(BaseAct, frozen=True, kw_only=True, tag="device-revoked-1"):
    """A device is trusted no more: nobody is signed in on it, and its seats have no rights."""

    device: DeviceText
    why: Why


class WipeOrdered(BaseAct, frozen=True, kw_only=True, tag="wipe-ordered-1"):
    """What a device holds is to be destroyed at its next contact. From now on it has no rights.

    Attributes:
        device: which.
        seat: one seat of it; None for all of them.
        why: what for.
    """

    device: DeviceText
    seat: DeviceText | None = None
    why: Why


class Wiped(BaseAct, frozen=True, kw_only=True, tag="wiped-1"):
    """A device says, signed, that it has destroyed what it was told to.

    Attributes:
        device, seat: as in the order.
        receipt: SHA-256 of what it signed.
    """

    device: DeviceText
    seat: DeviceText | None = None
    receipt: Hash


class SeatOpened(BaseAct, frozen=True, kw_only=True, tag="seat-opened-1"):
    """An officer's store on a device: what numbers ops, holds rights and says HELLO.

    Attributes:
        seat: the device's own id for its first seat, and that with a number behind it for later ones: `hh-0042-2`.
        device: on which.
        officer: whose.
        unattended: a program's seat (an integrator's, a screen's): nobody signs in, and it has only what is granted to
            it directly.
    """

    seat: DeviceText
    device: DeviceText
    officer: OfficerText
    unattended: bool = False


class ScopeGranted(SpanAct, frozen=True, kw_only=True, tag="scope-granted-1"):
    """A seat is granted a scope directly: an integrator's program, or somebody whom no posting covers.

    Attributes:
        seat: whose.
        scope: an audience, or an audience's inbox; with an audience come its briefings.
        why: what for.
    """

    seat: DeviceText
    scope: ScopeText
    why: Why


class SignedIn(BaseAct, frozen=True, kw_only=True, tag="signed-in-1"):
    """An officer has signed in. Whoever was signed in on the device is so no more: it is in one person's hands.

    Attributes:
        sid: the sign-in's name, never used before.
        seat: where.
        method: `passphrase`, `oidc`, `webauthn`.
        until: the first moment at which it is over (ms since 1970).
    """

    sid: SpanText
    seat: DeviceText
    method: Word
    until: MillisInt


class SignedOut(BaseAct, frozen=True, kw_only=True, tag="signed-out-1"):
    """A sign-in is over before its time: the officer's own doing, or somebody's who ended it."""

    sid: SpanText
    why: Why


class SignInRefused(BaseAct, frozen=True, kw_only=True, tag="sign-in-refused-1"):
    """Somebody could not show that they are who they say.

    Attributes:
        officer: as it was typed: such an officer need not exist.
        device: where, if the device itself was known.
        why: what was wrong, in words that hold nothing of what was typed as a passphrase.
    """

    officer: OfficerText
    device: DeviceText | None = None
    why: Why


class SignInLocked(BaseAct, frozen=True, kw_only=True, tag="sign-in-locked-1"):
    """An officer's sign-in is closed after too many tries.

    Attributes:
        officer: whose.
        until: when it opens by itself (ms since 1970); None for when somebody opens it (`SignInUnlocked`).
    """

    officer: OfficerText
    until: MillisInt | None = None


class SignInUnlocked(BaseAct, frozen=True, kw_only=True, tag="sign-in-unlocked-1"):
    """Somebody who knows the officer has opened their sign-in again."""

    officer: OfficerText
    why: Why


class Began(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A scope that a seat holds from now on.

    Attributes:
        scope, gen: the scope, in a generation above every one that the seat had of it.
        why: the reasons, each a sentence.
    """

    scope: ScopeText
    gen: GenerationInt
    why: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class Ended(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A scope that a seat holds no more.

    Attributes:
        scope, gen: the scope, in the generation that ends.
    """

    scope: ScopeText
    gen: GenerationInt


class SeatRights(BaseAct, frozen=True, kw_only=True, tag="seat-rights-1"):
    """What a seat holds is not what was last recorded for it: the difference (`plans.plan`).

    Attributes:
        seat: whose.
        began, ended: by scope; no scope is in both.
        left_out: scopes that it is entitled to and does not get, because a seat holds SCOPES_PER_DEVICE_MAX.
    """

    seat: DeviceText
    began: Annotated[tuple[Began, ...], msgspec.Meta(max_length=SCOPES_PER_DEVICE_MAX)] = ()
    ended: Annotated[tuple[Ended, ...], msgspec.Meta(max_length=SCOPES_PER_DEVICE_MAX)] = ()
    left_out: tuple[ScopeText, ...] = ()


CodeAct: TypeAlias = CodeIssued | CodeUsed | CodeWithdrawn
DeviceAct: TypeAlias = DeviceEnrolled | KeyRenewed | DeviceRevoked | WipeOrdered | Wiped
SeatAct: TypeAlias = SeatOpened | ScopeGranted | SeatRights
SignInAct: TypeAlias = SignedIn | SignedOut | SignInRefused | SignInLocked | SignInUnlocked
