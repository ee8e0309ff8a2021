"""What a force overrides of the settings: a table as TOML gives it, made into `Settings` or refused in words.

A handheld passes over what it does not know (`schemas.settings.from_text`): its program may be older than the server's.
Here it is the other way about: what a force writes and nobody reads would be a period that does not hold.
"""

import difflib
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.errors import UsageError
from schemas.settings import Settings
from schemas.settings.sense import find_nonsense


def settings_of(table: object, prefix: str = "policing") -> Settings:
    """The settings with what a table overrides; what it does not name keeps its default.

    Args:
        table: subject -> key -> value, as `tomllib` reads it: `{"custody": {"review_first_ms": 21600000}}`.
        prefix: what the table is called where it stands, for the refusal.

    Raises:
        UsageError: a key is unknown, a value is of the wrong kind, or what is set can hold in no force; the text names
            the key and says what to write.
    """
    try:
        _refuse_unknown(table, Settings, prefix)
        settings = msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        told = str(error).replace("`$", f"`{prefix}")
        raise UsageError(told if f"`{prefix}" in told else f"{prefix}: {told}") from None
    for where, why in find_nonsense(settings):
        raise UsageError(f"{prefix}.{where}: {why}")
    return settings


def _refuse_unknown(value: object, hint: Any, where: str) -> None:  # noqa: ANN401  a type form
    """Refuse what no key, and no place in a list, is there for; of the wrong kind is the conversion's to say."""
    struct = struct_of(hint)
    if struct is None:
        return
    if isinstance(value, list):
        if typing.get_origin(_bare(hint)) is tuple:
            for number, each in enumerate(value):
                _refuse_unknown(each, struct, f"{where}[{number}]")
        elif struct.__struct_config__.array_like and len(value) > len(struct.__struct_fields__):
            parts = ", ".join(struct.__struct_fields__)
            raise UsageError(f"{where}: {len(value)} values where there are {len(struct.__struct_fields__)} ({parts})")
        else:
            return
    if isinstance(value, Mapping):
        hints = typing.get_type_hints(struct, include_extras=True)
        for name, inner in value.items():
            if name not in hints:
                near = difflib.get_close_matches(name, hints, n=1, cutoff=0.5)
                told = f"did you mean {where}.{near[0]}?" if near else f"known here: {', '.join(hints)}"
                raise UsageError(f"there is no key {where}.{name}; {told}")
            _refuse_unknown(inner, hints[name], f"{where}.{name}")


def struct_of(hint: Any) -> type[msgspec.Struct] | None:  # noqa: ANN401  a type form
    """The Struct that a value is, or that each entry of a list is; None for anything else."""
    bare = _bare(hint)
    if typing.get_origin(bare) is tuple:
        bare = _bare(typing.get_args(bare)[0])
    return bare if isinstance(bare, type) and issubclass(bare, msgspec.Struct) else None


def _bare(hint: Any) -> Any:  # noqa: ANN401  a type form
    return hint.__origin__ if hasattr(hint, "__metadata__") else hint
