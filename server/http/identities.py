"""What the HTTP side takes and gives of identity: setting up, enrolling, signing in. Structs, as in `bodies`.

Bytes travel as base64. No secret is in an address: all of them are in bodies.
"""

from typing import Annotated

import msgspec

from schemas.ids import DeviceText, OfficerText, ScopeText
from server.registry.acts.base import Title

PASSPHRASE_CHARS_MAX = 1_024
"""What is read of a passphrase at all; what may be chosen is shorter (`server.federation.passphrases`)."""
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=PASSPHRASE_CHARS_MAX)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Setup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first administrator, and the device that they will administer from.

    Attributes:
        code: the secret behind the `#` of the one-time link that the server printed.
        officer, name: collar number and name.
        passphrase: theirs.
        device: an id for the device; the key of the call's proof becomes its key.
    """

    code: Code
    officer: OfficerText
    name: Title
    passphrase: Secret
    device: DeviceText


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device that is to be enrolled. The key of the call's proof becomes its key.

    Attributes:
        code: the one-time code, as it was typed.
    """

    code: Code


class EnrolledBody(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is enrolled.

    Attributes:
        device: its id.
        certificate: X.509 in DER, by the server.
        log_key: the vkey of the server's log (C2SP signed-note), to pin.
        seal_to: the X25519 key to which a device seals what it can no longer read, 32 bytes.
    """

    device: DeviceText
    certificate: bytes
    log_key: str
    seal_to: bytes


class SignInBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An officer who signs in on an enrolled device; the proof is by that device's key.

    Attributes:
        device: the device's id.
        officer: collar number.
        passphrase: theirs, or the one-time one that they were given.
        new_passphrase: what they choose in its place; a one-time one asks for it.
    """

    device: DeviceText
    officer: OfficerText
    passphrase: Secret
    new_passphrase: Secret | None = None


class LeaseBody(msgspec.Struct, frozen=True, kw_only=True):
    """For how long a replica opens without the server, and what opens it.

    Attributes:
        until, lasts_ms: when it ends by the server's clock, and how long that is.
        share, share_no: the server's share of the key that wraps the replica's, 32 bytes; its number.
        share_before: the share before it, until the device has said that it holds the new one; empty for none.
        roles: what the officer is.
        seal_to: the quarantine's public key, 32 bytes.
    """

    until: int
    lasts_ms: int
    share: bytes
    share_no: int
    share_before: bytes
    roles: list[str]
    seal_to: bytes


class SignedInBody(msgspec.Struct, frozen=True, kw_only=True):
    """An officer who has signed in.

    Attributes:
        seat: the id of their store on this device: what ops are numbered under.
        officer: collar number.
        until: when the sign-in ends (ms since 1970).
        token: the access token; it is bound to the device's key.
        lasts_ms: how long the token is good; `POST /v1/token` gives another.
        lease: for the replica.
        server_time: the server's clock (ms since 1970).
        hand_over: whether the device is trusted no more, and they were let in to hand over what was not sent, and for
            nothing else: there is no token then, and the share is for that alone.
    """

    seat: DeviceText
    officer: OfficerText
    until: int
    token: str
    lasts_ms: int
    lease: LeaseBody
    server_time: int
    hand_over: bool = False


class Renewal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another token for whoever is signed in at a seat; the proof is by its device's key.

    Attributes:
        seat: its id.
    """

    seat: DeviceText


class RenewedBody(msgspec.Struct, frozen=True, kw_only=True):
    """A new access token.

    Attributes:
        token: it.
        lasts_ms: how long it is good.
        until: when the sign-in ends (ms since 1970); null at a program's seat, where nobody signs in.
        server_time: the server's clock (ms since 1970).
    """

    token: str
    lasts_ms: int
    until: int | None
    server_time: int


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who the caller is to this server.

    Attributes:
        officer, seat, device: who, where.
        roles: what they are now.
        scopes: what they may see now.
    """

    officer: OfficerText
    seat: DeviceText
    device: DeviceText
    roles: list[str]
    scopes: list[ScopeText]


class SignOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The end of one's own sign-in."""


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of one's own passphrase.

    Attributes:
        old, new: what it was; what it is from now on.
    """

    old: Secret
    new: Secret


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """It is done, and durable."""

    done: bool = True
