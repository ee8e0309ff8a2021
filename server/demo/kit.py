"""`Kit`: a handheld as an officer is given it: enrolled with a one-time code, and signed in on for real."""

import asyncio
from pathlib import Path

from server.demo.people import Administration, Person, passphrase
from sync.device import Handheld, SignedIn
from sync.device.installation import Installation
from sync.device.opening import Opening


class Kit:
    """One officer's handheld. Make one with `issue`; `close` it after the handheld that it opened.

    Attributes:
        installation: the device's folder, its identity and its calls to the server.
        signed_in: the officer at their seat.
    """

    def __init__(self, installation: Installation, signed_in: SignedIn, chosen: str) -> None:
        """Use `issue`."""
        self.installation = installation
        self.signed_in = signed_in
        self._chosen = chosen

    @classmethod
    async def issue(
        cls, administration: Administration, person: Person, folder: Path, server: str, *, ca_file: str = ""
    ) -> "Kit":
        """Enrol a device with a one-time code, and sign its officer in with a passphrase that they choose.

        Args:
            administration: gives out the code and the one-time passphrase.
            person: who; they have been taken in.
            folder: of the handheld; its officer's seat is below it.
            server: base of the HTTP side as this device reaches it, which may lead over a mast.
            ca_file: PEM file of the authority that vouches for the server's certificate; "" for the machine's own.
        """
        code = await asyncio.to_thread(administration.code, person.device)
        once = await asyncio.to_thread(administration.new_passphrase, person.officer)
        await Installation.enrol(folder, server, code, ca_file=ca_file)
        installation = Installation.open(folder)
        chosen = passphrase()
        try:
            signed_in = await installation.sign_in(person.officer, once, new_passphrase=chosen)
        except BaseException:
            await installation.close()
            raise
        return cls(installation, signed_in, chosen)

    def open(self, *, justify: bool = True) -> Opening[Handheld]:
        """The officer's replica, which connects by itself; `justify`: whether reading asks for a reason."""
        return Handheld.open_seat(self.signed_in, self.installation.enrolment, justify=justify)

    async def unlock(self) -> SignedIn:
        """Open the seat's keys once more with the passphrase that its officer chose, as whoever has it would.

        Raises:
            UsageError, ReplicaError: it does not open; the text says why.
        """
        return await self.installation.unlock(self.signed_in.officer, self._chosen)

    async def close(self) -> None:
        """End its calls."""
        await self.installation.close()
