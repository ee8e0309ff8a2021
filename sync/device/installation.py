"""`Installation`: one handheld's folder, from being enrolled to whoever has signed in on it.

    identity.json    the device's Ed25519 key, made here; nobody else ever has it
    enrolment.json   what the server said of it (`sync.device.enrolment`)
    ended            the server trusts the device no more: once nothing rests here, it may be enrolled anew
    keystore/        what binds seats to this device, where no keystore of the platform does (`FileKeyStore`)
    seats/SEAT/      one officer's seat: replica, key slots, drafts, and officer.json, which says whose it is

Signing in asks the server, which gives a token, a lease and its share of the seat's key. The first time the seat's keys
are made; later the PIN opens them. With no server, the PIN alone opens a seat whose share is still here.
"""

import asyncio
from pathlib import Path
from typing import Final, Self

import msgspec

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId, OfficerId, OfficerText
from sync.device.account import Account, ReadsPlace, SignIn
from sync.device.clocks import Clock, SystemClock
from sync.device.enrolment import ENROLMENT_FILE, Enrolment
from sync.device.keys import DeviceIdentity
from sync.device.keystore import FileKeyStore, KeyStore
from sync.device.lease import MemoryShareCache, ShareCache, StoredShareCache
from sync.device.obeying import Obeyed, drop_shares, obey
from sync.device.pins import Stretch, check_pin, stretch
from sync.device.seat import Seat, seats
from sync.device.seat_opening import Pins, open_seat
from sync.device.secretfile import destroy_secret, read_secret, replace_secret
from sync.device.signed_in import SignedIn
from sync.device.slots import Unlocked

IDENTITY_FILE: Final = "identity.json"
PENDING_FILE: Final = "identity.pending.json"
ENDED_FILE: Final = "ended"
"""The server has said that it trusts this device no more: the folder may be enrolled anew."""
OFFICER_FILE: Final = "officer.json"
KEYSTORE: Final = "keystore"
SEATS: Final = "seats"
_PENDING_ID: Final = DeviceId("not-enrolled-yet")


class _OfficerFile(msgspec.Struct, frozen=True):
    officer: OfficerText


class Installation:
    """See the module's text. Make one with `enrol` or `open`; `close` it.

    Attributes:
        folder: where it is.
        identity: the device.
        enrolment: what the server said of it.
    """

    def __init__(
        self,
        folder: Path,
        identity: DeviceIdentity,
        enrolment: Enrolment,
        *,
        store: KeyStore | None = None,
        clock: Clock | None = None,
        keep_shares: bool = False,
        stretching: Stretch = stretch,
    ) -> None:
        """Use `enrol` or `open`.

        Args:
            folder, identity, enrolment: as they are told above.
            store: the device's keystore; a folder of owner-only files by default.
            clock: the machine's by default.
            keep_shares: keep the server's shares in the keystore for their leases, so that a device that was switched
                off opens with no server. By default they are in memory only.
            stretching: how PINs become keys; another way than Argon2id is for tests.
        """
        self.folder = folder
        self.identity = identity
        self.enrolment = enrolment
        self._store = store or FileKeyStore(folder / KEYSTORE)
        self._clock = clock or SystemClock()
        self._keep_shares = keep_shares
        self._stretch = stretching
        self._seats: dict[DeviceId, Seat] = {}
        self._account = Account(enrolment.server, identity, ca_file=enrolment.ca_file, clock=self._clock)

    @classmethod
    async def enrol(
        cls, folder: Path | str, server: str, code: str, *, ca_file: str = "", clock: Clock | None = None
    ) -> Enrolment:
        """Enrol this device: its key is made here. After a call that was broken off, the same one goes on with it.

        A handheld that the server trusts no more, and on which nothing rests, is enrolled anew under another key.

        Args:
            folder: of the handheld; made when it is not there.
            server: base of the server's HTTP side (`account.server_base`).
            code: the one-time code, as it was typed.
            ca_file: as in `Account`.
            clock: the machine's by default.

        Raises:
            UsageError: this folder is enrolled already, or the server refuses the code; the text says why.
            UnreachableError: the server cannot be asked.
            ReplicaError: a file cannot be written.
        """
        place = Path(folder)
        _require_free(place)
        pending = place / PENDING_FILE
        if not pending.exists():
            # On disk before the code is used up: an answer that was lost is asked for again with the same key.
            DeviceIdentity.generate(_PENDING_ID).save(pending)
        identity = DeviceIdentity.load(pending)
        async with Account(server, identity, ca_file=ca_file, clock=clock) as account:
            enrolment = await account.enrol(code)
        destroy_secret(place / IDENTITY_FILE)
        enrolment.save(place)
        # Last: with it the handheld is one.
        identity.named(enrolment.device).save(place / IDENTITY_FILE)
        destroy_secret(place / ENDED_FILE)
        destroy_secret(pending)
        return enrolment

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        store: KeyStore | None = None,
        clock: Clock | None = None,
        keep_shares: bool = False,
        stretching: Stretch = stretch,
    ) -> Self:
        """The handheld in a folder; arguments as in the constructor.

        Raises:
            ReplicaError: it is not enrolled, or a file of it cannot be used.
        """
        place = Path(folder)
        if not (place / ENROLMENT_FILE).exists() or not (place / IDENTITY_FILE).exists():
            raise ReplicaError(f"{place} is no enrolled handheld: enrol it with a one-time code first")
        identity, enrolment = DeviceIdentity.load(place / IDENTITY_FILE), Enrolment.load(place)
        return cls(place, identity, enrolment, store=store, clock=clock, keep_shares=keep_shares, stretching=stretching)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End its connections. Seats are the caller's to close. Again: nothing."""
        await self._account.close()

    # --- officers ----------------------------------------------------------------------------------------------------

    def officers(self) -> dict[OfficerId, DeviceId]:
        """Who has a seat with keys here: officer -> seat.

        Raises:
            ReplicaError: a seat's file is damaged.
        """
        found = {}
        for seat in seats(self.folder / SEATS):
            raw = read_secret(self._folder_of(seat) / OFFICER_FILE)
            if raw is not None:
                found[_officer_in(raw, seat)] = seat
        return found

    async def sign_in(
        self,
        officer: OfficerId | str,
        passphrase: str,
        *,
        new_passphrase: str | None = None,
        former: str | None = None,
    ) -> SignedIn:
        """Sign an officer in with the server, and open their seat; its keys are made when they are new here.

        The passphrase or PIN opens the seat too. A new one takes its place there as well.

        Before anything else the device does what the server orders of what rests closed on it (`obey`). Whoever was
        signed in here before is so no more, at the server and here: no share of theirs stays.

        Args:
            officer: collar number.
            passphrase: theirs.
            new_passphrase: what they choose in its place.
            former: the one before, when it was changed elsewhere since the seat was last opened.

        Returns:
            Who has signed in. On a device that is trusted no more, where an administrator has allowed it, that is to
            hand over what was not sent and for nothing else (`SignedIn.hands_over`; `handing.hand_over` does it).

        Raises:
            FormerPinError: the server knows it, and the seat is still under the one before.
            UsageError: the server refuses it (`account.RefusedError`), or it is too weak to guard a seat.
            UnreachableError: the server cannot be asked: `unlock` may do.
            ReplicaError: the seat cannot be opened; the text says why.
        """
        if new_passphrase is not None:
            check_pin(new_passphrase)
        ordered = await self.obey()
        told = await self._account.sign_in(OfficerId(officer), passphrase, new_passphrase)
        seat = self._seat(told.seat)
        if told.hand_over and not seat.slots.exist():
            raise UsageError(f"nothing of {told.officer} rests in {seat.folder}: there is nothing to hand over")
        await asyncio.to_thread(self._leave_others, told.seat)
        pins = Pins(passphrase, new_passphrase, former)
        keys = await asyncio.to_thread(open_seat, seat, told, pins)
        replace_secret(seat.folder / OFFICER_FILE, msgspec.json.encode(_OfficerFile(told.officer)))
        return self._signed_in(seat, told.officer, keys, told, ordered.reads.get(told.seat))

    async def obey(self) -> Obeyed:
        """Carry out what the server orders of what rests closed here: no PIN is needed for it (`sync.device.obeying`).

        Raises:
            RefusedError: the server does not know this device.
            UnreachableError: it cannot be asked.
            ReplicaError: something cannot be destroyed.
        """
        done = await obey(self._account, self.folder / SEATS, self._store, self._clock)
        if done.revoked or done.wiped is not None:
            replace_secret(self.folder / ENDED_FILE, b"the server trusts this device no more\n")
            self._keep_shares = False
            for seat in self._seats.values():
                seat.lease.end()
            # Whoever opens one from now on keeps no share of it.
            self._seats.clear()
        for name in done.seats:
            self._seats.pop(name, None)
        return done

    async def sign_in_again(self, signed_in: SignedIn, passphrase: str) -> None:
        """Sign the same officer in again while their seat is open: it goes on with the new token.

        Raises:
            UsageError, UnreachableError: as in `sign_in`.
        """
        told = await self._account.sign_in(signed_in.officer, passphrase)
        if told.seat != signed_in.seat.id:
            raise UsageError(f"the server has another seat for {signed_in.officer} now, {told.seat}: lock and sign in")
        signed_in.again(told.lease)

    async def unlock(self, officer: OfficerId | str, pin: str) -> SignedIn:
        """Open an officer's seat with no server, while its share is here and the lease lasts.

        Raises:
            UsageError: the officer has no seat here.
            ReplicaError: the lease has ended, the PIN is wrong or may not be tried now, or the keys cannot be used.
        """
        seat = self.seat_of(officer)
        keys = await asyncio.to_thread(seat.unlock, pin)
        return self._signed_in(seat, OfficerId(officer), keys)

    def seat_of(self, officer: OfficerId | str) -> Seat:
        """The officer's seat here, open or not; drafts can be left at it.

        Raises:
            UsageError: there is none.
        """
        known = self.officers().get(OfficerId(officer))
        if known is None:
            raise UsageError(f"{officer} has no seat on this handheld: sign in to the server first")
        return self._seat(known)

    async def sign_out(self, signed_in: SignedIn) -> None:
        """Lock a closed seat, here first, and end its sign-in on the server.

        Raises:
            UsageError: it had ended already.
            UnreachableError: the server was not told: the sign-in ends there by itself. Here it has ended.
        """
        token = signed_in.token
        signed_in.keys.lock()
        signed_in.seat.lease.end()
        await self._account.sign_out(token or await self._account.renew(signed_in.seat.id))

    # --- shared ------------------------------------------------------------------------------------------------------

    def _folder_of(self, seat: DeviceId) -> Path:
        return self.folder / SEATS / seat

    def _seat(self, seat: DeviceId) -> Seat:
        known = self._seats.get(seat)
        if known is None:
            stored = StoredShareCache(self._store, seat)
            if not self._keep_shares:
                # Whoever asked for it to be kept, in an earlier run, does so no more.
                stored.drop()
            cache: ShareCache = stored if self._keep_shares else MemoryShareCache()
            known = self._seats[seat] = Seat(
                self.folder / SEATS, seat, self._store, cache=cache, clock=self._clock, stretching=self._stretch
            )
        return known

    def _leave_others(self, seat: DeviceId) -> None:
        """End the leases of all other seats: the server has ended their sign-ins."""
        for name, other in self._seats.items():
            if name != seat:
                other.lease.end()
        drop_shares([name for name in seats(self.folder / SEATS) if name != seat], self._store)

    def _signed_in(
        self,
        seat: Seat,
        officer: OfficerId,
        keys: Unlocked,
        told: SignIn | None = None,
        reads: ReadsPlace | None = None,
    ) -> SignedIn:
        return SignedIn(
            seat,
            officer,
            keys,
            self.identity,
            lease=None if told is None else told.lease,
            renew=self._account.renew,
            change=self._change_passphrase,
            dismissed=self.obey,
            hands_over=told is not None and told.hand_over,
            reads=reads,
        )

    async def _change_passphrase(self, signed_in: SignedIn, old: str, new: str) -> None:
        token = signed_in.token or await self._account.renew(signed_in.seat.id)
        await self._account.change_passphrase(token, old, new)


def _require_free(place: Path) -> None:
    """Let only a folder be enrolled that is no handheld, or one whose time is over and on which nothing rests.

    Raises:
        UsageError: it is one.
    """
    if not (place / IDENTITY_FILE).exists():
        return
    if not (place / ENDED_FILE).exists():
        raise UsageError(f"{place} is an enrolled handheld already: name another folder")
    if resting := seats(place / SEATS):
        raise UsageError(
            f"{place} is trusted no more, and what was not sent may rest in {', '.join(resting)}: have it handed over "
            "first (`beatbook device hand-over`), or name another folder"
        )


def _officer_in(raw: bytes, seat: DeviceId) -> OfficerId:
    try:
        return msgspec.json.decode(raw, type=_OfficerFile).officer
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ReplicaError(f"{OFFICER_FILE} of {seat} is damaged: delete it and sign in again") from None
