"""What a command works with: the handheld, what the officer looks at, the paper, and the questions put to them.

A rule that refuses a change and leaves it to the officer is remembered with that change: `because REASON…` is the next
line, and the same change goes on with the reason in the log (issue: override with reason where the law leaves
judgement).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from rich.console import RenderableType

from schemas.errors import UsageError
from schemas.ids import FieldName, OfficerId, RecordId
from schemas.kinds import Kind
from schemas.kinds.common import LogEntry
from schemas.settings import Settings
from sync.device.describing import short
from sync.device.handheld import Handheld
from sync.device.terminal import rendering
from sync.device.terminal.asking import Asking
from sync.device.terminal.reader import Reader
from sync.device.terminal.sight import Sight
from sync.device.terminal.spec import Typed
from sync.device.views import RecordView
from sync.device.writing import Written
from sync.merge import RecordState
from sync.policing.guards import Breach, Look, breaches
from sync.policing.rulebook import GUARDS, RuleError

Write = Callable[[Mapping[str, str]], Awaitable[Written]]
"""Writes a change: rule -> the reason for going on against it, in the same change."""
Done = str | Callable[[RecordId], Awaitable[str]]
"""What is said once a change is written; or what tells it then, of what follows from the writing."""
GO_ON: Final = "because"
"""The command that gives the reason."""


_NO_STEP: Final = "[op_transition]"
"""How a refusal ends of a step that the record does not allow."""
_STEPS: Final = frozenset({"status"})
"""The fields that take steps."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a rule is against, and which may be made all the same.

    Attributes:
        rules: the rules.
        write: writes it.
        done: what is said once it is written.
        after: called once it is written.
    """

    rules: tuple[str, ...]
    write: Write
    done: Done
    after: Callable[[], None] | None


class Work:
    """What a command is given."""

    def __init__(  # noqa: PLR0917  the parts of the whole
        self,
        handheld: Handheld,
        sight: Sight,
        reader: Callable[[], Reader],
        show: Callable[[RenderableType], None],
        say: Callable[[str], None],
        asking: Asking,
    ) -> None:
        """Bind them. `reader` gives the officer and the moment, each time anew; `say` shows one line."""
        self.handheld = handheld
        self.sight = sight
        self.reader = reader
        self.show = show
        self.say = say
        self.asking = asking
        self.refused: Refused | None = None
        """The change that a rule was against last, when the next line may give a reason."""
        self.begun: dict[tuple[str, ...], dict[str, object]] = {}
        """Form -> what was answered, of forms that were left: nobody is asked the same twice."""

    async def view(self, which: str) -> RecordView[Kind]:
        """The record that was meant.

        Raises:
            UsageError: there is none.
        """
        record = await self.sight.resolve(which)
        view = await self.handheld.inspect(record)
        if view is None:
            raise UsageError(f"there is no record {short(record)} on this handheld")
        return view

    async def consulted(self, which: str) -> RecordView[Kind]:
        """The record that was meant, whose content is about to be shown: that is a consultation, and logged.

        Raises:
            UsageError: there is none; or nobody has said why it is looked at (`ReasonNeededError`).
        """
        record = await self.sight.resolve(which)
        with self.handheld.matter(record):
            view = await self.handheld.inspect(record)
        if view is None:
            raise UsageError(f"there is no record {short(record)} on this handheld")
        return view

    async def settings(self) -> Settings:
        """The force's."""
        return await self.handheld.settings()

    async def write(self, write: Write, done: Done, after: Callable[[], None] | None = None) -> Written:
        """Write a change, and say that it is done; `after` is called then, also when a reason had to be given first.

        Raises:
            UsageError: it is refused; where a rule leaves it to the officer, `because` goes on.
        """
        return await self._write(write, {}, done, after)

    async def go_on(self, reason: str) -> None:
        """Write the change that was refused last, with the reason for it.

        Raises:
            UsageError: nothing that leaves it to the officer was refused.
        """
        refused, self.refused = self.refused, None
        if refused is None:
            raise UsageError("nothing was refused just now that your reason lets you go on with")
        await self._write(refused.write, dict.fromkeys(refused.rules, reason), refused.done, refused.after)

    async def enter(
        self,
        record: RecordId,
        done: str,
        after: Callable[[], None] | None = None,
        /,
        **changes: Any,  # noqa: ANN401  each is of the type that its field declares
    ) -> Written:
        """Write fields of a record in one change (`Handheld.enter`), and say that it is done.

        Raises:
            UsageError: as `write`.
        """

        async def write(reasons: Mapping[str, str]) -> Written:
            try:
                return await self.handheld.enter(record, overriding=reasons, **changes)
            except UsageError as refused:
                if isinstance(refused, RuleError) or not str(refused).endswith(_NO_STEP):
                    raise
                raise await self._in_the_rules_words(record, changes, refused) from refused

        return await self.write(write, done, after)

    async def _in_the_rules_words(
        self, record: RecordId, changes: Mapping[str, Any], refused: UsageError
    ) -> UsageError:
        """What a rule says of a step that the record's declaration refuses, where one does: it says what to do."""
        reader = self.reader()

        def ask(state: RecordState, settings: Settings) -> tuple[Breach, ...]:
            before = state.build()
            one_value = {name: value for name, value in changes.items() if name in _STEPS}
            look = Look(
                before=before,
                after=msgspec.structs.replace(before, **one_value),
                changes={FieldName(name): msgspec.to_builtins(value) for name, value in one_value.items()},
                author=OfficerId(reader.author),
                roles=None,
                now=reader.now,
                occurred_at=reader.now,
                settings=settings,
            )
            return breaches(GUARDS.get(state.spec.name, ()), look)

        found = tuple(one for one in await self.handheld.judge(record, ask) or () if not one.override)
        return RuleError(found) if found else refused

    async def create(self, record: Kind, done: str, after: Callable[[], None] | None = None) -> Written:
        """Make a record, and say that it is done.

        Raises:
            UsageError: as `write`.
        """

        def write(reasons: Mapping[str, str]) -> Awaitable[Written]:
            said = tuple(LogEntry(text=reason, overrides=rule) for rule, reason in reasons.items())
            log = {"log": (*getattr(record, "log", ()), *said)} if said else {}
            return self.handheld.create(msgspec.structs.replace(record, **log))

        return await self.write(write, done, after)

    async def _write(
        self, write: Write, reasons: Mapping[str, str], done: Done, after: Callable[[], None] | None
    ) -> Written:
        try:
            written = await write(reasons)
        except RuleError as refused:
            if all(breach.override for breach in refused.breaches):
                rules = (*reasons, *(breach.rule for breach in refused.breaches))
                self.refused = Refused(rules=tuple(dict.fromkeys(rules)), write=write, done=done, after=after)
                raise UsageError(f"{refused} Type {GO_ON} and your reason, to go on.") from refused
            raise
        if after is not None:
            after()
        told = done if isinstance(done, str) else await done(written.record)
        await self.done(written.record, told)
        return written

    async def done(self, record: RecordId, what: str) -> None:
        """Say what was done to a record, and turn to it."""
        view = await self.handheld.inspect(record)
        if view is None:
            # Retracted in this very moment; the change is on this disk and on its way all the same.
            self.say(f"Record {short(record)}: {what}; it is no longer on this handheld")
            return
        self.sight.turn_to(view)
        self.say(f"{rendering.heading(view)}: {what}")


class Errand(Typed, frozen=True):
    """A command that carries itself out."""

    async def run(self, work: Work) -> None:  # noqa: ARG002  for those that do something
        """Do it.

        Raises:
            UsageError: it cannot be done; nothing was written.
            ReplicaError: the database failed.
        """
        raise TypeError(f"{type(self).__name__} does nothing")
