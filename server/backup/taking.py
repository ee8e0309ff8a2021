"""Taking a backup: a data folder, in one state, into one encrypted archive."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import StoreError, UsageError
from schemas.ids import Millis
from server.authority.checkpoints import origin_of
from server.authority.keys import FOLDER as KEYS
from server.backup import configured, target
from server.backup.archive import ArchiveWriter, Description
from server.backup.erasures import KeptErasure, read_erasures
from server.backup.keys import Recipient, Wrap, wrap_for, wrap_under
from server.backup.snapshot import WAL_GROWTH_MAX, Snapshot, snapshot
from server.backup.stream import SealingStream
from server.secret_files import Secret, read_secret
from server.store.masters import MasterKeys, key_file, sync_folder
from server.store.sqlite.folder import database_of
from server.store.sqlite.schema import open_reader
from server.store.sqlite.sealed import SealedTables
from server.store.sqlite.trouble import store_errors
from server.store.vault import Vault
from sync.evidence import checkpoint
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.merkle import Frontier
from sync.evidence.note import KeyType, VerifierKey

TOLD_IN: Final = "backup.json"
"""File of the data folder that says when the last backup was taken; whoever watches the server reads it."""


class Taken(msgspec.Struct, frozen=True):
    """A backup that was taken.

    Attributes:
        at: when it was begun (ms since 1970).
        bytes: of the archive.
        seq: the last commit that was acknowledged when it was begun; all up to that one are in it.
        leaves: entries of the log then.
    """

    at: Millis
    bytes: int
    seq: int
    leaves: int


class Readers(msgspec.Struct, frozen=True):
    """Who is to open an archive: recipients' keys, a passphrase, or both.

    Attributes:
        recipients: each opens it alone.
        passphrase: opens it as well; None without one.
    """

    recipients: tuple[Recipient, ...]
    passphrase: Secret | None = None

    def wrap(self, key: bytes) -> Sequence[Wrap]:
        """An archive's key for each of them.

        Raises:
            UsageError: there are none, or the passphrase is too short.
        """
        if not self.recipients and self.passphrase is None:
            raise UsageError("say who can open the backup: --recipient or --passphrase-file")
        wraps: list[Wrap] = [wrap_for(one, key) for one in dict.fromkeys(self.recipients)]
        return wraps if self.passphrase is None else [*wraps, wrap_under(self.passphrase, key)]


def wall_clock() -> Millis:
    """This machine's clock: ms since 1970."""
    return Millis(time.time_ns() // 1_000_000)


def take(
    data: Path,
    to: Path | None,
    readers: Readers,
    now: Callable[[], Millis] = wall_clock,
    *,
    growth_max: int = WAL_GROWTH_MAX,
    configuration: Sequence[Path] = (),
) -> Taken:
    """Back up a data folder, whether a server runs on it or not.

    Args:
        data: the data folder.
        to: the file, or a folder of backups in which it gets a name of its own; None is standard output.
        readers: who can open it.
        now: the clock.
        growth_max: how far the server's write-ahead log may grow meanwhile (bytes).
        configuration: files from elsewhere that are taken along (`server.backup.configured`).

    Raises:
        UsageError: nobody could open it, or the target is none.
        StoreError: the folder cannot be read or the target not written. What was there is there then.
    """
    at = now()
    # First, in bounded pages: years of acts are not read while a reader holds up the server's checkpoints.
    erasures = _erasures_of(data)
    told = tuple(configured.files(configuration))
    path = target.file_in(to, at) if to is not None and to.is_dir() else to
    with target.opened(path) as file, snapshot(data, growth_max) as state:
        sealing = SealingStream(file, readers.wrap)
        archive = ArchiveWriter(sealing, _described(state, at, erasures))
        for name, pieces in chain(state.files(), told):
            archive.file(name, pieces)
        archive.end()
        sealing.finish()
        taken = Taken(at, sealing.written, state.seq, state.tree.size)
    try:
        _tell(data, taken)
    except StoreError as error:
        raise StoreError(f"the backup is whole, and the data folder cannot say so: {error}") from None
    return taken


def take_erasures(data: Path, to: Path | None, readers: Readers, now: Callable[[], Millis] = wall_clock) -> int:
    """Write down what was erased, as an archive that a restore takes. As `take`; returns how many there are."""
    at, erasures = now(), _erasures_of(data)
    with target.opened(to) as file, snapshot(data) as state:
        sealing = SealingStream(file, readers.wrap)
        description = _described(state, at, erasures)
        ArchiveWriter(sealing, msgspec.structs.replace(description, holds="erasures")).end()
        sealing.finish()
    return len(erasures)


def read_taken(data: Path) -> Taken | None:
    """The last backup that a data folder tells of; None without one."""
    try:
        return msgspec.json.decode((data / TOLD_IN).read_bytes(), type=Taken)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _erasures_of(data: Path) -> tuple[KeptErasure, ...]:
    database = database_of(data)
    if not database.exists():
        raise StoreError(f"{data}: there is no database in it; name the data folder that the server runs on")
    keys = MasterKeys.read(key_file(data))
    with store_errors(database), closing(open_reader(database)) as connection:
        return read_erasures(SealedTables(connection, Vault(keys, database)))


def _described(state: Snapshot, at: Millis, erasures: tuple[KeptErasure, ...]) -> Description:
    signed, key = _signed(state.data / KEYS / "log.key", state.tree)
    return Description(
        holds="folder",
        at=at,
        program=version("beatbook"),
        epoch=state.epoch,
        seq=state.seq,
        leaves=state.tree.size,
        checkpoint=signed,
        log_key=key,
        erasures=erasures,
    )


def _signed(path: Path, tree: Frontier) -> tuple[str, str]:
    """(checkpoint, verifier key) of a log; nothing of a folder that no server has run on."""
    if not path.exists():
        return "", ""
    try:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(read_secret(path).reveal()))
    except ValueError:
        raise StoreError(f"{path}: holds no key; restore it from the backup of the keys") from None
    public = key.public_key().public_bytes_raw()
    verifier = VerifierKey(origin_of(public), KeyType.ED25519, public)
    return checkpoint.sign(Checkpoint(verifier.name, tree.size, tree.root), verifier, key.sign).decode(), str(verifier)


def _tell(data: Path, taken: Taken) -> None:
    beside = data / f"{TOLD_IN}.new"
    with store_errors(data):
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(taken))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(data / TOLD_IN)
        sync_folder(data)
