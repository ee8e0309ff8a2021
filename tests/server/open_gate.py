"""A gate for tests of the pure sync path: it knows its devices by heart, and asks for no sign-in and no role."""

from collections.abc import Iterable, Mapping

import msgspec

from schemas import scopes
from schemas.errors import PeerError
from schemas.ids import DeviceId, Generation, Millis, OfficerId, ScopeName
from schemas.wire import HelloBody
from server.gate import Seated


class Known(msgspec.Struct):
    """A device that the gate lets in.

    Attributes:
        officer: whose it is.
        public_key: 32 bytes.
        held: every scope that it had: (generation, whether it has it now).
    """

    officer: OfficerId
    public_key: bytes
    held: dict[ScopeName, tuple[Generation, bool]]

    def generations(self) -> dict[ScopeName, Generation]:
        """The scopes that it holds, with their generations."""
        return {scope: gen for scope, (gen, active) in self.held.items() if active}


class OpenGate:
    """See `server.gate.Gate`."""

    def __init__(self) -> None:
        """Nobody is known."""
        self._known: dict[DeviceId, Known] = {}

    def enrol(self, device: DeviceId, officer: str, public_key: bytes, audiences: Iterable[ScopeName]) -> None:
        """Let a device in under its key, with these audiences and their briefings."""
        before = self._known.get(device)
        self._known[device] = Known(OfficerId(officer), public_key, {} if before is None else before.held)
        self.regrant(device, audiences)

    def regrant(self, device: DeviceId, audiences: Iterable[ScopeName]) -> dict[ScopeName, Generation]:
        """Change what a device holds; what begins anew gets the next generation."""
        known = self._known[device]
        wanted = scopes.with_briefings(frozenset(audiences))
        for scope in sorted(known.held.keys() | wanted):
            gen, active = known.held.get(scope, (Generation(0), False))
            begins = scope in wanted and not active
            known.held[scope] = (Generation(gen + 1) if begins else gen, scope in wanted)
        return known.generations()

    async def look(self, device: DeviceId, _body: HelloBody) -> Seated:
        """See `Gate`."""
        known = self._known.get(device)
        if known is None:
            raise PeerError("unknown_device", device)
        return Seated(public_key=known.public_key)

    def grants(self, device: DeviceId) -> Mapping[ScopeName, Generation]:
        """See `Gate`."""
        known = self._known.get(device)
        return {} if known is None else known.generations()

    def roles(self, _device: DeviceId, _since: Millis) -> None:
        """See `Gate`."""

    async def wiped(self, _device: DeviceId, _receipt: bytes) -> None:
        """See `Gate`."""

    async def handed_over(self, _device: DeviceId) -> None:
        """See `Gate`."""

    async def reads_differ(self, _device: DeviceId, _kept: int) -> bool:
        """See `Gate`."""
        return True

    async def reads_resumed(self, _device: DeviceId) -> None:
        """See `Gate`."""

    async def lease(self, _device: DeviceId, *, fresh_share: bool = False) -> None:
        """See `Gate`."""

    async def checkpoint(self, _pinned: int) -> tuple[int, bytes, tuple[bytes, ...]]:
        """See `Gate`."""
        return 0, b"", ()
