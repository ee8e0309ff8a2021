"""The commands that write: each one call of the handheld, and one line that says what was done."""

from collections.abc import Awaitable, Mapping
from typing import Any, Final, assert_never

import msgspec

from schemas.errors import UsageError
from schemas.ids import FieldName, RecordId, is_record_id
from schemas.kinds import Briefing, FieldSpec, Hold, InboxItem, Incident, Kind, kind_named, spec_of
from schemas.kinds.common import LogEntry
from schemas.policies import MANY, claim, grow
from sync.device.describing import called, short
from sync.device.items import InboxEntry, as_typed
from sync.device.terminal import commands, rendering, values
from sync.device.terminal.reader import label
from sync.device.terminal.sight import LAST, ROW_DIGITS_MAX
from sync.device.terminal.work import Work
from sync.device.views import HeldOp, RecordView
from sync.device.writing import Written

_LOG: Final = FieldName("log")
_GIVEN: Final = "="
"""Before a value that is none of the candidates'."""
_NOBODY: Final = frozenset({values.NOTHING, "nobody"})
"""Decided about a claim: it is released."""
_MISSING: Final = "op_field_missing"
"""The refusal that is mended by a field which the change did not have."""


class Acting:
    """Carries the commands that write out."""

    def __init__(self, work: Work) -> None:
        """Bind it."""
        self._work = work
        self._handheld = work.handheld
        self._sight = work.sight
        self._reader = work.reader
        self._say = work.say
        self._due: list[RecordId] = []
        """The alarms of the last `due`, in its order."""

    async def carry_out(self, command: commands.Change) -> None:  # noqa: C901, PLR0912  one case per command
        """Carry one out.

        Raises:
            UsageError: it cannot be done; nothing was written.
            ReplicaError: the database failed.
        """
        match command:
            case commands.New():
                await self._new(command)
            case commands.Log():
                await self._log(command)
            case commands.SetField():
                await self._set(command)
            case commands.Read():
                await self._confirm(command)
            case commands.Tag():
                await self._tag(command)
            case commands.Correct():
                await self._correct(command)
            case commands.Claim():
                await self._claim(command)
            case commands.Release():
                await self._release(command)
            case commands.Reserve():
                await self._reserve(command)
            case commands.Decide():
                await self._decide(command)
            case commands.Acknowledge():
                await self._acknowledge(command)
            case commands.Mend():
                await self._mend(command)
            case commands.Withdraw():
                await self._withdraw(command)
            case _:
                assert_never(command)

    # --- values ------------------------------------------------------------------------------------------------------

    async def _new(self, command: commands.New) -> None:
        now = self._reader().now
        made = Incident(opened_at=now, area=command.area, category=command.category, summary=command.summary)
        await self._work.create(made, f"reported in {command.area}")

    async def _log(self, command: commands.Log) -> None:
        view = await self._work.view(command.which)
        spec = spec_of(type(view.value))
        if _LOG not in spec.fields:
            raise UsageError(f"this {spec.name} has no log")
        await self._work.enter(view.record, "written in the log", log=[LogEntry(text=command.text)])

    async def _set(self, command: commands.SetField) -> None:
        view = await self._work.view(command.which)
        field, value = self._typed(view, command.field, command.value)
        changes: dict[str, Any] = {field.name: value}
        await self._work.enter(view.record, f"{command.field} {self._shown(field, value)}", **changes)

    async def _correct(self, command: commands.Correct) -> None:
        view = await self._work.view(command.which)
        field, value = self._typed(view, command.field, command.value)
        changes: dict[str, Any] = {field.name: value}
        await self._handheld.correct(view.record, why=command.reason, **changes)
        await self._work.done(view.record, f"{command.field} corrected to {self._shown(field, value)}")

    async def _tag(self, command: commands.Tag) -> None:
        view = await self._work.view(command.which)
        field = self._field(view, command.field)
        tag = values.read_tag(field, command.tag)
        if not command.away:
            changes: dict[str, Any] = {field.name: [tag]}
            await self._work.enter(view.record, f"{command.field}: {command.tag} added", **changes)
            return
        words = command.tag.casefold()
        shown = [each.value for each in view.entries.get(field.name, ())]
        fitting = [each for each in shown if values.tag_words(each).casefold() == words]
        if not fitting:
            there = values.listed([values.tag_words(each) for each in shown]) or "none"
            raise UsageError(f"{command.field} holds no {command.tag!r}; it holds {there}")
        await self._handheld.tag(view.record, field.name, remove=fitting)
        await self._work.done(view.record, f"{command.field}: {command.tag} taken away")

    async def _confirm(self, command: commands.Read) -> None:
        view = await self._work.view(command.which)
        if not isinstance(view.value, Briefing):
            raise UsageError(f"{rendering.heading(view)} is no briefing: only a briefing's reading is confirmed")
        reader = self._reader()
        before = rendering.read_at(view, reader.author)
        if before is not None:
            self._say(f"{rendering.heading(view)}: you confirmed it {reader.time.text(before)}")
            return
        await self._handheld.acknowledge(view.record)
        await self._work.done(view.record, "reading confirmed")

    # --- claims and decisions ----------------------------------------------------------------------------------------

    async def _claim(self, command: commands.Claim) -> None:
        view = await self._work.view(command.which)
        holder = await self._holder(command.holder)

        def write(reasons: Mapping[str, str]) -> Awaitable[Written]:
            return self._handheld.claim(view.record, holder, overriding=reasons)

        await self._work.write(write, self._standing)

    async def _standing(self, record: RecordId) -> str:
        state = await self._handheld.claim_state(record)
        if state is None:
            return "claimed"
        told = f"claimed for {state.called}: {state.standing.value}"
        return f"{told}, {state.note}" if state.note else told

    async def _holder(self, words: str | None) -> str:
        """For whom: the officer, a record that was named, or the words as they are."""
        if words is None:
            return self._reader().author
        a_row = words.isascii() and words.isdigit() and len(words) <= ROW_DIGITS_MAX
        if words == LAST or a_row or is_record_id(words):
            return await self._sight.resolve(words)
        try:
            return await self._sight.resolve(words)
        except UsageError:
            return words

    async def _release(self, command: commands.Release) -> None:
        view = await self._work.view(command.which)
        state = await self._handheld.claim_state(view.record)
        await self._handheld.release(view.record)
        whom = "" if state is None or not state.called else f"; it was held for {state.called}"
        await self._work.done(view.record, f"released{whom}")

    async def _reserve(self, command: commands.Reserve) -> None:
        reader = self._reader()
        until = reader.time.read(command.until, reader.now)
        if until <= reader.now:
            raise UsageError(f"{reader.time.text(until)} is over: reserve until a time that is to come")
        records = [await self._sight.resolve(which) for which in command.which]
        holder = None if command.holder is None else await self._holder(command.holder)
        written = await self._handheld.reserve(records, until=until, holder=holder)
        for each in written:
            state = await self._handheld.claim_state(each.record)
            sure = "" if state is None or not state.note else f"; {state.note}"
            await self._work.done(each.record, f"reserved until {reader.time.text(until)}{sure}")

    async def _decide(self, command: commands.Decide) -> None:
        item = await self._sight.resolve(command.which)
        entry = next((each for each in await self._handheld.inbox() if each.item == item), None)
        if entry is None:
            raise UsageError(f"{short(item)} does not wait for a decision here: inbox tells what does")
        value = await self._choice(entry, command.choice)
        instead = None if command.instead is None else await self._sight.resolve(command.instead)
        done = await self._handheld.decide(item, value, command.reason, instead)
        told = f"decided about {entry.about}" + (", and claimed instead" if len(done) > 1 else "")
        await self._work.done(
            item, f"{told}: {entry.field} {await self._in_words(entry.subject_kind, entry.field, value)}"
        )

    async def _in_words(self, kind: str, name: str, value: object) -> str:
        """A value as a person reads it; a claim with what its holder is called."""
        if isinstance(value, Hold) and is_record_id(value.holder):
            view = await self._handheld.inspect(RecordId(value.holder))
            if view is not None:
                value = msgspec.structs.replace(value, holder=called(view.value))
        spec = kind_named(kind)
        field = None if spec is None else spec.fields.get(FieldName(name))
        declared, time = None if field is None else field.type, self._reader().time
        typed = as_typed(field, value)
        # A list that is not of the field's own type: the entries that a change adds.
        parts = [as_typed(field, one) for one in typed] if isinstance(typed, list) else [typed]
        return values.listed([values.shown(one, declared, time) for one in parts])

    async def _choice(self, entry: InboxEntry, choice: str) -> object:
        """The value that was chosen: a candidate's by its number, or one that was typed."""
        if not choice.startswith(_GIVEN):
            if not (choice.isascii() and choice.isdigit() and 1 <= int(choice) <= len(entry.candidates)):
                raise UsageError(
                    f"{choice!r} is no choice: it is 1 to {len(entry.candidates)}, as show tells, or =VALUE"
                )
            return entry.candidates[int(choice) - 1].value
        spec = kind_named(entry.subject_kind)
        field = None if spec is None else spec.fields.get(entry.field)
        if field is not None and field.policy is claim:
            return await self._decided_holder(entry, choice[1:].strip())
        if field is None:
            raise UsageError(f"{entry.field} is known only to a newer program: choose by a number")
        reader = self._reader()
        return values.read(field, choice[1:], reader.time, reader.now)

    async def _decided_holder(self, entry: InboxEntry, words: str) -> Hold | None:
        """Who has it from now on: one of those who claimed it, a record that is here, or nobody."""
        if words.casefold() in _NOBODY:
            return None
        holds = {one.value.holder: one.value for one in entry.candidates if isinstance(one.value, Hold)}
        if words in holds:
            return holds[words]
        try:
            view = await self._work.view(words)
        except UsageError:
            view = None
        if view is None or view.record == entry.subject or isinstance(view.value, InboxItem):
            there = values.listed([f'="{holder}"' for holder in holds])
            raise UsageError(
                f"{words!r} did not claim {entry.about}: decide for a number that show tells, {there}, a record that "
                "is on this handheld, or =nobody"
            )
        return holds.get(view.record, Hold(holder=view.record))

    # --- what falls due ----------------------------------------------------------------------------------------------

    async def show_due(self) -> None:
        """List the alarms that wait, numbered for `ack`."""
        found = await self._handheld.due_alarms()
        self._due = [one.alarm for one in found]
        for number, one in enumerate(found, 1):
            self._say(values.safe(rendering.waiting_alarm(number, one, self._reader())))
        if not found:
            self._say("Nothing that falls due waits for you")

    async def _acknowledge(self, command: commands.Acknowledge) -> None:
        which = command.which
        if which.isascii() and which.isdigit() and len(which) <= ROW_DIGITS_MAX:
            fitting = self._due[int(which) - 1 : int(which)] if int(which) else []
        else:
            fitting = [one.alarm for one in await self._handheld.due_alarms() if one.alarm.endswith(which)]
        if len(fitting) != 1:
            raise UsageError(
                f"{which!r} names no alarm that waits: due lists them, and ack takes a number of that list"
            )
        await self._handheld.acknowledge_alarm(fitting[0], command.note)
        self._say("Taken up; it is yours now")

    # --- what was refused --------------------------------------------------------------------------------------------

    async def _mend(self, command: commands.Mend) -> None:
        held = await self._held(command.op)
        view = await self._handheld.inspect(held.record)
        if view is None:
            raise UsageError(f"record {short(held.record)} is no longer on this handheld: withdraw the change")
        field = self._field(view, command.field)
        if field.name not in held.changes and held.code != _MISSING:
            there = values.listed(list(held.changes))
            raise UsageError(f"the refused change did not have {field.name}; it had {there}")
        value: object
        if field.policy is grow and field.type is LogEntry:
            value = [LogEntry(text=command.value)]
        else:
            value = self._typed(view, command.field, command.value)[1]
        changes: dict[str, Any] = {field.name: value}
        mended = await self._handheld.mend(held.op, **changes)
        kept = {**held.changes, field.name: value}
        told = [f"{label(name)} {await self._in_words(held.kind, name, one)}" for name, one in kept.items()]
        number = mended.op.rpartition("/")[2]
        await self._work.done(mended.record, f"mended, and waits as op {number} with {'; '.join(told)}")

    async def _withdraw(self, command: commands.Withdraw) -> None:
        held = await self._held(command.op)
        gone = await self._handheld.withdraw(held.op, command.reason)
        more = f" and {len(gone) - 1} behind it" if len(gone) > 1 else ""
        self._say(f"Op {command.op}{more} withdrawn")

    async def _held(self, typed: str) -> HeldOp:
        number = typed.rpartition("/")[2]
        for one in await self._handheld.held():
            if one.op.rpartition("/")[2] == number:
                return one
        raise UsageError(f"{typed!r} is no refused change: held tells which there are")

    # --- shared ------------------------------------------------------------------------------------------------------

    def _field(self, view: RecordView[Kind], name: str) -> FieldSpec:
        spec = spec_of(type(view.value))
        field = spec.fields.get(FieldName(name))
        if field is None:
            one_value = [each for each, declared in spec.fields.items() if declared.policy not in MANY]
            raise UsageError(f"this {spec.name} has no field {name!r}; it has {values.listed(one_value)}")
        return field

    def _typed(self, view: RecordView[Kind], name: str, words: str) -> tuple[FieldSpec, object]:
        field, reader = self._field(view, name), self._reader()
        return field, values.read(field, words, reader.time, reader.now)

    def _shown(self, field: FieldSpec, value: object) -> str:
        return values.shown(value, field.type, self._reader().time)
