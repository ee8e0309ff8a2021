"""`Ties`: what ties an open replica to its enrolment and to whoever is signed in, as the engine works with it."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec

from schemas.ids import DeviceId
from sync import sealing
from sync.device.drafts import DraftBox
from sync.device.enrolment import Enrolment
from sync.device.findings import LogPin
from sync.device.keystore import MemoryKeyStore
from sync.device.signed_in import SignedIn
from sync.device.wiping import wipe


class Ties(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text.

    Attributes:
        destroy: destroys the closed replica, keys first.
        signed_in: the officer; None at a program's seat, where nobody signs in.
        log: checks the server's log; None where its key is not known.
        drafts: what was written while the seat was shut; None where there is no such thing.
        seal: seals bytes to the server's quarantine; None while its key is not known.
    """

    destroy: Callable[[], None]
    signed_in: SignedIn | None = None
    log: LogPin | None = None
    drafts: DraftBox | None = None
    seal: Callable[[bytes], bytes] | None = None

    @classmethod
    def of_program(cls, folder: Path, device: DeviceId, enrolment: Enrolment | None) -> Self:
        """Of a program's own seat: its key alone lets it in."""
        # Its data key is the program's own to destroy: what is here of the seat is the folder.
        destroy = functools.partial(wipe, folder, device, MemoryKeyStore())
        if enrolment is None:
            return cls(destroy=destroy)
        seal = functools.partial(sealing.seal, quarantine=enrolment.seal_to)
        return cls(destroy=destroy, log=LogPin(enrolment.log_key), seal=seal)

    @classmethod
    def of_officer(cls, signed_in: SignedIn, enrolment: Enrolment) -> Self:
        """Of an officer's seat.

        Raises:
            UsageError: the enrolment's log key is none.
            ReplicaError: the seat has no keys here.
        """
        return cls(
            destroy=signed_in.wipe,
            signed_in=signed_in,
            log=LogPin(enrolment.log_key),
            drafts=signed_in.seat.drafts(),
            seal=signed_in.seal,
        )
