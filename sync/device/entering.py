"""The call of `Handheld` for what belongs together: several fields of a record in one change, and a rule gone against.

A rule of police work looks at one change. What the law wants to see together (a release and its risk assessment, a
person and what they were asked) is written together; and where a rule leaves judgement, the reason for going on stands
in the same change (`sync.policing.guards`).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import FieldSpec, InboxItem
from schemas.kinds.common import LogEntry
from schemas.policies import MANY, claim, grow, tags
from sync.device.lookups import field_of, plain_values, require_known, spec_of_record
from sync.device.store import Held
from sync.device.writing import Draft, Writer, Written

_LOG: Final = FieldName("log")


class Entering(Writer):
    """The part of `Handheld` that writes several fields at once."""

    async def enter(
        self,
        record: RecordId,
        /,
        *,
        overriding: Mapping[str, str] | None = None,
        occurred_at: int | None = None,
        why: str = "",
        **changes: Any,  # noqa: ANN401  each is of the type that its field declares
    ) -> Written:
        """Write several fields of a record in one change: all of them, or none.

        Args:
            record: which.
            overriding: rule -> the reason for going on against it, as a `RuleError` names it; it stands in the log.
            occurred_at: when it happened (ms since 1970); now by default.
            why: the author's reason, if there is one to give.
            changes: field=value, typed as in the record; of a field that grows or holds tags, the entries or tags to
                add, in a list or a tuple.

        Raises:
            RuleError: a rule of police work is against it. Nothing was written.
            UsageError: there is no such record or field here, a field is claimed and not written, a rule is overridden
                in a record that has no log, or the server would refuse the change. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        given = {FieldName(name): value for name, value in changes.items()}
        if not given and not overriding:
            raise UsageError(f"nothing to write in {record}: give fields, as in enter(record, status=…, log=[…])")

        def prepare(held: Held, _now: Millis) -> Draft:
            spec = spec_of_record(held, record)
            if spec.struct is InboxItem:
                raise UsageError("an inbox item is decided: decide(item, value, reason) does it")
            written = {name: _change(field_of(spec, name), value) for name, value in given.items()}
            plain = plain_values(written)
            for name in written:
                if spec.fields[name].policy not in MANY:
                    require_known(spec.fields[name], plain[name])
            return with_reasons(Draft(record=record, spec=spec, changes=plain), overriding or {})

        return await self._write(prepare, occurred_at, why)


def with_reasons(draft: Draft, overriding: Mapping[str, str]) -> Draft:
    """A change with the reasons for going on against rules, in the same change.

    Raises:
        UsageError: the record has no log in which they could stand.
    """
    if not overriding:
        return draft
    if _LOG not in draft.spec.fields:
        raise UsageError(f"a {draft.spec.name} has no log in which a reason could stand: do what the rule asks for")
    reasons = plain_values({_LOG: [LogEntry(text=reason, overrides=rule) for rule, reason in overriding.items()]})
    changes = {**draft.changes, _LOG: [*draft.changes.get(_LOG, []), *reasons[_LOG]]}
    return msgspec.structs.replace(draft, changes=changes)


def _change(field: FieldSpec, value: Any) -> object:  # noqa: ANN401  of the type that the field declares
    """A value as a change to its field."""
    if field.policy is claim:
        raise UsageError(f"{field.name} is claimed: claim(record, holder), release(record) and reserve(…) change it")
    if field.policy is tags:
        return {"add": list(value)}
    return list(value) if field.policy is grow else value
