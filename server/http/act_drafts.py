"""How administrative acts are sent: the registry's own (`server.registry.acts`), without who and when.

Who is whoever calls, and when is the server's clock. The body types are made from the acts, field by field, so that
what can be sent and what is kept never differ.
"""

import functools
import operator
import secrets
import typing
from typing import Annotated, Any, Final

import msgspec

from schemas.ids import Millis, MillisInt, OfficerId
from server.registry.acts import Act, SpanAct
from server.registry.acts.base import BaseAct, SpanText

_NOISE_BYTES: Final = 8
_SERVERS: Final = frozenset({"by", "at"})
"""What no call says of an act."""
_ACTS: Final[dict[type[msgspec.Struct], type[BaseAct]]] = {}
"""Body type of an act -> the act."""
_NOW: Final[dict[type[BaseAct], set[str]]] = {}
"""Act -> its fields that are now where a call does not say them: when it begins, or ends."""
_FAMILIES: Final[dict[type[msgspec.Struct], list[tuple[type[msgspec.Struct], type[BaseAct]]]]] = {}


def family(name: str, *acts: type[BaseAct], at_most: int) -> type[msgspec.Struct]:
    """The body type of a route that takes these acts: `{"acts": [...]}`, with 1 to `at_most` of them."""
    drafts = tuple(_draft(act) for act in acts)
    for act, draft in zip(acts, drafts, strict=True):
        _ACTS[draft] = act
    one: Any = functools.reduce(operator.or_, drafts)
    many = Annotated[tuple[one, ...], msgspec.Meta(min_length=1, max_length=at_most)]
    made = msgspec.defstruct(
        name, [("acts", many)], frozen=True, kw_only=True, forbid_unknown_fields=True, module=__name__
    )
    _FAMILIES[made] = list(zip(drafts, acts, strict=True))
    return made


def drafts_of(taken: type[msgspec.Struct]) -> list[tuple[type[msgspec.Struct], type[BaseAct]]]:
    """The body types that a family's route takes, each with the act that it becomes."""
    return _FAMILIES[taken]


def word_for(act: type[BaseAct]) -> str:
    """What an act is called in a call: `unit-added` for `unit-added-1`."""
    return str(act.__struct_config__.tag).rpartition("-")[0]


def acts_of(body: Any, by: OfficerId, now: Millis) -> list[Act]:  # noqa: ANN401  of a type that `family` has made
    """The acts that a call asks for.

    Args:
        body: of a family's type.
        by: who calls.
        now: the server's clock (ms since 1970).
    """
    found: list[Act] = []
    for draft in body.acts:
        given = {name: getattr(draft, name) for name in draft.__struct_fields__}
        kind = _ACTS[type(draft)]
        given |= {name: now for name in _NOW.get(kind, ()) if given[name] is None}
        if "span" in given and given["span"] is None:
            given["span"] = f"{word_for(kind)}-{secrets.token_hex(_NOISE_BYTES)}"
        found.append(typing.cast("Act", kind(by=by, at=now, **given)))
    return found


def _draft(act: type[BaseAct]) -> type[msgspec.Struct]:
    """The body type of an act: without who and when, and with a name and a start of its own where none is given."""
    hints = typing.get_type_hints(act, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(act):
        if field.name in _SERVERS:
            continue
        if field.name == "start" or (field.name == "until" and field.required):
            _NOW.setdefault(act, set()).add(field.name)
            fields.append((field.name, MillisInt | None, None))
        elif field.name == "span" and issubclass(act, SpanAct):
            fields.append((field.name, SpanText | None, None))
        elif field.required:
            fields.append((field.name, hints[field.name]))
        else:
            fields.append((field.name, hints[field.name], field.default))
    return msgspec.defstruct(
        f"{act.__name__}Draft",
        fields,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        tag_field="t",
        tag=word_for(act),
        module=__name__,
        namespace={"__doc__": act.__doc__},
    )
