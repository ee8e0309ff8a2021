"""The calls of `Handheld` for what is scarce: claim, release, reserve, and what else is free."""

from collections.abc import Mapping, Sequence
from typing import Final

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import Hold
from sync.device.claims import Alternative, ClaimState, Standing, alternatives, claim_field, claim_state
from sync.device.describing import called
from sync.device.entering import with_reasons
from sync.device.lookups import plain_values, spec_of_record
from sync.device.store import Held
from sync.device.writing import Draft, Writer, Written
from sync.explain.values import moment

_NAMED_MAX: Final = 3
"""Alternatives that an error names."""


class Claiming(Writer):
    """See the module's text."""

    async def claim(
        self,
        record: RecordId,
        holder: str,
        field: str | None = None,
        *,
        overriding: Mapping[str, str] | None = None,
        occurred_at: int | None = None,
        why: str = "",
    ) -> Written:
        """Claim something scarce: a cell for a booking, a vehicle for a unit, a wanted suspect for oneself.

        With no signal the claim is provisional, unless this handheld holds a reservation: `claim_state` tells.

        Args:
            record: what: a resource or a suspect.
            holder: for whom or what: a booking's record id, a collar number, a call sign.
            field: the field that is claimed; the kind's only one by default.
            overriding: rule -> the reason for going on against it, as a `RuleError` names it; it stands in the log.
            occurred_at: when (ms since 1970); now by default.
            why: the author's reason, if there is one to give.

        Raises:
            RuleError: a rule of police work is against it. Nothing was written.
            UsageError: there is no such record here, it cannot be claimed, or somebody holds it as far as this handheld
                knows; the text says who, and what is free instead. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """

        def prepare(held: Held, now: Millis) -> Draft:
            draft = claim_draft(held, record, Hold(holder=holder), field, now)
            return with_reasons(draft, overriding or {})

        return await self._write(prepare, occurred_at, why)

    async def release(
        self, record: RecordId, field: str | None = None, *, occurred_at: int | None = None, why: str = ""
    ) -> Written:
        """Give up a claim or a reservation that stands, whoever made it.

        Args:
            record: of what.
            field: the field that is claimed; the kind's only one by default.
            occurred_at: when (ms since 1970); now by default.
            why: the author's reason, if there is one to give.

        Raises:
            UsageError: there is no such record here, nobody holds it, another device has reserved it, or this
                handheld's claim was displaced and the one that stands is another's. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """

        def prepare(held: Held, now: Millis) -> Draft:
            spec = spec_of_record(held, record)
            name = claim_field(spec, field)
            state = _state(held, record, name, now)
            what = _called(held, record)
            if state.standing is Standing.DISPLACED:
                raise UsageError(
                    f"{what}: your claim was displaced, and the one that stands is for {state.called or 'nobody'}; "
                    "the inbox item about it settles that"
                )
            if state.standing is Standing.FREE:
                raise UsageError(f"{what} is free: there is nothing to release")
            if state.until is not None and not state.mine:
                raise UsageError(
                    f"{what} is reserved for {state.called} by another device, which may give it up; it ends by itself"
                )
            return Draft(record=record, spec=spec, changes={name: None})

        return await self._write(prepare, occurred_at, why)

    async def reserve(
        self,
        records: RecordId | Sequence[RecordId],
        *,
        until: int,
        holder: str | None = None,
        field: str | None = None,
        occurred_at: int | None = None,
        why: str = "",
    ) -> tuple[Written, ...]:
        """Reserve a pool of scarce things for this device and a bounded time, all or none of them.

        Once the server has confirmed a reservation, a claim that this device makes under it is certain, with or without
        signal. The pool comes back by itself when the time has passed.

        Args:
            records: one, or several: the cells that a desk keeps for the case that it loses the network.
            until: when it ends (ms since 1970); at most 12 hours from now.
            holder: for whom; the device's own id by default.
            field: the field that is claimed; the kind's only one by default.
            occurred_at: when it was made (ms since 1970); now by default.
            why: the author's reason, if there is one to give.

        Returns:
            One for each record, in their order.

        Raises:
            UsageError: none or the same one twice is named, the time is over or too long, or one of them cannot be had;
                the text says which. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        wanted = [RecordId(records)] if isinstance(records, str) else list(records)
        if not wanted or len(set(wanted)) != len(wanted):
            raise UsageError("reserve takes each of one or more records once")
        hold = Hold(holder=holder or self._store.device, until=Millis(until))

        def prepare(held: Held, now: Millis) -> list[Draft]:
            if until <= now:
                raise UsageError(
                    f"the reservation would end at {moment(until)}, which is over: give a time that is to come"
                )
            return [claim_draft(held, record, hold, field, now) for record in wanted]

        return await self._write_all(prepare, occurred_at, why)

    async def claim_state(self, record: RecordId, field: str | None = None) -> ClaimState | None:
        """How a claim stands: free, held, provisional, certain or displaced; who holds it, and since when.

        Args:
            record: of what.
            field: the field that is claimed; the kind's only one by default.

        Returns:
            The state, or None when there is no record of that id here.

        Raises:
            UsageError: it cannot be claimed.
            ReplicaError: the database failed.
        """
        now = self._time.now()

        def look(held: Held) -> ClaimState | None:
            if held.replica.view(record) is None:
                return None
            return claim_state(held, record, claim_field(spec_of_record(held, record), field), now)

        return await self._store.read(look)

    async def alternatives(self, about: RecordId) -> list[Alternative]:
        """What is free now in place of a resource: of the same category and in service, as far as this handheld knows.

        Args:
            about: the resource, or the inbox item about it.

        Returns:
            First those of the same home (a suite, an area), then of others; of each what this handheld has reserved,
            then the rest by name. Nothing that anybody else holds, has reserved or waits for.

        Raises:
            UsageError: there is no such record here, or it cannot be claimed.
            ReplicaError: the database failed.
        """
        now = self._time.now()
        return await self._store.read(lambda held: alternatives(held, about, now))


def claim_draft(held: Held, record: RecordId, hold: Hold, field: str | None, now: Millis) -> Draft:
    """A claim or a reservation that can be made, as far as this handheld knows.

    Raises:
        UsageError: it cannot; the text says why, and what is free instead.
    """
    spec = spec_of_record(held, record)
    name = claim_field(spec, field)
    if hold.holder == record:
        raise UsageError(f"{_called(held, record)} cannot be held for itself: name a booking, a unit or an officer")
    state = _state(held, record, name, now)
    if state.holder is not None and not (state.mine and state.until is not None):
        what = _called(held, record)
        if state.holder == hold.holder:
            raise UsageError(f"{what} is held for {state.called} already")
        by = "" if state.stamp is None else f" by {state.stamp.author} on {state.stamp.device}"
        verb = "held" if state.until is None else "reserved"
        raise UsageError(f"{what} is {verb} for {state.called}{by}: {_instead(held, record, now)}")
    return Draft(record=record, spec=spec, changes=plain_values({name: hold}))


def _instead(held: Held, record: RecordId, now: Millis) -> str:
    free = [each.resource for each in alternatives(held, record, now)[:_NAMED_MAX]]
    if not free:
        return "ask the holder to release it"
    return f"free instead: {', '.join(f'{each.name} of {each.home}' for each in free)}; or ask the holder to release it"


def _state(held: Held, record: RecordId, name: FieldName, now: Millis) -> ClaimState:
    state = claim_state(held, record, name, now)
    if state is None:
        raise UsageError(f"there is no record {record!r} on this handheld")
    return state


def _called(held: Held, record: RecordId) -> str:
    state = held.replica.view(record)
    return record if state is None else called(state.build())
