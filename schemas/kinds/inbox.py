"""An inbox item: a disagreement that no rule should settle, and the person's decision (DESIGN section 5).

The rules make it, in the same commit as the change that brought the disagreement about. It is a record: it replicates
to the people who may decide it, can be decided with no signal, and is itself merged by declared policies.
"""

from typing import Annotated, Any

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, OpText, RecordId, RecordText, ScopeName, ScopeText, SeqInt, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.common import Line, Note
from schemas.kinds.registry import record_kind
from schemas.limits import SEEN_OPS_MAX
from schemas.policies import Asks, ByRule, Means, Sees, grow, latest, once
from schemas.retention import RetentionGroup
from schemas.rights import Writes
from schemas.roles import Role

_OpList = Annotated[tuple[OpText, ...], msgspec.Meta(max_length=SEEN_OPS_MAX)]


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the values between which a person decides. Author, device and times are its stamp's.

    Attributes:
        value: what was said, as plain data.
        base: version of the record that its author was looking at; 0 when the server had not yet told of it.
        saw: the ops whose values stood in the field before its author's eyes.
        why: its author's reason, where one was given.
        wall: its device's uncorrected clock (ms since 1970).
    """

    value: Any
    base: SeqInt = 0  # type: ignore[assignment]  # a literal is no NewType; 0 is "before every commit"
    saw: _OpList = ()
    why: str = ""
    wall: MillisInt = 0  # type: ignore[assignment]  # as above


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person decided.

    Attributes:
        value: the value that stands from now on: one of the candidates', or another.
        reason: why, in words.
    """

    value: Any
    reason: Note


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """The time to decide has passed, and more people are asked.

    Attributes:
        to: the role that is asked as well.
        overdue_ms: how long after the deadline.
    """

    to: Role
    overdue_ms: int


@record_kind("inbox-item", by_rule=True, retention=RetentionGroup.WITH_SUBJECT)
class InboxItem(Kind, frozen=True, kw_only=True):
    """One disagreement about one field of one record.

    Attributes:
        subject: the record that it is about.
        subject_kind: that record's kind.
        field: the field.
        policy: the policy that does not settle it.
        places: the audiences of the subject; who may decide there holds their inbox.
        roles: who may decide.
        opened_at: when the disagreement was recorded (ms since 1970).
        due_at: by when to decide (ms since 1970).
        shown: what is shown meanwhile.
        safe_because: why that is the safe choice.
        candidates: what was said, by whom, when, and what each had seen.
        escalations: who was asked as well, after the time had passed.
        decision: what a person decided; two who differ are asked again.
        ended_by: the op after which nothing was left to decide, when that was not a decision.
    """

    subject: Annotated[RecordText, latest, ByRule()]
    subject_kind: Annotated[SlugText, latest, ByRule()]
    field: Annotated[Line, latest, ByRule()]
    policy: Annotated[Line, latest, ByRule()]
    places: Annotated[tuple[ScopeText, ...], latest, ByRule()]
    roles: Annotated[tuple[Role, ...], latest, ByRule()]
    opened_at: Annotated[MillisInt, latest, ByRule()]
    due_at: Annotated[MillisInt, latest, ByRule()]
    safe_because: Annotated[Note, latest, ByRule()]
    shown: Annotated[Any, latest, ByRule()] = None
    candidates: Annotated[tuple[Candidate, ...], grow, ByRule()] = ()
    escalations: Annotated[tuple[Escalation, ...], grow, ByRule()] = ()
    decision: Annotated[
        Decision | None,
        once,
        Means(("value",)),
        Sees(("candidates",)),
        Asks(
            roles=(Role.REVIEWING_OFFICER, Role.CONTROL_ROOM),
            within_ms=60 * 60_000,
            then=(Role.SUPERINTENDENT,),
            safe_because="The first decision that reached the server is followed until somebody settles which holds.",
        ),
        Writes(named_in="roles", because="The field's own declaration names who decides what its policy leaves open."),
    ] = None

    ended_by: Annotated[OpText | None, latest, ByRule()] = None

    @property
    def open(self) -> bool:
        """Whether it waits for a person."""
        return self.decision is None and self.ended_by is None

    def scopes(self) -> frozenset[ScopeName]:
        """Where its subject is; and, until it is decided, the inboxes there.

        Once it is overdue, the force's inbox as well, unless its subject is in a closed scope.
        """
        places = scopes.kept_in(map(ScopeName, self.places))
        return places | self.writing_scopes() if self.open else places

    def about(self) -> RecordId:
        """Its subject."""
        return self.subject

    def deciding(self) -> tuple[Role, ...]:
        """Who may decide: those that the field names, and those who were asked as well since."""
        return tuple(dict.fromkeys((*self.roles, *(escalation.to for escalation in self.escalations))))

    def writing_scopes(self) -> frozenset[ScopeName]:
        """The inboxes whose holders may decide."""
        places = scopes.kept_in(map(ScopeName, self.places))
        # What is told to nobody outside is escalated to more people inside, and to no wider place.
        wider = {scopes.inbox(scopes.FORCE)} if self.escalations and not any(map(scopes.closed, places)) else set()
        return frozenset(map(scopes.inbox, places)) | wider
