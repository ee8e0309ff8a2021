"""`Slots`: a seat's keys as they rest on the device, and `Unlocked`: the same keys in use.

A PIN change, a new share and a new ring key rewrite the slots (`sync.device.slotfile`) and nothing else.

What CPython cannot promise: `bytes` and `str` are copied as the interpreter likes and are not zeroed when they go.
Keys are kept in bytearrays here and zeroed by `lock`; copies that libraries and the interpreter made are not under
our control. A process that must hold nothing ends, or starts anew (`sync.device.locking`).
"""

import hmac
import os
from pathlib import Path
from typing import Final

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId
from sync.device.keys import KEY_BYTES
from sync.device.keystore import KeyStore, device_secret, make_device_secret
from sync.device.pins import LEAST, Argon2, PinTries, Stretch, check_costs, check_pin, stretch
from sync.device.secretfile import read_secret, replace_secret
from sync.device.slotfile import SLOTS_FILE, Keys, SlotFile, check_share, opened, parsed, sealed, share_name
from sync.device.wiping import refuse_wiped

_SALT_BYTES: Final = 16


class Slots:
    """A seat's keys at rest."""

    def __init__(
        self,
        folder: Path,
        seat: DeviceId,
        store: KeyStore,
        tries: PinTries,
        *,
        costs: Argon2 = LEAST,
        stretching: Stretch = stretch,
    ) -> None:
        """Name them; nothing is read or made yet.

        Args:
            folder: the seat's replica's.
            seat: whose.
            store: holds the secret that binds them to this device.
            tries: counts wrong PINs.
            costs: for PINs that are set from now on.
            stretching: how a PIN becomes a key; another one than Argon2id is for tests.

        Raises:
            UsageError: the costs are too low or too high.
        """
        check_costs(costs)
        self.path = folder / SLOTS_FILE
        self.seat = seat
        self.tries = tries
        self._store = store
        self._costs = costs
        self._stretch = stretching

    def exist(self) -> bool:
        """Whether the seat has keys here."""
        return self.path.exists()

    def wanted_share(self) -> str:
        """The name (`share_name`) of the share that opens them: after a power cut it may be the one before the last.

        Raises:
            ReplicaError: there are none, or they are damaged.
        """
        return self._read().share

    def quarantine_key(self) -> bytes:
        """The server's public key to which drafts are sealed (X25519, 32 bytes), as it was when these were written.

        It can be read without the PIN, which is when it is needed. A changed one is noticed at the next unlocking.

        Raises:
            ReplicaError: there are none, or they are damaged.
        """
        return self._read().quarantine

    def make(self, pin: str, share: bytes, quarantine: bytes, data_key: bytes | None = None) -> "Unlocked":
        """Make a seat's keys.

        Args:
            pin: the officer's new PIN.
            share: from the server, 32 bytes.
            quarantine: the server's public quarantine key, 32 bytes.
            data_key: of a replica that is there already; a new random one by default.

        Raises:
            UsageError: the PIN is weak, or a length is wrong.
            ReplicaError: there are keys already (they are never written over), or they cannot be written.
        """
        refuse_wiped(self.path.parent)
        check_pin(pin)
        check_share(share)
        if len(quarantine) != KEY_BYTES or (data_key is not None and len(data_key) != KEY_BYTES):
            raise UsageError(f"keys have exactly {KEY_BYTES} bytes")
        if self.exist():
            raise ReplicaError(f"{self.path} is there already: keys are never written over; unlock them, or wipe first")
        make_device_secret(self._store, self.seat)
        keys = Keys(data_key or os.urandom(KEY_BYTES), os.urandom(KEY_BYTES))
        salt, pin_key = self._new_pin_key(pin)
        unlocked = Unlocked(
            self, keys, pin_key=pin_key, share=share, salt=salt, quarantine=quarantine, costs=self._costs
        )
        unlocked.write()
        self.tries.clear()
        return unlocked

    def unlock(self, pin: str, share: bytes) -> "Unlocked":
        """Open the keys.

        Raises:
            ReplicaError: they are not there or damaged; the share is not the one they are under; the PIN is wrong, or
                none may be tried now. Only an attempt with the right share is counted, and it is counted before it is
                made.
        """
        refuse_wiped(self.path.parent)
        file = self._read()
        check_share(share)
        if share_name(share) != file.share:
            raise ReplicaError(
                f"the keys of {self.seat} are under another share than this one: ask the server for {file.share}"
            )
        secret = device_secret(self._store, self.seat)
        self.tries.begin()
        pin_key = self._stretch(pin, file.salt, secret, file.costs)
        keys = opened(file, pin_key, share)
        if keys is None:
            raise ReplicaError(f"wrong PIN for {self.seat}: {self.tries.left()}")
        self.tries.clear()
        return Unlocked(
            self, keys, pin_key=pin_key, share=share, salt=file.salt, quarantine=file.quarantine, costs=file.costs
        )

    def pin_key_for(self, old: str, new: str, held: bytes, salt: bytes, costs: Argon2) -> tuple[bytes, bytes]:
        """The salt and key of a new PIN, once the old one has been shown to be right.

        Args:
            old, new: the PINs.
            held, salt, costs: of the present one.

        Raises:
            ReplicaError: the old one is wrong, or none may be tried now.
            UsageError: the new one is weak.
        """
        check_pin(new)
        secret = device_secret(self._store, self.seat)
        self.tries.begin()
        if not hmac.compare_digest(self._stretch(old, salt, secret, costs), held):
            raise ReplicaError(f"wrong PIN for {self.seat}: {self.tries.left()}")
        self.tries.clear()
        return self._new_pin_key(new)

    @property
    def costs(self) -> Argon2:
        """Of PINs that are set from now on."""
        return self._costs

    def _new_pin_key(self, pin: str) -> tuple[bytes, bytes]:
        salt = os.urandom(_SALT_BYTES)
        return salt, self._stretch(pin, salt, device_secret(self._store, self.seat), self._costs)

    def _read(self) -> SlotFile:
        raw = read_secret(self.path)
        if raw is None:
            raise ReplicaError(f"{self.seat} has no keys in {self.path.parent}: sign in to the server for new ones")
        file = parsed(raw)
        if file is None:
            raise ReplicaError(
                f"{self.path} is damaged. Nothing was touched: restore it; without it the replica cannot be opened"
            )
        if file.seat != self.seat:
            raise ReplicaError(f"{self.path} holds the keys of {file.seat}, not of {self.seat}: open the right folder")
        return file


class Unlocked:
    """A seat's keys in use: a `KeyHolder` and a `RingHolder`. Make one with `Slots`; end it with `lock`."""

    def __init__(
        self,
        slots: Slots,
        keys: Keys,
        *,
        pin_key: bytes,
        share: bytes,
        salt: bytes,
        quarantine: bytes,
        costs: Argon2,
    ) -> None:
        """Use `Slots.make` or `Slots.unlock`."""
        self._slots = slots
        self._data, self._ring = bytearray(keys.data), bytearray(keys.ring)
        self._next_data, self._next_ring = bytearray(keys.next_data), bytearray(keys.next_ring)
        self._pin_key, self._share = bytearray(pin_key), bytearray(share)
        self._salt, self._quarantine, self._costs = salt, quarantine, costs
        self._locked = False

    def __repr__(self) -> str:
        return f"Unlocked({self._slots.seat!r}, {'locked' if self._locked else '…'})"

    # --- the ports ---------------------------------------------------------------------------------------------------

    def data_key(self) -> bytes:
        """See `KeyHolder`.

        Raises:
            ReplicaError: it was locked.
        """
        self._require_keys()
        return bytes(self._data)

    def ring_keys(self) -> tuple[bytes, ...]:
        """See `RingHolder`.

        Raises:
            ReplicaError: it was locked.
        """
        self._require_keys()
        return tuple(bytes(key) for key in (self._ring, self._next_ring) if key)

    def ring_settled(self, key: bytes, share: bytes | None = None) -> None:
        """See `RingHolder`. Until now both keys were under the old share; under the new one there is only this."""
        self._require_keys()
        if key not in (self._ring, self._next_ring):
            raise UsageError("this ring key is none of those that the database may be under")
        if share is not None:
            check_share(share)
            self._change(ring=key, next_ring=b"", share=share)
        elif self._next_ring:
            self._change(ring=key, next_ring=b"")

    # --- changes: each rewrites the slots, whole or not at all -------------------------------------------------------

    def next_ring(self) -> bytes:
        """Keep a new ring key beside the present one, on disk, and hand it over. `ring_settled` ends the change.

        Raises:
            UsageError: a change is under way: the database may be under its key, which must not be lost.
            ReplicaError: it was locked, or the slots cannot be written.
        """
        self._require_keys()
        if self._next_ring:
            raise UsageError("the ring key is being changed already: settle that first")
        self._change(next_ring=os.urandom(KEY_BYTES))
        return bytes(self._next_ring)

    def next_data_key(self) -> bytes:
        """Keep a new data key beside the present one, on disk; the one that is kept already when there is one."""
        self._require_keys()
        if not self._next_data:
            self._change(next_data=os.urandom(KEY_BYTES))
        return bytes(self._next_data)

    def data_keys(self) -> tuple[bytes, ...]:
        """The present data key and, while it is being changed, the next one."""
        self._require_keys()
        return tuple(bytes(key) for key in (self._data, self._next_data) if key)

    def data_settled(self, key: bytes) -> None:
        """The database is under this data key: any other is forgotten."""
        self._require_keys()
        if key not in (self._data, self._next_data):
            raise UsageError("this data key is none of those that the database may be under")
        if self._next_data or key != self._data:
            self._change(data=key, next_data=b"")

    def take_share(self, share: bytes) -> None:
        """Put the keys under a new share. Only when this has returned may the server forget the one before.

        Raises:
            UsageError: it is not 32 bytes long.
            ReplicaError: it was locked, or the slots cannot be written: they are still under the old one.
        """
        self._require_keys()
        check_share(share)
        self._change(share=share)

    def take_quarantine_key(self, key: bytes) -> None:
        """Keep another public key of the server's to which drafts are sealed.

        Raises:
            UsageError: it is not 32 bytes long.
            ReplicaError: it was locked, or the slots cannot be written: the one before is still there.
        """
        self._require_keys()
        if len(key) != KEY_BYTES:
            raise UsageError(f"a public key has exactly {KEY_BYTES} bytes, this one has {len(key)}")
        if key != self._quarantine:
            old, self._quarantine = self._quarantine, key
            try:
                self.write()
            except BaseException:
                self._quarantine = old
                raise

    def change_pin(self, old: str, new: str) -> None:
        """Put the keys under a new PIN; the old one must be right, and counts as an attempt.

        Raises:
            UsageError: the new PIN is weak.
            ReplicaError: the old PIN is wrong, or the slots cannot be written: the old PIN still holds.
        """
        self._require_keys()
        before = self._salt, self._pin_key, self._costs
        salt, key = self._slots.pin_key_for(old, new, bytes(self._pin_key), self._salt, self._costs)
        self._salt, self._pin_key, self._costs = salt, bytearray(key), self._slots.costs
        try:
            self.write()
        except BaseException:
            self._salt, self._pin_key, self._costs = before
            raise
        _zero(before[1])

    def _change(self, **changed: bytes) -> None:
        before = {name: getattr(self, f"_{name}") for name in changed}
        for name, key in changed.items():
            setattr(self, f"_{name}", bytearray(key))
        try:
            self.write()
        except BaseException:
            for name, key in before.items():
                setattr(self, f"_{name}", key)
            raise
        for key in before.values():
            _zero(key)

    def write(self) -> None:
        """Write the slots as they are now.

        Raises:
            ReplicaError: they cannot be written.
        """
        file = SlotFile(
            format=1,
            seat=self._slots.seat,
            quarantine=self._quarantine,
            share=share_name(bytes(self._share)),
            costs=self._costs,
            salt=self._salt,
        )
        keys = Keys(bytes(self._data), bytes(self._ring), bytes(self._next_data), bytes(self._next_ring))
        replace_secret(self._slots.path, sealed(file, keys, bytes(self._pin_key), bytes(self._share)))

    # --- the end -----------------------------------------------------------------------------------------------------

    @property
    def locked(self) -> bool:
        """Whether the keys are gone."""
        return self._locked

    def lock(self) -> None:
        """Zero the keys. Again: nothing. Whoever opened a replica with them closes it first."""
        self._locked = True
        for key in (self._data, self._ring, self._next_data, self._next_ring, self._pin_key, self._share):
            _zero(key)

    def _require_keys(self) -> None:
        if self._locked:
            raise ReplicaError(f"{self._slots.seat} is locked: enter the PIN")


def _zero(key: bytearray) -> None:
    key[:] = bytes(len(key))
