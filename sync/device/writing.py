"""What an officer writes: the calls of `Handheld` that change a record, each one transaction on this device.

Every change is asked of `sync.check` and the policies before it is written, with the code that the server runs: what
would be refused there is an error here, and nothing was written.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from schemas import scopes as scope_names
from schemas.errors import UsageError
from schemas.ids import (
    UUID_RANDOM_BYTES,
    FieldName,
    Millis,
    OfficerId,
    OpId,
    RecordId,
    new_record_id,
)
from schemas.kinds import InboxItem, Kind, KindSpec, spec_of
from schemas.limits import SALT_BYTES
from schemas.ops import Op
from schemas.policies import claim, grow, once, tags
from sync.device.changes import ChangeFeed, RecordChanged
from sync.device.client import SyncClient
from sync.device.clocks import DeviceTime
from sync.device.force_settings import settings_in
from sync.device.lookups import field_of, plain_values, require_inbox, require_known, spec_of_record
from sync.device.signed_in import SignedIn
from sync.device.status import StatusBoard
from sync.device.store import Committed, Held, Transactions
from sync.replica import WriteFacts


class Written(msgspec.Struct, frozen=True):
    """A change that is on this device's disk.

    Attributes:
        record: the record that was made or changed.
        op: the change's own name, as `OpDurable` and `OpHeld` tell it.
    """

    record: RecordId
    op: OpId


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is about to be written.

    Attributes:
        record, spec: what it changes or makes.
        changes: field -> plain value.
        create: whether it makes the record.
        correct: whether it corrects what `once` protects.
    """

    record: RecordId
    spec: KindSpec
    changes: dict[FieldName, Any]
    create: bool = False
    correct: bool = False


Prepare = Callable[[Held, Millis], Sequence[Draft]]
"""Makes the drafts of one transaction, inside it, at a moment (ms since 1970)."""

_OTHER_WAY: Final = {
    grow.name: "{field} only grows: append(record, {field!r}, entry) adds to it",
    tags.name: "{field} holds tags: tag(record, {field!r}, add=…, remove=…) changes them",
    claim.name: "{field} is claimed: claim(record, holder), release(record) and reserve(…) change it",
}
"""Policy -> what to call instead of `edit`."""


class Writer:
    """One officer at one replica. `Handheld` is one; the parts of its API that write build on this."""

    def __init__(  # noqa: PLR0917  the parts of the whole
        self,
        store: Transactions,
        author: OfficerId,
        time: DeviceTime,
        rng: random.Random,
        board: StatusBoard,
        signed_in: SignedIn | None = None,
    ) -> None:
        """Use `Handheld.open` or `Handheld.open_seat`."""
        self._store = store
        self._author = author
        self._signed_in = signed_in
        self._time = time
        self._rng = rng
        self._board = board
        self._feed = ChangeFeed()
        self._client: SyncClient | None = None

    async def create(self, record: Kind, *, occurred_at: int | None = None, why: str = "") -> Written:
        """Make a record. Fields that hold their default are left unsaid; entries and tags are added.

        Args:
            record: its values, as an `Incident`, `Briefing`, `CustodyBooking`, `Resource` or `Suspect`.
            occurred_at: when it happened (ms since 1970); now by default.
            why: the author's reason, if there is one to give.

        Returns:
            The new record's id and the op's, once both are on this device's disk. The id of some records follows from
            what they say (`KindSpec.named`): where it is there already, what it says is added to it.

        Raises:
            UsageError: the server would refuse it; the text says what is wrong. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        spec = spec_of(type(record))
        changes = {
            FieldName(field.name): _said(spec, FieldName(field.name), getattr(record, field.name))
            for field in msgspec.structs.fields(record)
            if field.required or getattr(record, field.name) != field.default
        }
        plain = plain_values(changes)
        made = None if spec.named is None else spec.named(plain)
        new = made or new_record_id(self._time.now(), self._rng.randbytes(UUID_RANDOM_BYTES))
        draft = Draft(record=new, spec=spec, changes=plain, create=True)
        return await self._write(lambda _held, _now: draft, occurred_at, why)

    async def edit(
        self,
        record: RecordId,
        /,
        *,
        occurred_at: int | None = None,
        why: str = "",
        **changes: Any,  # noqa: ANN401  each is of the type that its field declares
    ) -> Written:
        """Change fields of a record to new values.

        Args:
            record: which.
            occurred_at: when it happened (ms since 1970); now by default.
            why: the author's reason, if there is one to give.
            changes: field=value, typed as in the record.

        Raises:
            UsageError: there is no such record or field here, the field is not changed by giving it a value (the text
                says which call does), or the server would refuse the change. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        if not changes:
            raise UsageError(f"nothing to change in {record}: give fields, as in edit(record, summary=…)")
        plain = plain_values({FieldName(name): value for name, value in changes.items()})

        def prepare(held: Held, _now: Millis) -> Draft:
            spec = spec_of_record(held, record)
            for name in plain:
                field = field_of(spec, name)
                if field.policy.name in _OTHER_WAY:
                    raise UsageError(_OTHER_WAY[field.policy.name].format(field=name))
                require_known(field, plain[name])
            if spec.struct is InboxItem:
                raise UsageError("an inbox item is decided: decide(item, value, reason) does it")
            return Draft(record=record, spec=spec, changes=plain)

        return await self._write(prepare, occurred_at, why)

    async def append(
        self, record: RecordId, field: str, entry: object, /, *, occurred_at: int | None = None, why: str = ""
    ) -> Written:
        """Add an entry to a field that grows: a log, checks, receipts.

        Args:
            record: which.
            field: its name, as in `log`.
            entry: the entry, typed as in the record: `LogEntry(text=…)`.
            occurred_at: when it happened (ms since 1970), which decides its place; now by default.
            why: the author's reason, if there is one to give.

        Raises:
            UsageError: there is no such record or field here, the field does not grow (use `edit`), or the server would
                refuse the entry. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        plain = plain_values({FieldName(field): [entry]})

        def prepare(held: Held, _now: Millis) -> Draft:
            spec = spec_of_record(held, record)
            policy = field_of(spec, FieldName(field)).policy
            if policy is not grow:
                other = _OTHER_WAY.get(policy.name, "{field} holds one value: edit(record, {field}=…) changes it")
                raise UsageError(other.format(field=field))
            return Draft(record=record, spec=spec, changes=plain)

        return await self._write(prepare, occurred_at, why)

    async def tag(
        self,
        record: RecordId,
        field: str,
        /,
        *,
        add: Iterable[object] = (),
        remove: Iterable[object] = (),
        occurred_at: int | None = None,
        why: str = "",
    ) -> Written:
        """Add tags to a field that holds them, and take away tags that are seen there.

        What another officer adds meanwhile, the same tag included, stays: only what was in sight is taken away.

        Args:
            record: which.
            field: its name, as in `markers`.
            add: tags, typed as in the record: `Marker(warning=…)`.
            remove: tags that the field shows.
            occurred_at: when it happened (ms since 1970); now by default.
            why: the author's reason, if there is one to give.

        Raises:
            UsageError: there is no such record, field or tag here, the field holds no tags, or the server would refuse
                the change. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        name = FieldName(field)
        added = plain_values({name: list(add)})[name]
        removed = list(remove)
        if not added and not removed:
            raise UsageError(f"no tags to change in {field}: give add=… or remove=…")

        def prepare(held: Held, _now: Millis) -> Draft:
            spec = spec_of_record(held, record)
            declared = field_of(spec, name)
            if declared.policy is not tags:
                raise UsageError(f"{field} holds no tags: it is `{declared.policy.name}`")
            gone = _kept_forms(held, record, name, removed)
            change = {way: listed for way, listed in (("add", added), ("remove", gone)) if listed}
            return Draft(record=record, spec=spec, changes={name: change})

        return await self._write(prepare, occurred_at, why)

    async def correct(
        self,
        record: RecordId,
        /,
        *,
        why: str,
        occurred_at: int | None = None,
        **changes: Any,  # noqa: ANN401  each is of the type that its field declares
    ) -> Written:
        """Correct what was recorded once: an arrest time, a relevant time. For those who may decide about the record.

        Args:
            record: which.
            why: the reason, which stands with the correction for ever.
            occurred_at: when it was corrected (ms since 1970); now by default.
            changes: field=value, typed as in the record; of `once` fields that are recorded already.

        Raises:
            UsageError: this handheld holds no inbox of the record, there is no reason, the field is not one that is
                recorded once or holds nothing yet, or the server would refuse it. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        if not changes or not why.strip():
            raise UsageError("a correction says what and why: correct(record, why='…', arrested_at=…)")
        plain = plain_values({FieldName(name): value for name, value in changes.items()})

        def prepare(held: Held, _now: Millis) -> Draft:
            spec = spec_of_record(held, record)
            state = held.replica.view(record)
            for name in plain:
                if field_of(spec, name).policy is not once:
                    raise UsageError(f"{name} is not recorded once: edit(record, {name}=…) changes it")
                if state is not None and state.values().get(name) is None:
                    raise UsageError(f"{name} holds nothing to correct: edit(record, {name}=…) records it")
                require_known(spec.fields[name], plain[name])
            if state is not None:
                places = {scope_names.inbox(scope_names.audience(scope)) for scope in state.scopes()}
                require_inbox(held, places, f"to correct a {spec.struct.__name__}")
            return Draft(record=record, spec=spec, changes=plain, correct=True)

        return await self._write(prepare, occurred_at, why)

    # --- shared ------------------------------------------------------------------------------------------------------

    async def _write(self, prepare: Callable[[Held, Millis], Draft], occurred_at: int | None, why: str) -> Written:
        """One change, one transaction."""
        (written,) = await self._write_all(lambda held, now: [prepare(held, now)], occurred_at, why)
        return written

    async def _write_all(self, prepare: Prepare, occurred_at: int | None, why: str) -> tuple[Written, ...]:
        """Several changes in one transaction: all of them, or none."""
        facts = self._facts(occurred_at, why)

        def write(held: Held, each: Draft) -> Op:
            here = frozenset(scope_names.audience(one.scope) for one in held.replica.positions()) or None
            under = msgspec.structs.replace(facts, settings=settings_in(held), holds=here)
            return held.replica.write(
                each.record, each.spec, each.changes, under, create=each.create, correct=each.correct
            )

        def work(held: Held) -> list[tuple[Op, KindSpec]]:
            return [(write(held, each), each.spec) for each in prepare(held, facts.now)]

        return await self._change(work)

    def _facts(self, occurred_at: int | None, why: str) -> WriteFacts:
        """Who writes, and the time."""
        made, now, doubt = self._time.reading()
        return WriteFacts(
            author=self._author,
            now=now,
            wall=Millis(made.wall_ms),
            made=made,
            doubt=doubt,
            occurred_at=now if occurred_at is None else Millis(occurred_at),
            why=why,
            salt=self._rng.randbytes(SALT_BYTES),
            roles=None if self._signed_in is None else self._signed_in.roles,
        )

    async def _change(self, work: Callable[[Held], list[tuple[Op, KindSpec]]]) -> tuple[Written, ...]:
        """Run what writes ops as one transaction, tell of it, and have it sent."""

        def told(written: list[tuple[Op, KindSpec]], committed: Committed) -> None:
            self._board.count(committed.revision, committed.waiting, committed.held, committed.sealed)
            for op, spec in written:
                self._feed.tell(RecordChanged(op.record, spec.struct, "local"))
            if self._client is not None:
                self._client.wake()

        return tuple(Written(op.record, op.id) for op, _ in await self._store.change(work, told))


def _said(spec: KindSpec, name: FieldName, value: object) -> object:
    """A new record's value as a change to its field."""
    return {"add": value} if spec.fields[name].policy is tags else value


def _kept_forms(held: Held, record: RecordId, name: FieldName, removed: list[object]) -> list[Any]:
    """The tags to remove in the forms in which they are kept: one may be written out with or without its defaults.

    Raises:
        UsageError: one of them is not there.
    """
    state = held.replica.view(record)
    if state is None:
        return []
    field = state.spec.fields[name]
    kept = [entry.value for entry in state.cells[name].entries] if name in state.cells else []
    forms: list[Any] = []
    for tag in removed:
        fitting = [value for value in kept if msgspec.convert(value, field.type) == tag]
        if not fitting:
            raise UsageError(f"{name} of this {state.spec.name} does not hold {tag!r}: only a tag that is shown can go")
        forms += [value for value in fitting if value not in forms]
    return forms
