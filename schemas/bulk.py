"""A quick look at the messages that bring many rows: surely inside every bound, or to be walked.

The walk of `schemas.bounds` is a loop of Python over every value, 9 µs for a row of 300 bytes; a device that comes back
takes in thousands. Here msgspec decodes the message into types that state every bound, and encodes it again: if that
gives the very same bytes, then they are one message, with no key twice, nothing unknown, and no value that the types do
not allow. That is 1.5 µs, and the row is known to be a row beside. Everything else is for the walk, which says what is
wrong with it: no message is refused here.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Union

import msgspec
from msgspec import inspect

from schemas.ids import RECORD_FORM, SLUG_PATTERN, DeviceId, FieldName, OpNumberInt, SeqInt
from schemas.limits import ARRAY_LEN_MAX, DEPTH_MAX, INT_MAX, MAP_LEN_MAX, MESSAGE_BYTES_MAX, TEXT_BYTES_MAX
from schemas.ops import Stamp
from schemas.wire import Batch

_FLOAT_MAX: Final = 1.7976931348623157e308
"""The largest double: what is above is infinite, and what is neither above nor below it is no number."""
_NESTED_MAX: Final = 6
"""Arrays and maps inside each other in a cell. Each level more doubles the types; the deepest of ours has 4."""
_ROW_LEVELS: Final = 5
"""Levels above the values of a cell: the message, its rows, a row, its cells, a cell."""

_Scalar = None | bool | Annotated[int, msgspec.Meta(ge=-INT_MAX, le=INT_MAX)] | Annotated[
    float, msgspec.Meta(ge=-_FLOAT_MAX, le=_FLOAT_MAX)
] | str  # fmt: skip
_SHORT_ARRAY: Final = msgspec.Meta(max_length=ARRAY_LEN_MAX)
_SHORT_MAP: Final = msgspec.Meta(max_length=MAP_LEN_MAX)


def _value(levels: int) -> object:
    """The type of a value that holds no more than so many levels of arrays and maps; bytes are in no row of ours."""
    if levels == 0:
        return _Scalar
    inner = _value(levels - 1)
    return Union[_Scalar, Annotated[list[inner], _SHORT_ARRAY], Annotated[dict[str, inner], _SHORT_MAP]]  # type: ignore[valid-type]  # noqa: UP007  made while running


_CELLS: Final = Annotated[dict[FieldName, Annotated[list[_value(_NESTED_MAX)], _SHORT_ARRAY]], _SHORT_MAP]  # type: ignore[misc]  # as above
_ROW: Final = msgspec.defstruct(
    "_Row",
    [
        # As `schemas.ops.Row`, in its order: what it has beside makes a row that is walked.
        # Texts of a form are matched together below: one by one, that took as long as all the rest.
        ("id", str),
        ("kind", str),
        ("v", SeqInt),
        ("stamps", Annotated[list[Stamp], _SHORT_ARRAY]),
        ("cells", _CELLS),
        ("upto", Annotated[dict[DeviceId, OpNumberInt], _SHORT_MAP], {}),
        ("trust", _CELLS, {}),
    ],
    kw_only=True,
    omit_defaults=True,
)
_ROWS: Final = Annotated[list[_ROW], _SHORT_ARRAY]  # type: ignore[valid-type]  # as above


def _batch_type() -> type[msgspec.Struct]:
    """BATCH, with each row looked into."""
    fields: list[tuple[str, object] | tuple[str, object, object]] = []
    for one in msgspec.structs.fields(Batch):
        kind = _ROWS if one.name == "rows" else one.type
        default = msgspec.field(name=one.encode_name) if one.required else one.default
        fields.append((one.name, kind, [] if one.name == "rows" else default))
    config = Batch.__struct_config__
    return msgspec.defstruct(
        "_Batch", fields, kw_only=True, tag=config.tag, tag_field=config.tag_field, omit_defaults=config.omit_defaults
    )


_TYPE_OF_BATCH: Final = _batch_type()
_BATCH: Final = msgspec.msgpack.Decoder(_TYPE_OF_BATCH)
_PLAIN_ROWS: Final = msgspec.msgpack.Decoder(_ROWS)
_ENCODER: Final = msgspec.msgpack.Encoder()
_IDS: Final = re.compile(f"(?:{RECORD_FORM})*+")
_ID_CHARS: Final = 36
_KIND: Final = re.compile(SLUG_PATTERN)
_LONG_TEXT: Final = re.compile(rb"\xda[\x80-\xff].|\xdb\x00...", re.DOTALL)
"""The head of a text of 2^15 bytes or more that is no longer than a message."""
_LOOKED_AT_MAX: Final = 64
"""Places that look like one, and turn out to be none, before the rest is left to the walk."""
_BEGINS: Final = _ENCODER.encode({"t": "batch"})[1:]


def is_batch(data: bytes) -> bool:
    """Whether `data` is surely a BATCH inside the bounds, whose rows are rows (`schemas.ops.Row`)."""
    if data[1 : 1 + len(_BEGINS)] != _BEGINS:
        return False
    batch = _decoded(_BATCH, data)
    return batch is not None and _are_named(batch.rows)


def are_rows(data: bytes) -> bool:
    """Whether `data` is surely an array of rows inside the bounds."""
    rows = _decoded(_PLAIN_ROWS, data)
    return rows is not None and _are_named(rows)


def _decoded(decoder: msgspec.msgpack.Decoder[Any], data: bytes) -> Any:  # noqa: ANN401  what the decoder makes
    """What `data` says, or None where that is not sure to be all of it, inside every bound."""
    if len(data) > MESSAGE_BYTES_MAX or _may_hold_long_text(data):
        return None
    try:
        value = decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return value if _ENCODER.encode(value) == data else None


def _are_named(rows: Sequence[Any]) -> bool:
    """Whether each row has an id, and a kind, of the right form."""
    ids = "".join([row.id for row in rows])
    if len(ids) != len(rows) * _ID_CHARS or any(len(row.id) != _ID_CHARS for row in rows):
        return False
    return _IDS.fullmatch(ids) is not None and all(map(_KIND.match, {row.kind for row in rows}))


def _may_hold_long_text(data: bytes) -> bool:
    """Whether a text may be beyond TEXT_BYTES_MAX.

    What looks like the head of such a one is mostly a part of a number, and then no text follows it.
    """
    heads = _LONG_TEXT.finditer(data, 0, max(0, len(data) - TEXT_BYTES_MAX))
    for looked_at, head in enumerate(heads, 1):
        length = int.from_bytes(head[0][1:], "big")
        if looked_at > _LOOKED_AT_MAX or _is_text(data[head.end() : head.end() + length]):
            return True
    return False


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unbounded(kind: inspect.Type) -> str:
    """What of a type has no bound of its own; "" when everything has. Texts are bounded by `_may_hold_long_text`."""
    match kind:
        case inspect.NoneType() | inspect.BoolType() | inspect.StrType() | inspect.BytesType():
            return ""
        case inspect.IntType() | inspect.FloatType():
            return "" if kind.ge is not None and kind.le is not None else repr(kind)
        case inspect.ListType() | inspect.VarTupleType():
            return _unbounded(kind.item_type) if kind.max_length is not None else repr(kind)
        case inspect.DictType():
            text = isinstance(kind.key_type, inspect.StrType) and kind.max_length is not None
            return _unbounded(kind.value_type) if text else repr(kind)
        case inspect.UnionType():
            return next(filter(None, map(_unbounded, kind.types)), "")
        case inspect.StructType():
            return next(filter(None, (_unbounded(field.type) for field in kind.fields)), "")
        case _:
            return repr(kind)


if found := _unbounded(inspect.type_info(_TYPE_OF_BATCH)):
    raise TypeError(f"schemas/bulk.py: without a bound: {found}")
if not 1 << 15 <= TEXT_BYTES_MAX <= MESSAGE_BYTES_MAX < 1 << 24:
    raise ValueError("schemas/bulk.py: a text whose head it does not know may be beyond the bound")
if _ROW_LEVELS + _NESTED_MAX > DEPTH_MAX:
    raise ValueError("schemas/bulk.py: its types are deeper than a message may be")
