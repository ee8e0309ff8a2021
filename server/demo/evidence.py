"""What an expert would do with the server's log: check all of it, and a record that was given out.

Both go by a checkpoint that was kept in the middle of the shift, before the server was killed, and by the log's key as
the first administrator was told it. The checks are shown to fail on altered copies: of the database, and of the export.
"""

import asyncio
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import StoreError
from schemas.ids import DeviceId, RecordId, split_op_id
from schemas.roles import Role
from server.authority import ServerKeys
from server.authority.keys import FOLDER as KEYS
from server.demo import content
from server.demo.people import Person
from server.demo.stage import Stage
from server.intake import KeptReceipt, SealedEdit
from server.logbook import QUARANTINE, RECEIPT
from server.store.sqlite import SqliteStore

_PAGE: Final = 1_000
_SUPERINTENDENT: Final = Person(
    "custody-office", "WM40001", (f"suite:{content.SUITE}",), (Role.SUPERINTENDENT,), posts=(content.CUSTODY,)
)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the server keeps beside records.

    Attributes:
        receipts: signed receipts of devices for what they removed.
        quarantined: (seat, number) -> the op, unsealed with the server's own key.
        refused: (seat, number) of the ops that it keeps as refused: they stand in no record.
    """

    receipts: int = 0
    quarantined: dict[tuple[DeviceId, int], bytes] = msgspec.field(default_factory=dict)
    refused: frozenset[tuple[DeviceId, int]] = frozenset()


class Evidence:
    """The log of one server, and what is given out of it."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        """Bind it; `folder` takes what is kept and given out."""
        self._stage = stage
        self._folder = folder
        self._checkpoint = folder / "kept.checkpoint"
        self._export = folder / "disclosed.zip"
        self._log = ""

    async def keep_checkpoint(self) -> None:
        """Keep the log's signed head as it is now, as a witness or a court would."""
        self._folder.mkdir(exist_ok=True)
        told = await self._stage.get("/v1/log/checkpoint")
        self._log = self._stage.administration.access.file.log_key
        self._checkpoint.write_text(told["checkpoint"], encoding="utf-8")

    async def disclose(self, record: RecordId) -> bool:
        """A superintendent gives a record out. Whether what they hand over proves itself, and an altered one does not.

        Raises:
            StoreError: there was nothing to hand over; the text says why.
        """
        access = self._folder / "superintendent"
        await asyncio.to_thread(self._stage.administration.caller, _SUPERINTENDENT, access)
        arguments = ("--to", "The Crown Prosecution Service", "--why", "Asked for in a court case")
        code, told = await _run("disclose", record, *arguments, "--out", self._export, "--folder", access)
        if code:
            raise StoreError(f"the record could not be given out: {told}")
        altered = self._folder / "altered.zip"
        raw = bytearray(self._export.read_bytes())
        # In the middle of a compressed file: whatever it is there, it is no longer what was given out.
        raw[len(raw) // 2] ^= 1
        altered.write_bytes(raw)
        sound, _ = await _run("verify", self._export, "--log", self._log)
        found, _ = await _run("verify", altered, "--log", self._log)
        return sound == 0 and found != 0

    async def verify(self) -> bool:
        """Whether the log of the stopped server is sound, and a copy from which one op was taken is not."""
        data, copy = self._stage.data, self._folder / "copy"
        await asyncio.to_thread(shutil.copytree, data, copy)
        with sqlite3.connect(copy / "beatbook.db") as connection:
            connection.execute("DELETE FROM op WHERE rowid = (SELECT MAX(rowid) FROM op)")
        connection.close()
        pinned = ("--checkpoint", self._checkpoint, "--log", self._log)
        (sound, _), (found, _) = await asyncio.gather(_run("verify", data, *pinned), _run("verify", copy, *pinned))
        return sound == 0 and found == 1

    async def kept(self) -> Kept:
        """What the stopped server keeps of receipts and in quarantine."""
        keys = await asyncio.to_thread(ServerKeys.open, self._stage.data / KEYS)
        store = await SqliteStore.open(self._stage.data, inline=True)
        try:
            receipts = [msgspec.msgpack.decode(raw, type=KeptReceipt) for raw in await _journal(store, RECEIPT)]
            edits = [msgspec.msgpack.decode(raw, type=SealedEdit) for raw in await _journal(store, QUARANTINE)]
            refused = await _refused(store)
        finally:
            await store.close()
        opened = {(edit.seat, edit.id): keys.unseal(edit.sealed) for edit in edits}
        return Kept(receipts=len(receipts), quarantined=opened, refused=refused)


async def _refused(store: SqliteStore) -> frozenset[tuple[DeviceId, int]]:
    found: set[tuple[DeviceId, int]] = set()
    after = 0
    while ops := await store.ops(None, after, _PAGE):
        found.update(split_op_id(op.id) for op in ops if op.result.status == "refused")
        after = ops[-1].place
    return frozenset(found)


async def _journal(store: SqliteStore, what: str) -> list[bytes]:
    found: list[bytes] = []
    after = 0
    while entries := await store.journal(what, after, _PAGE):
        found += [entry.body for entry in entries if entry.body is not None]
        after = entries[-1].place
    return found


async def _run(command: str, *arguments: str | Path) -> tuple[int, str]:
    """(exit code, what it said) of one of our own commands, as a person would call it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server.cli", command, *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await process.communicate()
    return process.returncode or 0, told.decode(errors="replace")
