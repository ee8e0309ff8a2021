"""Who a provider or a security key says it is, once all of that has been checked."""

import enum

import msgspec

from schemas.ids import Millis, OfficerId


class Method(enum.Enum):
    """How somebody proved who they are; it goes into the log."""

    PASSPHRASE = "passphrase"  # noqa: S105  the word for one
    OIDC = "oidc"
    WEBAUTHN = "webauthn"
    LINK = "link"


class VerifiedOfficer(msgspec.Struct, frozen=True, kw_only=True):
    """One officer, verified.

    Attributes:
        collar: the collar number; such an officer exists.
        method: how it was proved.
        at: when.
        roles: what the provider's groups stand for, as configured; empty unless something is.
    """

    collar: OfficerId
    method: Method
    at: Millis
    roles: frozenset[str] = frozenset()
