"""May this person do this? The declared write rights, applied to one op (`schemas.rights`).

The device asks before anything is written; the server asks again, with the roles that it holds for the author. Whether
an op is taken hangs on the op and on the roles alone (on an inbox item or an alarm, also on whom its rules asked), so
the answer is the same whatever has arrived before it.
"""

from collections.abc import Container, Mapping
from typing import Any, Final

import msgspec

from schemas.ids import FieldName, ScopeName
from schemas.kinds import Alarm, FieldSpec, InboxItem, Kind, KindSpec
from schemas.ops import Op
from schemas.rights import in_words
from schemas.roles import Role
from sync.merge import RecordState
from sync.refusal import Refusal

CODE: Final = "op_not_entitled"


def refusal(op: Op, spec: KindSpec, before: RecordState | None, roles: frozenset[Role] | None) -> Refusal | None:
    """Why the author may not do what the op says, or None when they may.

    The server has checked that the author of an officer's op is that officer (`sync.session`).

    Args:
        op: the op. Its form has been checked, as far as this program knows it (`sync.check.op_alone`).
        spec: its kind.
        before: the record before it, or None when there is none. Only an inbox item and an alarm are looked into.
        roles: what the author is; None for the server's own rules, which may do everything.

    Returns:
        A refusal in words for the officer: what, whose it is to do, and why. It holds nothing of the record.
    """
    if roles is None:
        return None
    if op.create and spec.named is None and roles.isdisjoint(spec.rights.makers):
        return _refused(f"a new {spec.name}", spec.rights.makers, spec.rights.because)
    for name, value in op.changes.items():
        field = spec.fields.get(name)
        if field is not None and field.by_rule:
            # Whether the rules are the ones who write it was asked before (`sync.check.op_alone`).
            continue
        found = _field_refusal(op, spec, field, name, value, before, roles)
        if found is not None:
            return found
    return None


def sides(op: Op, spec: KindSpec, after: Kind) -> dict[FieldName, frozenset[ScopeName]]:
    """Field -> the scopes of which the author must hold each one, because it is the word of whoever is there.

    Args:
        op: the op; what it changes has been checked, and is read by this program.
        spec: its kind.
        after: the record with it.
    """
    return {name: after.sides(name, value) for name, value in op.changes.items() if name in spec.struct.SIDED}


def on_another_side(op: Op, spec: KindSpec, after: Kind, holds: Container[ScopeName]) -> Refusal | None:
    """That the author writes the word of somebody else's area or team, if they do.

    Args:
        op, spec, after: as in `sides`.
        holds: the scopes that the author holds.
    """
    for name, needed in sides(op, spec, after).items():
        for scope in sorted(needed):
            if scope not in holds:
                field = spec.fields[name]
                because = "" if field.writes is None else f" {field.writes.because}"
                return Refusal(CODE, f"{name}: only for somebody of {scope}.{because}")
    return None


def who_may(
    spec: KindSpec,
    field: FieldSpec | None,
    value: Any = None,  # noqa: ANN401  a value is of the type that its field declares
    *,
    create: bool = False,
    correct: bool = False,
    item: InboxItem | Alarm | None = None,
) -> tuple[Role, ...]:
    """The roles of which somebody needs one to write a field: for a screen that shows what can be done.

    Args:
        spec: the kind.
        field: the field; None for one that only a newer program knows.
        value: the plain value that it is set to.
        create: whether that makes the record.
        correct: whether it corrects what is recorded once.
        item: the inbox item or the alarm, where it is a person's part of one.
    """
    if field is None:
        return spec.rights.writers
    if correct:
        return () if field.asks is None else (*field.asks.roles, *field.asks.then)
    told = field.writes
    if create and (field.required or value == field.default or (told is not None and told.maker)):
        return spec.rights.makers
    if told is None:
        return spec.rights.writers
    if told.named_in:
        return () if item is None else item.deciding()
    return _step(told.to, value) or told.roles


def _field_refusal(  # noqa: PLR0917  the parts of one right
    op: Op,
    spec: KindSpec,
    field: FieldSpec | None,
    name: FieldName,
    value: Any,  # noqa: ANN401  as above
    before: RecordState | None,
    roles: frozenset[Role],
) -> Refusal | None:
    if field is not None and field.writes is not None and field.writes.own and value != op.author:
        return Refusal(CODE, f"{name}: only for the officer whom it names. {field.writes.because}")
    item = _item(op, spec, before) if field is not None and _named(field) else None
    allowed = who_may(
        spec,
        field,
        value,
        create=op.create,
        correct=op.correct,
        item=item,
    )
    if not roles.isdisjoint(allowed):
        return None
    if op.correct:
        return _refused(f"a correction of {name}", allowed, "What was recorded once is corrected by those who decide.")
    told = None if field is None else field.writes
    if field is None or told is None:
        return _refused(name, allowed, spec.rights.because)
    step = bool(told.to) and isinstance(value, str) and field.reads(value)
    return _refused(f"{name} to {value}" if step else name, allowed, told.because)


def _item(op: Op, spec: KindSpec, before: RecordState | None) -> InboxItem | Alarm | None:
    """The record that names who may write to it.

    An op that makes it names them itself, also where somebody has made it meanwhile: the order in which the two come
    must not decide. Whom it names is in the record's own name (`KindSpec.named`).
    """
    if op.create and spec.named is not None:
        said = {name: op.changes[name] for name, field in spec.fields.items() if field.required and name in op.changes}
        try:
            made = spec.build(said)
        except msgspec.ValidationError:
            # Of a newer program: who may is not known here, so nobody.
            return None
        return made if isinstance(made, Alarm) else None
    item = None if before is None else before.build()
    return item if isinstance(item, (InboxItem, Alarm)) else None


def _step(to: Mapping[str, tuple[Role, ...]], value: Any) -> tuple[Role, ...] | None:  # noqa: ANN401  as above
    return to.get(value) if isinstance(value, str) else None


def _named(field: FieldSpec) -> bool:
    return field.writes is not None and bool(field.writes.named_in)


def _refused(what: str, allowed: tuple[Role, ...], because: str) -> Refusal:
    return Refusal(CODE, f"{what}: only for whoever is {in_words(allowed)}. {because}")
