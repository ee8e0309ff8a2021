"""Ops and journal entries against the leaves that the log has of them, in one walk in the order of the leaves."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from schemas.codec import reread_op
from schemas.errors import FrameError, StoreError
from schemas.ids import Millis, RecordId, Seq
from schemas.ops import Op
from schemas.wire import Result
from server import logbook
from server.evidence.findings import Findings
from server.evidence.history import ScopeHistory
from server.evidence.story import SignedOp, Story
from server.store.sqlite.inspection import Body, Closed, EntryRow, Inspection, OpRow
from sync.evidence.leaf import EntryLeaf, Leaf, OpLeaf, RowsLeaf
from sync.explain.values import moment
from sync.history import Act

_RESULT: Final = msgspec.msgpack.Decoder(Result)
_ACTS: Final = msgspec.msgpack.Decoder(tuple[Act, ...])
_NO_ACTS: Final = msgspec.msgpack.encode(())
_EDITED: Final = "It was edited in the database after it was committed."
_TAKEN: Final = "It was taken out of the database after it was committed."
_ABOUT_ERASED: Final = "op_record_erased"
_ADDED: Final = "It was put into the database by no commit."


class _Leafed(Protocol):
    @property
    def leaf(self) -> int: ...


_L = TypeVar("_L", bound=_Leafed)


class _Stream(Generic[_L]):
    """Rows in the order of the leaves that they name."""

    def __init__(self, rows: Iterator[_L]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def upto(self, index: int) -> Iterator[_L]:
        """The rows of leaves up to and with this one."""
        while self._next is not None and self._next.leaf <= index:
            row, self._next = self._next, next(self._rows, None)
            yield row

    def rest(self) -> Iterator[_L]:
        """All that is left."""
        while self._next is not None:
            row, self._next = self._next, next(self._rows, None)
            yield row


class Contents:
    """Walks ops and entries along the leaves.

    Attributes:
        newest: record -> (commit, SHA-256 of its row) of the last leaf that names it.
        erased_at: erased record -> the server's clock at the commit that erased it (ms since 1970).
        seq: the last commit that changed records.
        histories: which scopes records have been in.
    """

    def __init__(self, inspection: Inspection, findings: Findings, story: Story) -> None:
        """Begin before the first leaf."""
        self._inspection = inspection
        self._findings = findings
        self._story = story
        self._ops = _Stream(inspection.ops())
        self._entries = _Stream(inspection.entries())
        self._places = {"op": 0, "journal": 0}
        self._at = Millis(0)
        self._marked = Seq(0)
        self._began = False
        self.logged_before = False
        """Whether the log began with ops that were there already."""
        self.seq = Seq(0)
        self.newest: dict[RecordId, tuple[Seq, bytes]] = {}
        self.erased_at: dict[RecordId, Millis] = {}
        self.histories = ScopeHistory(member for member in inspection.members() if member.gone)
        self._erased = {row.record for row in inspection.erased()}
        self._ahead: list[EntryRow] = []

    def leaf(self, index: int, leaf: Leaf) -> None:
        """Compare what the leaf is of."""
        if isinstance(leaf, RowsLeaf) and not self._began and self._places["op"]:
            self.logged_before = True
        self._began = self._began or not isinstance(leaf, OpLeaf) or leaf.place != index + 1
        self._time(index, leaf)
        self._look_ahead(leaf)
        ops = [row for row in self._ops.upto(index) if self._is_here(row, index)]
        entries = [row for row in self._entries.upto(index) if self._is_here(row, index)]
        match leaf:
            case OpLeaf():
                self._strays(entries)
                if self._one(ops, "op", leaf.id):
                    self._op(ops[0], leaf)
                self._marked = leaf.seq
            case EntryLeaf():
                self._strays(ops)
                if self._one(entries, "journal", f"{leaf.what} {leaf.key}"):
                    self._entry(entries[0], leaf)
            case RowsLeaf():
                self._strays(ops)
                self._strays(entries)
                self.newest.update((record, (leaf.seq, digest)) for record, digest in leaf.rows)
                self.erased_at.update((one, leaf.at) for one, digest in leaf.rows if digest == logbook.ERASED_DIGEST)
                self.histories.changed(leaf)
                self._marked = self.seq = leaf.seq

    def end(self) -> None:
        """All leaves have come: rows that are left belong to none."""
        self._look_ahead(None)
        self._strays(self._ops.rest())
        self._strays(self._entries.rest())

    def _time(self, index: int, leaf: Leaf) -> None:
        if leaf.at < self._at:
            self._findings.note(
                f"the server's clock was set back before entry {index} of the log, from {moment(self._at)} to "
                f"{moment(leaf.at)}: times around it are doubtful, their order is not"
            )
        self._at = leaf.at

    # --- which row is of which leaf ----------------------------------------------------------------------------------

    def _is_here(self, row: OpRow | EntryRow, index: int) -> bool:
        if row.leaf != index:
            self._strays([row])
        return row.leaf == index

    def _strays(self, rows: Iterable[OpRow | EntryRow]) -> None:
        for row in rows:
            table, name = ("op", row.id) if isinstance(row, OpRow) else ("journal", f"{row.what} {row.key}")
            self._findings.wrong(table, name, f"the log's entry {row.leaf} is not of it", _ADDED)

    def _one(self, rows: Sequence[OpRow | EntryRow], table: str, name: str) -> bool:
        self._places[table] += 1
        if not rows:
            self._findings.wrong(table, name, "is in the log and not in the table", _TAKEN)
        self._strays(rows[1:])
        return bool(rows)

    # --- ops ---------------------------------------------------------------------------------------------------------

    def _op(self, row: OpRow, leaf: OpLeaf) -> None:
        self._findings.looked_at("ops")
        said = (row.id, row.digest, row.seq, row.recorded_at, row.place)
        kept = (leaf.id, leaf.digest, leaf.seq, leaf.at, leaf.place)
        names = ("name", "hash", "commit", "time of recording", "place")
        self._fields("op", row.id, names, said, kept)
        if leaf.place != self._places["op"]:
            self._findings.wrong("op", row.id, f"is op {self._places['op']} by its place in the log", _EDITED)
        if row.record in self._erased or not row.body:
            self._erased_op(row, leaf)
            self._story.op((row.device, row.n), SignedOp(leaf.digest, None))
            return
        self._outcome(row, leaf)
        body = self._open("op", row.id, lambda: self._inspection.op_body(row), "ops")
        op = None if body is None else self._content(row, leaf, body)
        link = op.link if op is not None and (op.link or op.salt) else None
        self._story.op((row.device, row.n), SignedOp(leaf.digest, link))

    def _content(self, row: OpRow, leaf: OpLeaf, body: bytes) -> Op | None:
        if hashlib.sha256(body).digest() != leaf.digest:
            self._findings.wrong("op", row.id, "its bytes have another hash than its leaf", _EDITED)
            return None
        try:
            op = reread_op(body)
        except FrameError as error:
            self._findings.wrong(
                "op", row.id, f"cannot be read ({error})", "A newer program wrote it, or a defect did."
            )
            return None
        if (op.id, op.record) != (row.id, row.record):
            self._findings.wrong("op", row.id, f"says that it is {op.id} on record {op.record}", _EDITED)
        return op

    def _erased_op(self, row: OpRow, leaf: OpLeaf) -> None:
        """An op of which only its hash, its place and its result without words are kept."""
        self._findings.passed_over("ops, by their content: they were erased with their record")
        try:
            told = _RESULT.decode(row.result)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._findings.wrong("op", row.id, "its result cannot be read", _EDITED)
            return
        as_settled = not row.body and logbook.outcome_digest(row.result, row.acts) == leaf.outcome
        # What came late about a part of an erased record was never kept: the log has it that this was its result.
        came_late = as_settled and told.status == "refused" and told.code == _ABOUT_ERASED
        if row.record not in self._erased and not came_late:
            self._findings.wrong("op", row.id, "its bytes are not there, and no act erased its record", _EDITED)
        self.histories.op(row.record, told, ())
        if as_settled:
            return
        wordless = not told.detail and told.n == row.n and told.seq in {0, row.seq}
        if row.body or row.acts != _NO_ACTS or not wordless:
            self._findings.wrong("op", row.id, "holds more than may be left of an erased record", _EDITED)

    def _outcome(self, row: OpRow, leaf: OpLeaf) -> None:
        result = self._open("op", row.id, lambda: self._inspection.op_result(row), "results of ops")
        if result is None:
            return
        if logbook.outcome_digest(result, row.acts) != leaf.outcome:
            self._findings.wrong("op", row.id, "its result, or what it did, has another hash than its leaf", _EDITED)
            return
        try:
            self.histories.op(row.record, _RESULT.decode(result), _ACTS.decode(row.acts))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._findings.wrong(
                "op", row.id, "its result cannot be read", "A newer program wrote it, or a defect did."
            )

    # --- journal -----------------------------------------------------------------------------------------------------

    def _entry(self, row: EntryRow, leaf: EntryLeaf) -> None:
        self._findings.looked_at("journal entries")
        name = f"{row.what} {row.key}"
        said = (row.what, row.key, row.at, row.place)
        kept = (leaf.what, leaf.key, leaf.at, self._places["journal"])
        self._fields("journal", name, ("sort", "key", "time", "place"), said, kept)
        if row.seq != self._marked or self._ahead:
            self._ahead.append(row)
        if (row.body is None) != (row.record in self._erased):
            there = "is not there, and no act erased" if row.body is None else "is there, and an act erased"
            self._findings.wrong("journal", name, f"its body {there} what it is about", _EDITED)
        body = self._open("journal", name, lambda: self._inspection.entry_body(row), "journal entries")
        if body is None:
            self._story.blind = self._story.blind or row.record is None
        elif hashlib.sha256(body).digest() != leaf.digest:
            self._findings.wrong("journal", name, "its body has another hash than its leaf", _EDITED)
        else:
            self._story.entry(row, body, leaf.at)

    def _look_ahead(self, leaf: Leaf | None) -> None:
        """Entries that name another commit than the one before them can only be of one that erases, next."""
        if isinstance(leaf, EntryLeaf):
            return
        erases = isinstance(leaf, RowsLeaf) and any(digest == logbook.ERASED_DIGEST for _, digest in leaf.rows)
        for row in self._ahead:
            if leaf is None or not erases or (row.seq, row.at) != (leaf.seq, leaf.at):
                self._fields("journal", f"{row.what} {row.key}", ("commit",), (row.seq,), (self._marked,))
        self._ahead = []

    # --- both --------------------------------------------------------------------------------------------------------

    def _fields(
        self, table: str, row: str, names: tuple[str, ...], said: tuple[object, ...], kept: tuple[object, ...]
    ) -> None:
        for name, ours, theirs in zip(names, said, kept, strict=True):
            if ours != theirs:
                self._findings.wrong(table, row, f"its {name} is {_shown(ours)}, the log has {_shown(theirs)}", _EDITED)

    def _open(self, table: str, row: str, opened: "_Opens", what: str) -> bytes | None:
        try:
            body = opened()
        except StoreError as error:
            self._findings.wrong(table, row, str(error), "It was exchanged or altered in the database.")
            return None
        if not isinstance(body, Closed):
            return body
        if body is Closed.NO_KEY:
            self._findings.wrong(table, row, "the key that it is sealed under is not there", "It can be read no more.")
        else:
            self._findings.passed_over(f"{what}, by their content: {body.value}")
        return None


class _Opens(Protocol):
    def __call__(self) -> Body: ...


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
