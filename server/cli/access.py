"""The folder in which somebody's access to a server is kept: the device's key, and who is signed in there.

`identity.json` is the device's key, as a handset has it; `access.json` says which server, which seat, and holds the
token, which is worth nothing without the key. Both are readable by their owner only. No passphrase is ever kept.
"""

from pathlib import Path
from typing import Annotated, Final

import msgspec

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId, Millis, MillisInt
from server.cli.proving import DpopAuth, Held
from sync.device.keys import DeviceIdentity
from sync.device.secretfile import read_secret, replace_secret

IDENTITY: Final = "identity.json"
ACCESS: Final = "access.json"
FOLDER: Final = Path("beatbook-access")
"""Where the commands look when they are told no other folder."""


class AccessFile(msgspec.Struct, frozen=True, kw_only=True):
    """What `access.json` holds.

    Attributes:
        server: base of the server's HTTP side.
        seat, officer: who is signed in; "" where nobody is.
        token, until: the token and when it ends by this machine's clock (ms since 1970).
        ca_file: PEM file of the authority that vouches for the server's certificate; "" for the machine's own.
        log_key: the vkey of the server's log, as it was told at the enrolment.
    """

    server: Annotated[str, msgspec.Meta(max_length=512)]
    seat: Annotated[str, msgspec.Meta(max_length=40)] = ""
    officer: Annotated[str, msgspec.Meta(max_length=40)] = ""
    token: Annotated[str, msgspec.Meta(max_length=2_048)] = ""
    until: MillisInt = Millis(0)
    ca_file: Annotated[str, msgspec.Meta(max_length=512)] = ""
    log_key: Annotated[str, msgspec.Meta(max_length=256)] = ""


class Access:
    """One folder.

    Attributes:
        folder: where.
        identity: the device.
        file: the rest, as it is kept.
    """

    def __init__(self, folder: Path, identity: DeviceIdentity, file: AccessFile) -> None:
        """Use `open` or `make`."""
        self.folder = folder
        self.identity = identity
        self.file = file

    @classmethod
    def open(cls, folder: Path) -> "Access":
        """What is kept in a folder.

        Raises:
            UsageError: nothing is kept there.
            ReplicaError: a file is damaged, or others may read it.
        """
        raw = read_secret(folder / ACCESS)
        if raw is None or not (folder / IDENTITY).exists():
            raise UsageError(
                f"{folder} holds no access to a server: `beatbook setup` makes that of the first administrator, "
                "`beatbook enrol` that of another device; or name the right folder with --folder"
            )
        try:
            file = msgspec.json.decode(raw, type=AccessFile)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise ReplicaError(f"{folder / ACCESS} is damaged; delete it and sign in again with --server") from None
        return cls(folder, DeviceIdentity.load(folder / IDENTITY), file)

    @classmethod
    def make(cls, folder: Path, identity: DeviceIdentity, file: AccessFile) -> "Access":
        """Keep it; the identity is there already, or is written now.

        Raises:
            ReplicaError: it cannot be written.
        """
        if not (folder / IDENTITY).exists():
            identity.save(folder / IDENTITY)
        access = cls(folder, identity, file)
        access.keep(file)
        return access

    def keep(self, file: AccessFile) -> None:
        """Keep another state of it.

        Raises:
            ReplicaError: it cannot be written.
        """
        replace_secret(self.folder / ACCESS, msgspec.json.encode(file))
        self.file = file

    def auth(self) -> DpopAuth:
        """What proves calls as whoever is signed in; new tokens are kept.

        Raises:
            UsageError: nobody is signed in.
        """
        if not self.file.seat:
            raise UsageError(f"nobody is signed in at {self.folder}: use `beatbook sign-in`")
        held = Held(seat=DeviceId(self.file.seat), token=self.file.token, until=self.file.until)
        return DpopAuth(self.identity, held, renewed=self._renewed)

    def _renewed(self, held: Held) -> None:
        self.keep(msgspec.structs.replace(self.file, seat=held.seat, token=held.token, until=held.until))
