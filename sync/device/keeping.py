"""What an officer can ask of the seat itself: how long it stays open, another PIN, and what was found amiss."""

from schemas.errors import UsageError
from sync.device.findings import Finding, findings
from sync.device.pins import check_pin
from sync.device.writing import Writer


class Keeping(Writer):
    """The part of `Handheld` that is about the seat."""

    async def alarms(self) -> list[Finding]:
        """What was found that somebody must look at, the first first. It is kept with the replica.

        Raises:
            ReplicaError: the database failed.
        """
        return await self._store.read(findings)

    async def lease_left_ms(self) -> int | None:
        """How long records can still be read without a word of the server (ms); None where no lease is asked for.

        Raises:
            ReplicaError: it has ended.
        """
        officer = self._signed_in
        return None if officer is None else await self._store.read(lambda _held: officer.seat.lease.remaining_ms())

    async def change_pin(self, old: str, new: str) -> None:
        """Change the officer's passphrase or PIN: at the server first, then of the keys here.

        Broken off in between, the next signing in asks for the old one once more (`FormerPinError`). Another handheld
        of the officer asks for it too.

        Args:
            old: as it is. A wrong one counts as a try, at the server.
            new: as it is to be.

        Raises:
            UsageError: nobody is signed in, the new one is weak, or the server refuses; nothing was changed.
            LocalError: the server cannot be asked, or the keys cannot be written.
        """
        officer = self._signed_in
        if officer is None:
            raise UsageError("a PIN is an officer's: open the handheld with open_seat")
        check_pin(new)
        await officer.change_passphrase(old, new)
        await self._store.read(lambda _held: officer.keys.change_pin(old, new))
