"""What a disclosure export of one record holds, and its file: a zip that is the same for the same evidence.

    evidence.json   everything that proves something, byte for byte
    record.json     the record's story, for programs
    index.html      the same for people: one page, no scripts, nothing loaded from elsewhere

The two readable files are made from the first by `server.evidence.page`, and whoever checks the export makes them anew:
what somebody reads is then what is proven, and nothing else.
"""

import io
import zipfile
from pathlib import Path
from typing import Final

import msgspec

from schemas.codec import decode_row, reread_op
from schemas.errors import FrameError, StoreError, UsageError
from schemas.ids import DeviceId, Millis, OfficerId, RecordId
from schemas.wire import Result
from sync import merge
from sync.evidence.leaf import OpLeaf, decode
from sync.explain import Account, Logged
from sync.history import Act

FORMAT: Final = 1
EVIDENCE: Final = "evidence.json"
STORY: Final = "record.json"
PAGE: Final = "index.html"
FILE_BYTES_MAX: Final = 256 * 1024 * 1024
"""One file of an export, unpacked: a record of the largest size with all that ever happened to it is far below."""
_MADE: Final = (1980, 1, 1, 0, 0, 0)
"""What the zip says of every file's time: the same evidence gives the same bytes."""
_RESULT: Final = msgspec.msgpack.Decoder(Result)
_ACTS: Final = msgspec.msgpack.Decoder(tuple[Act, ...])


class Proven(msgspec.Struct, frozen=True):
    """An entry of the log with its inclusion proof in the export's checkpoint (RFC 6962 section 2.1.1).

    Attributes:
        index: its place in the log, from 0.
        leaf: its bytes.
        path: 32 bytes each, from its sibling up.
    """

    index: int
    leaf: bytes
    path: tuple[bytes, ...]


class OpEvidence(msgspec.Struct, frozen=True):
    """An op: its bytes as they came, its result and what it did as the server keeps them, and its entry of the log."""

    body: bytes
    result: bytes
    acts: bytes
    proven: Proven


class EntryEvidence(msgspec.Struct, frozen=True):
    """A journal entry: a signed head, or an act of administration; and its entry of the log."""

    what: str
    key: str
    body: bytes
    proven: Proven


class RowEvidence(msgspec.Struct, frozen=True):
    """A record as one commit left it; and that commit's entry of the log."""

    body: bytes
    proven: Proven


class ToldRead(msgspec.Struct, frozen=True):
    """That somebody consulted, combined or passed on the record. Its wording is told and not proven.

    The entry of the log bears the hash of what was kept; that is not in here, since it names other people's records.
    """

    what: str
    officer: str
    seat: DeviceId
    at: Millis
    why: str
    recipients: tuple[str, ...]
    proven: Proven


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is given out about one record.

    Attributes:
        format: of this file.
        record: which.
        made_at: when the export was made (ms since 1970).
        made_by: by whom.
        recipients: for whom.
        why: what for.
        log: the log's verifier key (vkey). A verifier's own copy of it counts, not this one.
        checkpoint: the log's signed head, with the witnesses' cosignatures that the log has.
        rows: the record, then the inbox items about it.
        ops: on all of these, in the order in which they were decided.
        heads: what devices signed for them.
        acts: who the devices and people are, and what was decided about keeping and giving out the record.
        reads: who consulted it.
    """

    format: int = FORMAT
    record: RecordId
    made_at: Millis
    made_by: OfficerId
    recipients: tuple[str, ...]
    why: str
    log: str
    checkpoint: bytes
    rows: tuple[RowEvidence, ...]
    ops: tuple[OpEvidence, ...]
    heads: tuple[EntryEvidence, ...]
    acts: tuple[EntryEvidence, ...]
    reads: tuple[ToldRead, ...] = ()

    def entries(self) -> list[Proven]:
        """Every entry of the log in here."""
        ops = [one.proven for one in self.ops]
        kept = [one.proven for one in (*self.heads, *self.acts)]
        return [*(one.proven for one in self.rows), *ops, *kept, *(one.proven for one in self.reads)]

    def account(self) -> Account:
        """The record's story as the explaining side takes it.

        Raises:
            UsageError: something in here is not what it says.
        """
        try:
            states = [merge.from_row(decode_row(row.body)) for row in self.rows]
            log = [_logged(op) for op in self.ops]
        except (FrameError, ValueError, msgspec.MsgspecError, KeyError, TypeError) as error:
            raise UsageError(f"the export's record or one of its ops cannot be read ({error})") from None
        if not states or states[0].id != self.record:
            raise UsageError(f"the export does not hold the record {self.record} that it is about")
        return Account(state=states[0], log=tuple(log), items={item.id: item for item in states[1:]}, now=self.made_at)


def op_leaf(op: OpEvidence) -> OpLeaf:
    """The entry of the log that an op's evidence bears.

    Raises:
        UsageError: it is not an op's.
    """
    try:
        leaf = decode(op.proven.leaf)
    except StoreError as error:
        raise UsageError(f"entry {op.proven.index} of the log: {error}") from None
    if not isinstance(leaf, OpLeaf):
        raise UsageError(f"entry {op.proven.index} of the log is given as an op's, and is none")
    return leaf


def _logged(op: OpEvidence) -> Logged:
    leaf = op_leaf(op)
    return Logged(
        op=reread_op(op.body),
        seq=leaf.seq,
        recorded_at=leaf.at,
        result=_RESULT.decode(op.result),
        acts=_ACTS.decode(op.acts),
    )


def write(files: dict[str, bytes]) -> bytes:
    """The zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _MADE), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read(path: Path) -> dict[str, bytes]:
    """The files of an export: a zip, or a folder that it was unpacked into.

    Raises:
        UsageError: it is none, or a file in it is too large.
    """
    names = (EVIDENCE, STORY, PAGE)
    try:
        if path.is_dir():
            if any((path / name).stat().st_size > FILE_BYTES_MAX for name in names):
                raise UsageError(f"{path}: a file in it is larger than any that this program makes")
            return {name: (path / name).read_bytes() for name in names}
        with zipfile.ZipFile(path) as archive:
            if sorted(archive.namelist()) != sorted(names):
                raise UsageError(f"{path}: holds {', '.join(archive.namelist()[:5])}, expected {', '.join(names)}")
            if any(info.file_size > FILE_BYTES_MAX for info in archive.infolist()):
                raise UsageError(f"{path}: a file in it is larger than any that this program makes")
            return {name: archive.read(name) for name in names}
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UsageError(f"{path}: is no disclosure export that can be read ({error})") from None


def is_export(path: Path) -> bool:
    """Whether a file or folder looks like one."""
    return (path / EVIDENCE).is_file() if path.is_dir() else zipfile.is_zipfile(path)


def evidence_in(files: dict[str, bytes]) -> Evidence:
    """The evidence.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        found = msgspec.json.decode(files[EVIDENCE], type=Evidence)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{EVIDENCE} of the export cannot be read ({error})") from None
    if found.format != FORMAT:
        raise UsageError(f"the export has format {found.format}, this program knows {FORMAT}; take a newer program")
    return found
