"""How this program's engine is made to be an older or a newer program.

What is altered, and what holds on to what it read before:

- Kinds are found by name in one dictionary, `KINDS`, and by Struct in one beside it. Both are changed in place, so that
  every module sees the change whenever it imported them. Some modules keep the declaration of a kind that they name
  (`sync.inbox.SPEC`): such a kind keeps its own declaration in every version that knows it.
- `sync.device.describing` compares its words with the kinds when it is imported, so the engine of the device is
  imported first and the kinds are changed then; nothing else is made from them at import but the description of the
  HTTP side, which comes later.
- `schemas.wire.SCHEMA` and `SCHEMA_MAX` are read as attributes by both sessions, but `server.settle` takes `SCHEMA` by
  name, once as a default: they are changed before anything of `sync` or `server` is imported. `become` refuses to come
  later: an engine that is half altered would prove nothing.
- The version before this one wrote ops without what the author saw, without doubts about the time, without corrections
  and without links, and kept rows without what newer programs add to them. `speak_first_version` makes the engine do
  so, at the places where an op, its chain and a row go to disk. It signs for what it pushes all the same: nobody is
  taken at their word who does not. Nor had it officers who sign in: its seats are those of programs.
"""

import contextlib
import functools
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from schemas import wire
from schemas.ids import FieldName, OpNumber, OpNumberInt, RecordId, RecordText, Seq, SeqInt, SlugText
from schemas.kinds import KINDS, Kind, KindSpec
from schemas.kinds.declare import read_fields
from schemas.kinds.registry import _BY_STRUCT
from schemas.rights import POLICE, Rights
from tests.evolution.declarations import STRUCTS, Version

SCHEMA_OF: Final[dict[Version, int]] = {"behind": 1, "ahead": wire.SCHEMA + 1}
_ANYBODY: Final = Rights(
    makers=POLICE, writers=POLICE, because="A kind that only one of the programs has is anybody's."
)


@functools.cache
def specs_of(version: Version) -> dict[str, KindSpec]:
    """The kinds that a version knows, by name."""
    return {name: _spec_of(name, struct) for name, struct in STRUCTS[version].items()}


def _spec_of(name: str, struct: type[Kind]) -> KindSpec:
    same = KINDS.get(name)
    if same is not None and same.struct is struct:
        return same
    rights = _ANYBODY if same is None else same.rights
    return KindSpec(name=name, struct=struct, fields=read_fields(name, struct), rights=rights)


@contextlib.contextmanager
def declared(version: Version) -> Iterator[None]:
    """Have pure functions look kinds up as that version knows them, for as long as this lasts."""
    kept, structs = dict(KINDS), dict(_BY_STRUCT)
    _put(specs_of(version))
    try:
        yield
    finally:
        KINDS.clear()
        KINDS.update(kept)
        _BY_STRUCT.clear()
        _BY_STRUCT.update(structs)


def become(version: Version, schema: int | None = None) -> None:
    """Make this whole process a program of that version.

    Args:
        version: whose kinds it declares.
        schema: the number it says, when it is not that version's own.

    Raises:
        RuntimeError: the engine was imported before; parts of it would go on as they were.
    """
    early = sorted(name for name in sys.modules if name.partition(".")[0] in {"sync", "server"})
    if early:
        raise RuntimeError(f"declare the kinds before the engine is imported; it has {', '.join(early)} already")
    number = SCHEMA_OF[version] if schema is None else schema
    # Final, for every program but one that plays another.
    for name, value in (("SCHEMA", number), ("SCHEMA_MAX", number + 1)):
        setattr(wire, name, value)
    from sync.device import describing  # noqa: PLC0415  behind the numbers, before the kinds

    words = {name: describing.GIST[spec.struct] for name, spec in KINDS.items()}
    _put(specs_of(version))
    describing.GIST.update({spec.struct: words.get(name, ("name",)) for name, spec in KINDS.items()})


def _put(specs: dict[str, KindSpec]) -> None:
    KINDS.clear()
    KINDS.update(specs)
    _BY_STRUCT.update({spec.struct: spec for spec in specs.values()})


# --- the form in which version 1 wrote ------------------------------------------------------------------------------


class Stamp1(msgspec.Struct, frozen=True, array_like=True):
    """A stamp as version 1 kept it: 8 elements."""

    device: str
    n: OpNumberInt
    ms: int
    tick: int
    author: str
    occurred_at: int
    recorded_at: int = 0
    seq: int = 0


class Row1(msgspec.Struct, frozen=True, kw_only=True):
    """A row as version 1 kept it."""

    id: RecordText
    kind: SlugText
    v: SeqInt
    stamps: list[Stamp1]
    cells: dict[FieldName, list[Any]]


def speak_first_version() -> None:
    """Have the replica keep ops and rows as the program of version 1 wrote them; what it sends is what it keeps."""
    # Only now: `become` comes before the engine.
    from schemas.codec import encode, reread_op  # noqa: PLC0415  see above
    from sync.device.sqlcipher import SqlTables  # noqa: PLC0415  see above
    from sync.replica.chain import OwnChain  # noqa: PLC0415  see above
    from sync.replica.tables import PlacedRow, StoredOp  # noqa: PLC0415  see above

    put_op, put_row, put_rows = SqlTables.put_op, SqlTables.put_row, SqlTables.put_rows

    def put_first_op(self: SqlTables, op: StoredOp) -> None:
        bare = msgspec.structs.replace(
            reread_op(op.body),
            saw={},
            after_digest=b"",
            correct=False,
            doubt=0,
            replaces=OpNumber(0),
            link=b"",
            salt=b"",
        )
        put_op(self, msgspec.structs.replace(op, body=encode(bare)))

    def first(body: bytes) -> bytes:
        return msgspec.msgpack.encode(msgspec.msgpack.decode(body, type=Row1))

    def put_first_row(self: SqlTables, record: RecordId, kind: str, version: Seq, body: bytes) -> None:
        put_row(self, record, kind, version, first(body))

    def put_first_rows(self: SqlTables, rows: Sequence[PlacedRow]) -> None:
        put_rows(self, [msgspec.structs.replace(row, body=first(row.body)) for row in rows])

    def keep_no_head(self: OwnChain, n: OpNumber, body: bytes) -> None:
        """It kept no chain: what is pushed is vouched for by the ops as they are on the disk."""

    for whose, name, played in (
        (SqlTables, "put_op", put_first_op),
        (SqlTables, "put_row", put_first_row),
        (SqlTables, "put_rows", put_first_rows),
        (OwnChain, "append", keep_no_head),
    ):
        setattr(whose, name, played)
