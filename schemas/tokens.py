"""`Token`: the enumerations in records, open to what only a newer program knows.

A closed enumeration would make an older program refuse a whole record for one new word in it. Here the word is kept,
shown as it is, and written back as it came.
"""

import enum
import re
import typing
from typing import Any

import msgspec

from schemas.ids import SLUG_PATTERN


class Token(enum.Enum):
    """Base of the enumerations in records. A value that only a newer program knows is kept and shown as it is."""

    @classmethod
    def _missing_(cls, value: object) -> "Token | None":
        """A value of its own for a token that this program does not know; None for what is no token at all."""
        if not isinstance(value, str) or re.match(SLUG_PATTERN, value) is None:
            return None
        unknown = object.__new__(cls)
        unknown._name_ = f"unknown: {value}"
        unknown._value_ = value
        return unknown

    @property
    def known(self) -> bool:
        """Whether this program knows the value."""
        return self._value_ in type(self)._value2member_map_

    # By value: two readings of an unknown token are two objects.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and type(other) is type(self) and bool(other._value_ == self._value_)

    def __hash__(self) -> int:
        return hash(self._value_)


def all_known(value: object) -> bool:
    """Whether every token in a typed value is one that this program knows."""
    match value:
        case Token():
            return value.known
        case msgspec.Struct():
            return all(all_known(getattr(value, name)) for name in value.__struct_fields__)
        case tuple():
            return all(map(all_known, value))
        case _:
            return True


def may_hold_tokens(hint: Any) -> bool:  # noqa: ANN401  a type form, such as Annotated[str, …], has no common type
    """Whether a value of a declared type can hold a token, so that it is worth looking for unknown ones."""
    if isinstance(hint, type) and issubclass(hint, Token):
        return True
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return any(map(may_hold_tokens, typing.get_type_hints(hint, include_extras=True).values()))
    return any(map(may_hold_tokens, typing.get_args(hint)))
