"""The public halves of administrators' security keys, and the port that keeps them."""

from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec

from schemas.ids import MillisInt, OfficerId, OfficerText


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """One security key of one administrator (W3C WebAuthn level 2, section 4, "credential record" in later ones).

    Attributes:
        id: the credential id that the authenticator chose, 16 to 1,023 bytes.
        officer: whose it is.
        user: the user handle, 32 random bytes: the same for all credentials of one officer, and says nothing of them.
        data: AAGUID, id and public key, as the authenticator gave them (section 6.5.1).
        counter: the highest signature counter seen; 0 for authenticators that have none.
        label: what the administrator calls it.
        registered_at, used_at: when; `used_at` is None until it is first used.
        cloned_at: when its counter ran backwards: two authenticators hold the key. It opens nothing from then on.
    """

    id: Annotated[bytes, msgspec.Meta(min_length=16, max_length=1_023)]
    officer: OfficerText
    user: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    data: Annotated[bytes, msgspec.Meta(max_length=4_096)]
    counter: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    registered_at: MillisInt
    used_at: MillisInt | None = None
    cloned_at: MillisInt | None = None


class Credentials(Protocol):
    """Keeps credentials. Each call is atomic, and durable on return.

    Every one raises StoreError where it cannot be carried out.
    """

    async def of_officer(self, officer: OfficerId) -> Sequence[Credential]:
        """Those of one officer, oldest first."""

    async def find(self, credential_id: bytes) -> Credential | None:
        """The one of that id; None when there is none."""

    async def add(self, credential: Credential) -> bool:
        """Keep a new one; False, and nothing is changed, when there is one of that id."""

    async def replace(self, before: Credential, after: Credential) -> bool:
        """Put `after` in the place of `before`; False, and nothing is changed, when `before` is not what is kept."""

    async def remove(self, credential_id: bytes) -> bool:
        """Forget one; False when there was none."""


class MemoryCredentials:
    """Credentials that end with the process, for tests and trials."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: dict[bytes, Credential] = {}

    async def of_officer(self, officer: OfficerId) -> Sequence[Credential]:
        """See `Credentials`."""
        return [each for each in self._kept.values() if each.officer == officer]

    async def find(self, credential_id: bytes) -> Credential | None:
        """See `Credentials`."""
        return self._kept.get(credential_id)

    async def add(self, credential: Credential) -> bool:
        """See `Credentials`."""
        return self._kept.setdefault(credential.id, credential) is credential

    async def replace(self, before: Credential, after: Credential) -> bool:
        """See `Credentials`."""
        if self._kept.get(before.id) != before:
            return False
        self._kept[before.id] = after
        return True

    async def remove(self, credential_id: bytes) -> bool:
        """See `Credentials`."""
        return self._kept.pop(credential_id, None) is not None
