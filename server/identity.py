"""Who may connect: enrolled devices, one JSON file each in the data folder's `devices/`.

This is the development form of identity: devices and their grants are fixed by whoever runs the server. What is real
from the first day is that a device proves its key over the server's nonce at every connection.
"""

import base64
import binascii
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from schemas import scopes
from schemas.errors import PeerError, StoreError, UsageError
from schemas.ids import (
    DEVICE_PATTERN,
    DeviceId,
    DeviceText,
    Generation,
    GenerationInt,
    Millis,
    OfficerText,
    ScopeName,
    ScopeText,
)
from schemas.limits import SCOPES_PER_DEVICE_MAX
from schemas.wire import HelloBody
from server.gate import Seated
from server.logbook import OFFICE

PUBLIC_KEY_BYTES: Final = 32


class GrantEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A device's right to one scope, now or once.

    Attributes:
        gen: rises whenever the right begins anew, so that nothing of an older one is taken for the present one.
        active: whether the right stands.
    """

    gen: GenerationInt
    active: bool = True


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """One device.

    Attributes:
        device: its id.
        officer: collar number of whoever it is issued to.
        public_key: its Ed25519 public key, 32 bytes in base64.
        grants: scope -> right.
    """

    device: DeviceText
    officer: OfficerText
    public_key: Annotated[str, msgspec.Meta(max_length=64)]
    grants: dict[ScopeText, GrantEntry]

    @property
    def key(self) -> bytes:
        """The public key as bytes."""
        return base64.b64decode(self.public_key)

    def generations(self) -> dict[ScopeName, Generation]:
        """The scopes it holds, with their generations."""
        return {scope: grant.gen for scope, grant in self.grants.items() if grant.active}


class Directory:
    """The enrolled devices of one data folder."""

    def __init__(self, folder: Path) -> None:
        """Bind it to a folder; it is made when the first device is enrolled."""
        self._folder = folder

    def find(self, device: DeviceId) -> Enrolment | None:
        """One device, as it is enrolled now; None when it is not.

        Raises:
            StoreError: its file is damaged.
        """
        if re.match(DEVICE_PATTERN, device) is None:
            return None
        path = self._folder / f"{device}.json"
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
        try:
            enrolment = msgspec.json.decode(raw, type=Enrolment)
            size = len(enrolment.key)
        except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError) as error:
            raise StoreError(f"{path}: damaged enrolment ({error}); mend it or enrol the device again") from None
        if size != PUBLIC_KEY_BYTES:
            raise StoreError(f"{path}: damaged enrolment (a key of {size} bytes); enrol the device again")
        if enrolment.device != device:
            raise StoreError(f"{path}: damaged enrolment (it is of device {enrolment.device!r}); give it its own name")
        return enrolment

    def all(self) -> list[Enrolment]:
        """Every enrolled device, by id."""
        if not self._folder.is_dir():
            return []
        names = sorted(path.stem for path in self._folder.glob("*.json"))
        return [enrolment for name in names if (enrolment := self.find(DeviceId(name))) is not None]

    def enrol(self, device: DeviceId, officer: str, public_key: bytes, audiences: Iterable[ScopeName]) -> Enrolment:
        """Enrol a device, or enrol it anew with another key.

        Raises:
            UsageError: an audience is none, they are too many, key or ids have not their form, or the id is the
                server's own.
        """
        if len(public_key) != PUBLIC_KEY_BYTES:
            raise UsageError(f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, this one {len(public_key)}")
        if device == OFFICE:
            raise UsageError(f"{OFFICE!r} is the server's own name for what it writes; give the device another id")
        before = self.find(device)
        enrolment = Enrolment(
            device=device,
            officer=officer,  # type: ignore[arg-type]  # its form is checked below
            public_key=base64.b64encode(public_key).decode(),
            grants=_granted({} if before is None else before.grants, _expanded(audiences)),
        )
        self._keep(enrolment)
        return enrolment

    def regrant(self, device: DeviceId, audiences: Iterable[ScopeName]) -> Enrolment:
        """Change what a device may see.

        Raises:
            UsageError: no such device, or an audience is none, or they are too many.
        """
        before = self.find(device)
        if before is None:
            raise UsageError(f"no device {device!r} is enrolled")
        enrolment = msgspec.structs.replace(before, grants=_granted(before.grants, _expanded(audiences)))
        self._keep(enrolment)
        return enrolment

    def _keep(self, enrolment: Enrolment) -> None:
        try:
            raw = msgspec.json.encode(enrolment)
            msgspec.json.decode(raw, type=Enrolment)
        except msgspec.ValidationError as error:
            raise UsageError(f"device {enrolment.device!r} cannot be enrolled: {error}") from None
        path = self._folder / f"{enrolment.device}.json"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = path.with_suffix(".new")
            with beside.open("wb") as file:
                file.write(json.dumps(json.loads(raw), indent=1, sort_keys=True).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written ({error.strerror}); check folder and disk") from None


def _expanded(audiences: Iterable[ScopeName]) -> frozenset[ScopeName]:
    wanted = frozenset(audiences)
    for audience in sorted(wanted):
        wrong = scopes.grant_problem(audience)
        if wrong is not None:
            raise UsageError(wrong)
    expanded = scopes.with_briefings(wanted)
    if len(expanded) > SCOPES_PER_DEVICE_MAX:
        raise UsageError(f"{len(wanted)} audiences and their briefings: a device holds {SCOPES_PER_DEVICE_MAX} scopes")
    return expanded


def _granted(before: dict[ScopeName, GrantEntry], wanted: frozenset[ScopeName]) -> dict[ScopeName, GrantEntry]:
    """The grants after a change: what begins anew gets the next generation, what ended is remembered for it."""
    after = {}
    for scope in sorted(before.keys() | wanted):
        old = before.get(scope)
        if scope not in wanted and old is not None:
            after[scope] = GrantEntry(gen=old.gen, active=False)
        elif old is None:
            after[scope] = GrantEntry(gen=Generation(1))
        else:
            after[scope] = old if old.active else GrantEntry(gen=Generation(old.gen + 1))
    return after


class DirectoryGate:
    """The gate of a directory (`server.gate.Gate`): a device is who its key says, and no more is asked."""

    def __init__(self, directory: Directory) -> None:
        """Bind it."""
        self._directory = directory

    async def look(self, device: DeviceId, _body: HelloBody) -> Seated:
        """See `Gate`."""
        enrolment = self._directory.find(device)
        if enrolment is None:
            raise PeerError("unknown_device", device)
        return Seated(public_key=enrolment.key)

    def grants(self, device: DeviceId) -> Mapping[ScopeName, Generation]:
        """See `Gate`."""
        enrolment = self._directory.find(device)
        return {} if enrolment is None else enrolment.generations()

    def roles(self, _device: DeviceId, _since: Millis) -> None:
        """See `Gate`."""

    async def lease(self, _device: DeviceId, *, fresh_share: bool = False) -> None:
        """See `Gate`."""

    async def checkpoint(self, _pinned: int) -> tuple[int, bytes, tuple[bytes, ...]]:
        """See `Gate`."""
        return 0, b"", ()
