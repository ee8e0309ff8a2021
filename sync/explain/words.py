"""A field's history in plain words: for an inspector, without code.

Every sentence about a rule stands in `sync.explain.values`; here the steps are told, one sentence for each thing that
is known of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from schemas.errors import ERRORS
from schemas.ids import Millis, OpId
from schemas.kinds import FieldSpec, KindSpec
from schemas.limits import CLOCK_SKEW_NOTICE_MS
from schemas.policies import MANY, claim, grow
from sync.explain.structure import FieldHistory, Question, Step
from sync.explain.values import POLICY_WORDS, doubts, listed, moment, value

_FATES: Final[Mapping[str, str]] = {
    "shown": "It stands.",
    "beside": "It is kept beside what stands: nobody who saw it has said anything else since.",
    "waits": "It waits for a person's decision.",
    "superseded": "",
    "passed-over": "It never stood.",
    "confirmed": "That stood already, so it changed nothing.",
    "kept": "It comes from a newer program and is kept for one that can read it.",
    "done": "",
    "refused": "",
}
"""What became of a step -> the sentence for it, where its links do not say it."""


def tell(kind: KindSpec, told: FieldHistory, now: Millis) -> list[str]:
    """One field's history in sentences: what stands and why, the rule, what is asked, and how it came about.

    Args:
        kind: the record's kind.
        told: the field's history.
        now: the server's clock (ms since 1970).
    """
    return list(_Telling(kind, told, now).lines())


class _Telling:
    """One field's history while it is told."""

    def __init__(self, kind: KindSpec, told: FieldHistory, now: Millis) -> None:
        self._now = now
        self._kind = kind
        self._told = told
        self._field: FieldSpec = kind.fields[told.field]
        self._by_op: dict[str, Step] = {step.op: step for step in reversed(told.steps)}

    def lines(self) -> Iterator[str]:
        """The sentences, line by line."""
        told = self._told
        name = told.field.replace("_", " ")
        shown = self._value(told.value)
        if self._field.policy is grow and told.steps:
            shown = f"{len(told.value)} entries" if len(told.value) != 1 else "one entry"
        if not told.said:
            counts = "" if told.value in (None, []) else f" It counts as {shown}."
            yield f"{name} of this {self._kind.name}: nobody has said anything.{counts}"
        else:
            yield f"{name} of this {self._kind.name}: {shown}. {self._why()}".rstrip()
            if self._field.policy is claim and _is_free(told.value, self._now):
                yield "So nobody has it now."
        yield f"The rule is `{told.policy}`: {POLICY_WORDS[told.policy]}"
        if self._field.retired is not None:
            yield f"The field is no longer written: {self._field.retired.instead}."
        if len(told.chain) > 1:
            yield f"It goes back to {'; '.join(self._said_by(op) for op in told.chain[1:])}, the first value."
        for question in told.questions:
            yield self._question(question)
        if told.steps:
            yield "How it came about:"
            for number, step in enumerate(told.steps, 1):
                yield f"{number}. {self.step(step)}"

    def _why(self) -> str:
        """Who said what stands."""
        step = self._by_op.get(self._told.stands)
        if step is None:
            return "People differ, so this is the safe choice until somebody decides." if self._open() else ""
        way = {"decided": "decided so", "corrected": "corrected it to that"}.get(step.way, "said so")
        return f"{_who(step)} {way}: {_when(step)}.{_doubtful(step)}"

    def _open(self) -> bool:
        return any(question.state == "open" for question in self._told.questions)

    # --- one step ----------------------------------------------------------------------------------------------------

    def step(self, step: Step) -> str:
        """One step with everything that is known of it."""
        return " ".join(filter(None, self._sentences(step)))

    def _sentences(self, step: Step) -> Iterator[str]:
        if step.way == "asked":
            yield f"Nobody had decided in time. Asked as well, at {moment(step.recorded_at)}: {_roles(step.value)}."
            return
        if step.fate == "refused":
            meaning = ERRORS[step.code].meaning if step.code in ERRORS else ""
            yield f"{_who(step)} wanted this: {self._value(step.value)}; {_when(step, 'refused')}."
            yield f"It was refused: {meaning} {step.detail}".rstrip(" .") + f" [{step.code}]."
            return
        yield f"{_who(step)} {self._deed(step)}: {_when(step)}.{_doubtful(step)}"
        if step.why:
            yield f"The reason given: {_quoted(step.why)}"
        if step.over and step.way != "removed":
            yield f"It replaced {listed(self._said_by(op) for op in step.over)}{self._sight(step)}."
        met = [op for op in step.met if op not in step.over]
        if met:
            yield self._unseen(step, met)
        if step.instead:
            yield f"{_FATES[step.fate]} What stood instead: {self._said_by(step.instead)}."
            if step.seen_by:
                yield f"Changed later by somebody who had it before them: {listed(step.seen_by)}."
        elif step.by:
            yield self._end(step)
        else:
            yield _FATES[step.fate]
        if step.item and step.way != "decided":
            yield f"Inbox item {step.item} asks a person."

    def _deed(self, step: Step) -> str:
        said = self._value(step.value)
        match step.way:
            case "added":
                return f"added {said}"
            case "removed":
                return f"took {said} away"
            case "corrected":
                return f"corrected it to {said}"
            case "decided":
                return f"decided on inbox item {step.item} that it is {said}"
            case _:
                pass
        if self._field.policy is not claim:
            return f"said {said}"
        if step.value is None:
            return "gave it up"
        return said.replace("held for", "claimed it for").replace("reserved for", "reserved it for")

    def _sight(self, step: Step) -> str:
        if not step.unseen:
            return ", which its author had before them"
        if set(step.unseen) == set(step.over):
            return ", which its author had not seen"
        return f"; of these its author had not seen {listed(step.unseen)}"

    def _unseen(self, step: Step, met: Sequence[OpId]) -> str:
        others = listed(self._said_by(op) for op in met)
        if step.way == "removed":
            return f"It stays all the same, because its author had not seen that it was added too: {others}."
        return f"Its author had not seen what differed: {others}."

    def _end(self, step: Step) -> str:
        word = "taken away" if step.way == "added" else "replaced"
        ends = []
        for op in step.by:
            sight = "who had seen it" if op in step.seen_by else "who had not seen it"
            other = self._by_op.get(op)
            ends.append(f"{op}" if other is None else f"{other.author} ({op}), {sight}")
        return f"It was {word} by {listed(ends)}."

    def _said_by(self, op: str) -> str:
        step = self._by_op.get(op)
        return (
            str(op) if step is None else f"{self._value(step.value)}, from {step.author} on device {step.device} ({op})"
        )

    # --- questions ---------------------------------------------------------------------------------------------------

    def _question(self, question: Question) -> str:
        about = "" if question.about == self._told.field else " about an earlier decision"
        asks = f"Inbox item {question.item}{about} was opened at {moment(question.opened_at)}"
        if question.state == "ended":
            return f"{asks}; nothing was left to decide after {question.ended_by}."
        if question.state == "decided":
            step = self._by_op.get(question.ended_by)
            if step is None:
                return f"{asks} and was decided by {question.ended_by}."
            why = f" The reason: {_quoted(step.why)}" if step.why else ""
            who = f"{step.author} at {moment(step.recorded_at)}"
            return f"{asks} and was decided by {who}: {self._value(step.value)}.{why}"
        late = f" As that has passed, asked as well: {_roles(question.escalated)}." if question.escalated else ""
        unseen = [
            f"{self._said_by(one.ending)}, had not seen what {one.author} added to {one.field} ({one.entry})."
            for one in question.against
        ]
        whom = f"It asks {_roles(question.roles)}, by {moment(question.due_at)}."
        safe = f"Until then the safe choice is shown: {question.safe_because}"
        return " ".join([f"{asks} and is not decided. {whom}{late}", *unseen, safe])

    def _value(self, given: object) -> str:
        return value(self._field.type, given) if not isinstance(given, list) else self._values(given)

    def _values(self, given: list[object]) -> str:
        """Of a field with many values the declared type is one entry's."""
        if self._field.policy not in MANY:
            return value(self._field.type, given)
        return listed(value(self._field.type, one) for one in given) if given else "nothing"


def _is_free(hold: object, now: Millis) -> bool:
    """Whether a hold that stands holds nothing: given up, or a reservation whose time has passed."""
    until = hold.get("until") if isinstance(hold, dict) else now
    return until is not None and until <= now


def _quoted(reason: str) -> str:
    return f"“{reason}”" if reason.endswith((".", "!", "?")) else f"“{reason}”."


def _roles(roles: Sequence[str]) -> str:
    return listed(role.replace("-", " ") for role in roles)


def _who(step: Step) -> str:
    return f"{step.author} on device {step.device}"


def _when(step: Step, done: str = "recorded") -> str:
    """Both times, and the device's own clock where it was far off."""
    words = f"it happened at {moment(step.occurred_at)} and was {done} at {moment(step.recorded_at)}"
    if abs(step.wall - step.corrected) <= CLOCK_SKEW_NOTICE_MS:
        return words
    return f"{words}; its device's own clock said {moment(step.wall)}, corrected {moment(step.corrected)}"


def _doubtful(step: Step) -> str:
    found = doubts(step.doubt)
    return f" The time is doubtful: {'; '.join(found)}." if found else ""
