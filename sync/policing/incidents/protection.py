"""Plans for children at risk: what falls due in one, and what is refused before it is written.

Source: Children Act 1989 section 47; Working Together to Safeguard Children; DOMAIN, Incidents.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from schemas.ids import FieldName, Millis
from schemas.kinds import Kind, ProtectionPlan
from schemas.kinds.protection import Guided, PlanReview, PlanStatus
from schemas.roles import Role
from schemas.settings import Settings
from schemas.settings.incidents import HOUR_MS
from sync.policing.due import Due, What
from sync.policing.guards import Breach, Look
from sync.policing.incidents.abuse import unasked

_SOURCE: Final = "Children Act 1989 s.47; Working Together"
_FORCE: Final = "the force's settings"


def review_by(plan: ProtectionPlan) -> Millis:
    """When the next review falls due (ms since 1970): as the latest review says, or as the plan began with."""
    last = max(plan.reviews, key=lambda review: review.reviewed_at, default=None)
    return Millis(plan.review_at if last is None else last.next_at)


def dues(record: Kind, settings: Settings, _now: Millis) -> Iterable[Due]:
    """The next review, as long as the plan runs."""
    if not isinstance(record, ProtectionPlan) or record.status is PlanStatus.ENDED:
        return
    yield Due(
        what=What.PLAN_REVIEW,
        at=review_by(record),
        warn_ms=settings.incidents.plan_warn_ms,
        roles=(Role.OFFICER, Role.SUPERVISOR),
        then=(Role.SUPERINTENDENT,),
        within_ms=4 * HOUR_MS,
        words="Review the child's plan, and say when it is reviewed next.",
        source=_SOURCE,
    )


def ended_with_a_reason(look: Look) -> Iterable[Breach]:
    """A plan is not ended in silence."""
    plan = look.after
    ends = isinstance(plan, ProtectionPlan) and look.sets("status") and plan.status is PlanStatus.ENDED
    if ends and isinstance(plan, ProtectionPlan) and plan.ended_because is None:
        yield Breach(
            rule="plan-ended-because",
            why="This ends a child's plan and does not say why.",
            remedy="Write why it ended.",
            source=_SOURCE,
        )


def guided_to_the_end(look: Look) -> Iterator[Breach]:
    """What guides an officer is gone through: each question has an answer, if only that it is not known."""
    asked = look.settings.incidents.child_protection
    fresh = msgspec.convert(look.changes.get(FieldName("guided"), []), list[Guided])
    for one in fresh if isinstance(look.after, ProtectionPlan) else []:
        if (one.question_set, one.version) != (asked.name, asked.version):
            yield Breach(
                rule="guided-questions",
                why=f"{one.question_set} {one.version} is no question set of the force for a child at risk.",
                remedy=f"Use {asked.name} {asked.version}.",
                source=_FORCE,
            )
            continue
        missing = unasked(frozenset(answer.question for answer in one.answers), asked)
        if missing:
            yield Breach(
                rule="guided-questions",
                why=f"Not answered: {' '.join(missing)}",
                remedy="Answer each; not known and declined are answers.",
                source=_SOURCE,
            )


def reviewed_and_again(look: Look) -> Iterator[Breach]:
    """A review has been held, and says when the next one is: a date that has passed would call for it at once."""
    plan = look.after
    if not isinstance(plan, ProtectionPlan):
        return
    fresh = msgspec.convert(look.changes.get(FieldName("reviews"), []), list[PlanReview])
    nexts = [(one.reviewed_at, one.next_at) for one in fresh]
    if look.before is None:
        nexts.append((plan.begun_at, plan.review_at))
    if any(then <= held for held, then in nexts):
        yield Breach(
            rule="plan-review-next",
            why="The next review of this child's plan would be no later than what it follows.",
            remedy="Give the date on which the plan is reviewed next.",
            source=_SOURCE,
        )
    if any(one.reviewed_at > look.now + look.settings.incidents.early_entry_ms for one in fresh):
        yield Breach(
            rule="plan-review-to-come",
            why="This review bears a time that is still to come.",
            remedy="Enter it when it has been held.",
            source=_SOURCE,
        )


GUARDS: Final = (ended_with_a_reason, guided_to_the_end, reviewed_and_again)
