"""Sets of questions that guide an officer, each with its edition: what is asked, in short words of our own.

A set names the matters that its model covers; the published form itself is for training and is not copied here. No set
has weights or sums: what the answers amount to is for a person to judge. A force that uses another edition writes its
own list.
"""

from typing import Final

import msgspec

from schemas.ids import SlugText
from schemas.kinds.common import Line


class Question(msgspec.Struct, frozen=True, array_like=True):
    """One question: its id in the set, and its words."""

    id: SlugText
    text: Line


class QuestionSet(msgspec.Struct, frozen=True, kw_only=True):
    """One edition of a set.

    Attributes:
        name: what it is called in entries: `dash`.
        version: which edition.
        questions: what is asked, in order.
    """

    name: SlugText
    version: Line
    questions: tuple[Question, ...]

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its questions."""
        return frozenset(question.id for question in self.questions)


def _set(name: str, version: str, **questions: str) -> QuestionSet:
    listed = tuple(Question(key.replace("_", "-"), text) for key, text in questions.items())
    return QuestionSet(name=name, version=version, questions=listed)


DASH: Final = _set(
    "dash",
    "2009",
    injury="Hurt in this incident?",
    frightened="Frightened?",
    afraid_of="Afraid of what, for whom?",
    isolated="Kept from family or friends?",
    low="Low, or thinking of suicide?",
    separation="Parted, or tried to, in the last year?",
    contact="Contact over children in dispute?",
    stalking="Followed, pestered or watched?",
    pregnant="Pregnant, or a baby under 18 months?",
    children="Children or step-children in the home?",
    children_hurt="Children hurt or threatened?",
    more_often="Happening more often?",
    worse="Getting worse?",
    control="Controlled or watched jealously?",
    weapon="Weapon or object used?",
    threat_kill="Threatened to kill, and believed?",
    choking="Choked, smothered or held under water?",
    sexual="Sexual acts or words that hurt?",
    others="Anybody else who threatens them?",
    hurt_others="Anybody else hurt by this person?",
    animals="Pets or animals hurt?",
    money="Money troubles or dependence?",
    substance="Drink, drugs or mental ill-health?",
    own_life="Accused threatened or tried suicide?",
    orders="Bail, order or injunction broken?",
    record="Known to police for violence?",
    other="Anything else that raises the risk?",
)
"""The matters of the Domestic Abuse, Stalking and Honour-Based Violence model of 2009."""
DARA: Final = _set(
    "dara",
    "1",
    afraid="How afraid, and of what?",
    control_daily="Is daily life controlled?",
    isolated="Kept from others?",
    money="Is money controlled?",
    monitored="Watched or followed?",
    belittled="Put down or blamed?",
    threatened="Threatened?",
    violence="Hurt by force?",
    injury="Injured, now or before?",
    choking="Choked or strangled?",
    weapon="Weapon used or shown?",
    sexual="Made to do sexual things?",
    separation="Leaving, or left?",
    children="What of the children?",
    escalating="Getting worse, or more often?",
    suicide="Does either speak of suicide?",
    own_view="What do they think may happen?",
)
"""The matters of the College of Policing's Domestic Abuse Risk Assessment."""
VULNERABILITY: Final = _set(
    "vulnerability",
    "1",
    safe_now="Safe where they are now?",
    alone="Alone, or with whom?",
    child="Is a child there or concerned?",
    health="Ill, disabled or in need of medicine?",
    mental="Distressed, or in a mental-health crisis?",
    language="Which language; an interpreter?",
    repeat="Has it happened before?",
    targeted="Chosen for who they are?",
)
"""What is asked of everybody at first contact (THRIVE; College of Policing, vulnerability guidelines)."""
CHILD_PROTECTION: Final = _set(
    "child-protection",
    "1",
    seen="Was the child seen, and alone?",
    voice="What did the child say, in their words?",
    injuries="Injuries seen, and how explained?",
    home="What is the home like?",
    carers="Who cares for the child; their state?",
    others="Other children in the home?",
    history="Known to children's services?",
    school="School or nursery; whom to ask?",
    immediate="Is protection needed tonight?",
    strategy="Strategy discussion: with whom, when?",
)
"""What an officer finds out about a child at risk (Working Together to Safeguard Children)."""
