"""How what a person types for a decision is read, and what is said when a field cannot hold it."""

import re
import typing
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from schemas.declared import words
from schemas.errors import UsageError
from schemas.ids import OP_PATTERN, FieldName
from schemas.kinds import FieldSpec, kind_named
from server.http.accounts import InboxLine
from sync.explain.values import is_moment

_MOMENT: Final = "a time: ISO 8601 with its offset, as in 2026-02-14T14:32:00Z, or milliseconds since 1970"
_FORMS: Final = {
    str: "a text; one of digits in quotes, as in '\"17\"'",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: 'a JSON list, as in \'["one", "two"]\'',
}
"""Plain type -> what a person types for it."""


def parsed(text: str) -> object:
    """What was typed: JSON, or plain text where it is none."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def decided(line: InboxLine, text: str) -> object:
    """The value that `--value` gives to the field that an inbox item is about.

    Raises:
        UsageError: the field cannot hold it; the text says what it takes.
    """
    kind = kind_named(line.subject_kind)
    field = None if kind is None else kind.fields.get(FieldName(line.field))
    given = parsed(text)
    if field is None:  # of a newer program: the server knows
        return given
    if is_moment(field.type) and isinstance(given, str):
        given = _moment(given)
    wrong, known = field.look(given)
    if wrong is not None or not known:
        raise UsageError(f"--value {text!r}: {line.field} of a {line.subject_kind} takes {_takes(field)}")
    return given


def seen_op(text: str) -> str:
    """A candidate's op that `--seen` or `--candidate` names.

    Raises:
        UsageError: it is no op's name.
    """
    if re.match(OP_PATTERN, text) is None:
        raise UsageError(f"{text!r} is no op: give device/number, as in desk-1/17, as `beatbook inbox show` prints it")
    return text


def _moment(text: str) -> object:
    """Milliseconds since 1970 for ISO 8601 with an offset; any other text as it is, which no time field holds."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return text
    if read.tzinfo is None:
        return text
    passed = read.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (passed.days * 86_400 + passed.seconds) * 1_000 + passed.microseconds // 1_000


def _takes(field: FieldSpec) -> str:
    """What a person types for a field, in words."""
    empty = "; or null for nothing" if type(None) in _flat(field.type) else ""
    if is_moment(field.type):
        return _MOMENT + empty
    listed: dict[str, Any] = words(field.type)
    if "values" in listed:
        return f"one of {', '.join(listed['values'])}{empty}"
    for kind in _flat(field.type):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            parts = [
                part.encode_name + ("" if part.required else " (or without)") for part in msgspec.structs.fields(kind)
            ]
            return f"a JSON object of {', '.join(parts)}{empty}"
        form = _FORMS.get(typing.get_origin(kind) or kind)
        if form is not None:
            return form + empty
    return "another value"


def _flat(of: object) -> list[Any]:
    """A declared type without annotations, each choice of a union on its own."""
    if typing.get_origin(of) is typing.Annotated:
        return _flat(typing.get_args(of)[0])
    if isinstance(of, typing.NewType):
        return _flat(of.__supertype__)
    choices = typing.get_args(of) if typing.get_origin(of) is not tuple else ()
    return [part for choice in choices for part in _flat(choice)] if choices else [of]
