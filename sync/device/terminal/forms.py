"""Forms: an entry of a record asked for question by question, so that nothing is left out by who does it seldom.

The questions follow from the entry's own type: its parts, in order, with what can be answered. `WORDS` puts some of
them in the words of the work, and `ONLY` leaves out what an answer before has settled. What was answered in a form that
was left, or that a rule refused, is kept until the terminal ends: nobody is asked twice for nothing.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, get_type_hints

import msgspec
from rich.text import Text

from schemas.errors import UsageError
from schemas.ids import Millis
from schemas.kinds.abuse import Answered, Reply
from schemas.settings.questions import QuestionSet
from sync.device.terminal import values
from sync.device.terminal.entry_words import ONLY, UNASKED, WORDS
from sync.device.terminal.reader import WHO, label
from sync.device.terminal.values import NOTHING, listed
from sync.device.terminal.work import Work

KEEP: Final = "="
"""Typed to keep what was answered before."""
_LEFT: Final = (UsageError, asyncio.CancelledError)
"""How a form is left: by its officer, by a wrong answer in a script, by Ctrl-C."""
_S = TypeVar("_S", bound=msgspec.Struct)
_REPLIES: Final = listed([str(reply.value) for reply in Reply])


class Form:
    """One form on its way: what was answered, and what stood there before."""

    def __init__(self, work: Work, *name: str) -> None:
        """Take up the form of that name where it was left.

        Args:
            work: what the command works with.
            name: what tells it from others: the record, the field, the person.
        """
        self._work = work
        self._name = name
        kept = work.begun.pop(name, {})
        whole = bool(kept.pop(_WHOLE, False))
        # Of a form that was whole and was refused each answer is shown again; one that was left can go on.
        self._before = kept if whole else {}
        self._kept = {} if whole else kept
        self._answers: dict[str, Any] = {}

    def offer(self, answers: Mapping[str, object]) -> None:
        """Show these as what stood there before, to be kept or changed."""
        self._before = {**answers, **self._before}

    async def ask(self, key: str, question: str, hint: str, read: Callable[[str], object]) -> Any:  # noqa: ANN401
        """The answer to a question, unless it was given before."""
        if self._kept:
            await self._take_up()
        if key in self._answers:
            return self._answers[key]
        if key in self._before:
            hint = f"{hint}; {KEEP} keeps what stands: {self._told(self._before[key])}".removeprefix("; ")

        def taken(text: str) -> object:
            return self._before[key] if text == KEEP and key in self._before else read(text)

        try:
            self._answers[key] = await self._work.asking.ask(question, hint, taken)
        except _LEFT:
            self._keep()
            raise
        return self._answers[key]

    async def _take_up(self) -> None:
        """Ask whether the answers of a form that was left are about the same: it may be another person's turn."""
        kept, self._kept = self._kept, {}
        told = listed([f"{label(key.rpartition('/')[2])} {self._told(said)}" for key, said in kept.items()][:_TOLD_MAX])
        more = ", …" if len(kept) > _TOLD_MAX else ""
        question = f"Go on with what you answered before ({told}{more})?"
        try:
            goes_on = await self._work.asking.ask(question, "yes or no", reader_of("answer", bool, self._work))
        except _LEFT:
            self._work.begun[self._name] = kept
            raise
        if goes_on:
            self._answers = kept

    def _keep(self) -> None:
        """The form was left: what is offered anew is still offered, what was answered need not be again."""
        whole = {_WHOLE: True} if self._before else {}
        self._work.begun[self._name] = {**self._before, **self._answers, **whole}

    def whole(self) -> None:
        """Every question is answered. Until `written`, the answers are kept: a rule may be against the entry."""
        self._work.begun[self._name] = {**self._answers, _WHOLE: True}

    def written(self) -> None:
        """The entry is in the record: nothing needs to be kept."""
        self._work.begun.pop(self._name, None)

    def _told(self, value: object) -> str:
        if isinstance(value, Answered):
            return f"{value.reply.value} {value.note or ''}".strip()
        return values.shown(
            value, Millis if isinstance(value, int) and value > _MOMENT else None, self._work.reader().time
        )


_WHOLE: Final = ""
"""Key that no question has: whether every question was answered."""
_TOLD_MAX: Final = 3
"""Answers that are told when a form is taken up again."""
_MOMENT: Final = 10**11
"""A whole number above it is a moment (ms since 1970): no entry counts so many of anything."""


async def entry(form: Form, work: Work, made: type[_S], given: Mapping[str, object], *, last: str = "") -> _S:
    """Ask for an entry, part by part.

    Args:
        form: keeps the answers.
        work: what the command works with.
        made: the entry's type.
        given: parts that are known, and are not asked for.
        last: a part that is asked for behind the others, because it follows from them.

    Raises:
        UsageError: the form was left, or an answer does not fit in a script.
    """
    parts: dict[str, Any] = dict(given)
    hints = get_type_hints(made, include_extras=True)
    for name in sorted(made.__struct_fields__, key=lambda one: one == last):
        only = ONLY.get((made, name))
        if name in given or name in UNASKED or (only is not None and not only(parts)):
            continue
        declared = hints[name]
        question = WORDS.get((made, name)) or f"{label(name).capitalize()}?"
        parts[name] = await form.ask(name, question, values.hint_of(declared), reader_of(name, declared, work))
    return made(**{name: value for name, value in parts.items() if value is not None})


def reader_of(name: str, declared: object, work: Work) -> Callable[[str], object]:
    """Reads an answer as a value of a type, and sees that it fits."""

    def read(text: str) -> object:
        if not text:
            raise UsageError(f"an answer is needed; {NOTHING} stands for nothing, stop leaves the form")
        reader = work.reader()
        value = values.read_as(label(name), declared, text, reader.time, reader.now)
        try:
            msgspec.convert(msgspec.to_builtins(value), declared)
        except msgspec.ValidationError as wrong:
            raise UsageError(f"{label(name)} does not fit: {str(wrong).replace('`', '').lower()}") from None
        return value

    return read


async def answers(form: Form, work: Work, asked: QuestionSet) -> tuple[Answered, ...]:
    """Put a set of questions, each to its answer: a word, and what was said in the person's own words behind it.

    Raises:
        UsageError: the form was left, or an answer does not fit in a script.
    """
    work.show(Text(f"{asked.name} {asked.version}: answer {_REPLIES}, and behind it what was said", WHO))
    found = []
    for number, question in enumerate(asked.questions, 1):

        def read(text: str, identity: str = question.id) -> Answered:
            word, _, note = text.partition(" ")
            reply = next((one for one in Reply if one.value == word.casefold()), None)
            if reply is None:
                raise UsageError(f"answer {_REPLIES}; behind it what was said, as in: yes twice last week")
            said = {"note": note.strip()} if note.strip() else {}
            try:
                return msgspec.convert({"question": identity, "reply": reply.value, **said}, Answered)
            except msgspec.ValidationError:
                raise UsageError("what was said has at most 200 characters: put the rest into the judgement") from None

        words = f"{number}/{len(asked.questions)} {question.text}"
        found.append(await form.ask(f"{asked.name}/{question.id}", words, "", read))
    return tuple(found)
