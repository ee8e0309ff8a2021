"""What a field declares, as plain data: one source for JSON Schema, the reference and the protocol's page."""

import typing
from typing import Any, Final

import msgspec

from schemas.kinds import FieldSpec, KindSpec
from schemas.tokens import Token

Declared = dict[str, Any]

ANNOTATIONS: Final = {
    "policy": "x-merge-policy",
    "ranks": "x-merge-ranks",
    "transitions": "x-merge-transitions",
    "precedence": "x-merge-precedence",
    "asks_when": "x-merge-asks-when",
    "ending": "x-merge-ending",
    "safe": "x-merge-safe",
    "decides": "x-decides",
    "sees": "x-sees",
    "means": "x-means",
    "retired": "x-retired",
    "by_rule": "x-by-rule",
    "writes": "x-writes",
}
"""What `declared` gives -> its JSON Schema annotation."""


def declared(field: FieldSpec) -> Declared:
    """A field's policy and all that is declared beside it; what is not declared is left out.

    Keys: `policy`; of `highest` `ranks`, the lowest first; of `state` `transitions` (state -> what may follow),
    `precedence` (of concurrent states the later one stands), `asks_when` (states that ask a person when concurrent) and
    `ending` {states, unless, shown, needs}; of `judged` `safe` {way, order}; `decides` {roles, within_ms, then,
    safe_because}; `sees`; `means`; `retired` {since, instead}; `by_rule`; `writes` {roles, to, because, maker,
    named_in}: who may write it, when that is not who may change the kind (`rights`); what is empty is left out.
    """
    found: Declared = {"policy": field.policy.name}
    if field.ranks is not None:
        found["ranks"] = list(field.ranks.order)
    if field.flow is not None:
        found["transitions"] = {state: list(after) for state, after in field.flow.moves.items()}
        found["precedence"] = list(field.flow.precedence)
        if field.flow.asks:
            found["asks_when"] = list(field.flow.asks)
        if field.flow.ending is not None:
            found["ending"] = {part: value for part, value in _plain(field.flow.ending).items() if value}
    if field.safe is not None:
        found["safe"] = _plain(field.safe) if field.safe.order else {"way": field.safe.way}
    if field.asks is not None:
        found["decides"] = _plain(field.asks)
    if field.sees:
        found["sees"] = list(field.sees)
    if field.means:
        found["means"] = list(field.means)
    if field.retired is not None:
        found["retired"] = _plain(field.retired)
    if field.by_rule:
        found["by_rule"] = True
    if field.writes is not None:
        found["writes"] = {part: value for part, value in _plain(field.writes).items() if value}
    return found


def rights(spec: KindSpec) -> Declared:
    """Who may make and change records of a kind: {makers, writers, because}; {} when the rules make them."""
    return {} if spec.by_rule else _plain(spec.rights)


def annotations(field: FieldSpec) -> Declared:
    """The same as JSON Schema annotations."""
    return {ANNOTATIONS[name]: value for name, value in declared(field).items()}


def words(of: object) -> Declared:
    """The words of the enumerations in a type: `values` of the value or each in a list; `parts`: part -> its words."""
    found: Declared = {}
    for choice in (of, *typing.get_args(of)):
        if isinstance(choice, type) and issubclass(choice, Token):
            found["values"] = [member.value for member in choice]
        elif isinstance(choice, type) and issubclass(choice, msgspec.Struct):
            parts = {part.encode_name: words(part.type).get("values") for part in msgspec.structs.fields(choice)}
            known = {name: values for name, values in parts.items() if values is not None}
            found |= {"parts": known} if known else {}
    return found


def _plain(part: msgspec.Struct) -> Declared:
    # There and back: lists, as whoever reads the JSON has them.
    plain: Declared = msgspec.json.decode(msgspec.json.encode(part))
    return plain
