"""The calls of `Handheld` for the inbox: what waits for a person, and what that person decides, signal or no signal."""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import Decision, Hold, InboxItem
from schemas.policies import claim
from sync import inbox
from sync.device.claiming import claim_draft
from sync.device.items import InboxEntry, entry_of, field_about, open_entries
from sync.device.lookups import plain_values, require_inbox, require_known, spec_of_record
from sync.device.store import Held
from sync.device.views import typed
from sync.device.writing import Draft, Writer, Written


class Deciding(Writer):
    """See the module's text."""

    async def inbox(self) -> list[InboxEntry]:
        """What waits for a person, of all that this handheld holds: what must be decided soonest comes first.

        What was decided on this handheld is no longer in it, though the server may not know yet.

        Raises:
            ReplicaError: the database failed.
        """
        now = self._time.now()
        return await self._store.read(lambda held: open_entries(held, now))

    async def decide(
        self,
        item: RecordId,
        value: object,
        reason: str,
        instead: RecordId | Mapping[str, RecordId] | None = None,
        *,
        occurred_at: int | None = None,
    ) -> tuple[Written, ...]:
        """Settle a disagreement. It takes effect on the record when the decision reaches the server.

        Args:
            item: the inbox item.
            value: what stands from now on, typed as in the record: one of the candidates' values, or another.
            reason: why, in words. It stands with the decision for ever.
            instead: of a claim: what is claimed for the displaced holder in the same moment, one of `alternatives`;
                holder -> record when several are displaced.
            occurred_at: when it was decided (ms since 1970); now by default.

        Returns:
            The decision, then what was claimed instead.

        Raises:
            UsageError: there is no such item here, it is decided already, this handheld may not decide it, there is no
                reason, the value does not fit, or what is named instead cannot be had. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        if not reason.strip():
            raise UsageError("a decision has a reason: decide(item, value, 'why, in words')")
        name = FieldName("decision")
        plain = plain_values({name: Decision(value=value, reason=reason)})

        def prepare(held: Held, now: Millis) -> list[Draft]:
            about, entry = _open_item(held, item, now)
            require_inbox(held, about.writing_scopes(), f"to decide about {entry.about}")
            if isinstance(value, Hold) and value.holder == about.subject:
                raise UsageError(f"{entry.about} cannot be held for itself: name one of those who claimed it")
            field = field_about(about)
            if field is not None:
                require_known(field, plain[name]["value"])
            decision = Draft(record=item, spec=inbox.SPEC, changes=plain)
            chosen = _instead(entry, value, instead)
            return [decision, *(claim_draft(held, to, Hold(holder=who), None, now) for who, to in chosen.items())]

        return await self._write_all(prepare, occurred_at, "")


def _open_item(held: Held, item: RecordId, now: Millis) -> tuple[InboxItem, InboxEntry]:
    """An item that can be decided.

    Raises:
        UsageError: there is none, or it is settled.
    """
    spec = spec_of_record(held, item)
    state = held.replica.view(item)
    if spec.struct is not InboxItem or state is None:
        raise UsageError(f"{item} is a {spec.struct.__name__} and not an inbox item: inbox() tells what waits")
    about, entry = typed(state, InboxItem), entry_of(held, state, now)
    if entry is None:
        said = state.cells[inbox.DECISION].said if inbox.DECISION in state.cells else None
        settled = "nothing is left to decide" if said is None else f"{said.stamp.author} has decided it"
        raise UsageError(f"this {about.field} of a {about.subject_kind} is settled: {settled}")
    return about, entry


def _instead(
    entry: InboxEntry, value: object, instead: RecordId | Mapping[str, RecordId] | None
) -> Mapping[str, RecordId]:
    """Displaced holder -> what is claimed for them.

    Raises:
        UsageError: it cannot be told who is meant.
    """
    if instead is None:
        return {}
    if entry.policy != claim.name:
        raise UsageError(f"{entry.field} of {entry.about} is no claim: there is nothing to claim instead")
    kept = value.holder if isinstance(value, Hold) else None
    displaced = _holders(entry.candidates, kept)
    if not isinstance(instead, str):
        strangers = set(instead) - set(displaced)
        if strangers:
            raise UsageError(f"{', '.join(sorted(strangers))} is not displaced; {', '.join(displaced) or 'nobody'} is")
        return instead
    if len(displaced) != 1:
        raise UsageError(
            f"{len(displaced)} holders are displaced ({', '.join(displaced)}): name one record for each, as in "
            "instead={holder: record}"
        )
    return {displaced[0]: RecordId(instead)}


def _holders(candidates: Sequence[Any], kept: str | None) -> list[str]:
    found = [each.value.holder for each in candidates if isinstance(each.value, Hold)]
    return sorted({holder for holder in found if holder != kept})
