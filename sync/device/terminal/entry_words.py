"""What the forms ask in the words of the work, where the name of an entry's part says too little.

A part without a row is asked for by its name. `ONLY` leaves a part out where an answer before makes it meaningless.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from schemas.kinds.abuse import AbuseAssessment, AbuseVictim
from schemas.kinds.admission import Adult, Interpreting, RightEntry, RightStep, RiskAssessment
from schemas.kinds.call import Deployment, Grading, Involved, Methane
from schemas.kinds.care import Belonging, Care, Check, Extent, PropertyStep, Provision, Safety, SafetyStep, Search
from schemas.kinds.common import Arrest, Marker
from schemas.kinds.crime import Cancellation, Crime, NotCrime, VictimTold
from schemas.kinds.detention import DetentionEvent, Step
from schemas.kinds.leaving import Placement, PlacementOutcome, PreRelease
from schemas.kinds.powers import Clothing, SearchReview
from schemas.kinds.protection import PlanReview

_Part = tuple[type[msgspec.Struct], str]
_Said = Mapping[str, Any]

UNASKED: Final = frozenset({"corrects", "in_error", "answers", "questions", "question_set", "version"})
"""Parts that a command gives, or that other forms ask for."""

WORDS: Final[dict[_Part, str]] = {
    (DetentionEvent, "at"): "When did it happen?",
    (DetentionEvent, "until"): "Until when were they questioned?",
    (DetentionEvent, "suite"): "At which suite?",
    (DetentionEvent, "area"): "In which police area?",
    (DetentionEvent, "sought_in"): "In which police area was the arrest sought?",
    (DetentionEvent, "treatment"): "For medical treatment? Without it the clock does not stop.",
    (DetentionEvent, "by"): "Who decided or did it (collar number, name, court)?",
    (DetentionEvent, "rank"): "Their rank?",
    (DetentionEvent, "involved"): "Are they directly involved in the investigation?",
    (DetentionEvent, "manner"): "How was it carried out?",
    (DetentionEvent, "outcome"): "What was decided?",
    (DetentionEvent, "indictable"): "Is the offence indictable?",
    (DetentionEvent, "represented"): "Could the detainee and their solicitor make representations?",
    (DetentionEvent, "hours"): "How many hours does it allow (a warrant: its period; an extension: the total)?",
    (DetentionEvent, "months"): "Up to how many months of bail in all?",
    (DetentionEvent, "court_cannot_sit"): "Can no court sit when 36 hours are over, but one within 6 hours after?",
    (DetentionEvent, "reason"): "The grounds, or why?",
    (RightEntry, "at"): "When?",
    (RightEntry, "right"): "Which right?",
    (RightEntry, "step"): "What was done about it?",
    (RightEntry, "adult_present"): "Was the appropriate adult there?",
    (RightEntry, "whom"): "Who was informed, or which adviser?",
    (RightEntry, "authority"): "Who authorised the delay?",
    (RightEntry, "rank"): "Their rank?",
    (RightEntry, "until"): "Until when at the latest?",
    (RightEntry, "reason"): "On which grounds?",
    (Interpreting, "step"): "How far is it?",
    (Interpreting, "by"): "In person, by telephone, by video?",
    (Adult, "step"): "How far is it?",
    (Adult, "relation"): "What are they to the detainee?",
    (RiskAssessment, "level"): "The risk, as you judge it?",
    (RiskAssessment, "note"): "How is it met?",
    (PreRelease, "level"): "The risk once they are out, as you judge it?",
    (PreRelease, "plan"): "What was arranged: how they get home, who was told?",
    (Care, "what"): "What was seen to?",
    (Care, "declined"): "Was it offered and declined?",
    (Care, "until"): "Until when, of a rest that has ended?",
    (Belonging, "step"): "What became of it?",
    (Belonging, "item"): "Which thing?",
    (Belonging, "bag"): "Number of the sealed bag?",
    (Belonging, "signature"): "Did they sign for it?",
    (Belonging, "to"): "Who has it now?",
    (Search, "extent"): "How far did it go?",
    (Search, "reason"): "Why was it needed?",
    (Search, "authority"): "Who authorised it?",
    (Search, "by"): "Who carried it out, and who else was there?",
    (Search, "same_sex"): "Were all of them of the detainee's sex?",
    (Search, "adult"): "The appropriate adult?",
    (Search, "result"): "What was found?",
    (Safety, "step"): "What happened?",
    (Safety, "by"): "Who was asked, assessed or extended it?",
    (Safety, "approved_by"): "Which superintendent approved it?",
    (Safety, "until"): "Until when?",
    (Placement, "outcome"): "Where are they kept?",
    (Placement, "asked"): "Which local authority was asked, and whom there?",
    (Placement, "certificate"): "Number or place of the certificate for the court?",
    (Involved, "part"): "What are they to it?",
    (Involved, "name"): "Their name?",
    (Involved, "born"): "Born on (as in 1984-05-17)?",
    (Involved, "telephone"): "Their telephone number?",
    (Involved, "note"): "Anything else: a language, how to reach them safely?",
    (AbuseVictim, "name"): "Who suffers it?",
    (AbuseVictim, "born"): "Born on (as in 1984-05-17)?",
    (AbuseVictim, "relation"): "What is the accused to them?",
    (AbuseVictim, "withdrawn"): "Only of somebody who turned out to be none: why?",
    (AbuseAssessment, "risk"): "The risk, as you judge it? No count of answers says it.",
    (AbuseAssessment, "judgement"): "Why, in your words?",
    (AbuseAssessment, "in_person"): "Did the victim take part?",
    (Arrest, "person"): "Who was arrested?",
    (Arrest, "arrested_at"): "When?",
    (Arrest, "offence"): "What for?",
    (Deployment, "step"): "Which step?",
    (Deployment, "at"): "When, as the unit says?",
    (Grading, "grade"): "The grade that follows, as you judge it?",
    (Grading, "threat"): "Threat: who or what threatens whom?",
    (Grading, "harm"): "Harm: what was done, what may be?",
    (Grading, "risk"): "Risk: how likely, how soon?",
    (Grading, "investigation"): "Investigation: what can be lost by waiting?",
    (Grading, "vulnerability"): "Vulnerability: who cannot protect themselves?",
    (Grading, "engagement"): "Engagement: what does the caller want and understand?",
    (Grading, "why"): "Of another grade than before: why?",
    (Methane, "major"): "M  Major incident declared, or on standby?",
    (Methane, "exact_location"): "E  Exact location?",
    (Methane, "type"): "T  Type of incident?",
    (Methane, "hazards"): "H  Hazards, present and suspected?",
    (Methane, "access"): "A  Access: which routes are safe?",
    (Methane, "casualties"): "N  Number of casualties, and of which kind?",
    (Methane, "emergency_services"): "E  Emergency services: which are there, which are needed?",
    (Crime, "crime"): "A short name for it here, as in burglary or assault-2?",
    (Crime, "type"): "Which sort of crime (code)?",
    (Crime, "offence"): "What was done?",
    (Crime, "victim"): "Who suffered it?",
    (NotCrime, "reason"): "Why is what was reported no crime?",
    (VictimTold, "person"): "Who was told?",
    (VictimTold, "outcome"): "What were they told?",
    (VictimTold, "crime"): "About which crime (its short name)?",
    (VictimTold, "how"): "How: by telephone, in person, by letter?",
    (Cancellation, "crime"): "Which crime (its short name)?",
    (Cancellation, "code"): "On what ground (code)?",
    (Cancellation, "information"): "What is known now that was not, and can be verified?",
    (Cancellation, "source"): "Where can it be verified?",
    (PlanReview, "finding"): "What was found and settled?",
    (PlanReview, "next_at"): "When is the next review (as in 2026-03-09 14:00)?",
    (Marker, "warning"): "Which warning?",
    (Marker, "source"): "Where does it come from?",
    (Marker, "expires_at"): "Until when does it hold?",
    (Clothing, "why"): "Why was it necessary?",
    (Clothing, "authority"): "Which supervisor agreed (collar number)?",
    (Clothing, "out_of_view"): "Was it out of public view?",
    (Clothing, "same_sex"): "Were all who were there of the same sex as the searched person?",
    (Clothing, "place"): "Where was it done?",
    (SearchReview, "reasonable"): "Were the grounds reasonable?",
    (SearchReview, "finding"): "What did you find, and what follows?",
    (Check, "where"): "Where was the person seen?",
}
"""(entry, part) -> the question."""


def _steps(*steps: Step) -> Callable[[_Said], bool]:
    return lambda said: said["what"] in steps


_HELD_LONGER: Final = (Step.EXTENSION, Step.WARRANT, Step.WARRANT_EXTENDED)
_DECIDED: Final = (
    Step.AUTHORISED,
    Step.REFUSED,
    Step.REVIEW,
    Step.REVIEW_POSTPONED,
    Step.EXTENSION_REFUSED,
    Step.WARRANT_APPLIED,
    Step.WARRANT_REFUSED,
    Step.BAIL_EXTENDED,
    Step.CHARGED_BAIL_REFUSED,
    *_HELD_LONGER,
)
_RANKED: Final = (
    Step.AUTHORISED,
    Step.REFUSED,
    Step.REVIEW,
    Step.EXTENSION,
    Step.EXTENSION_REFUSED,
    Step.BAIL_EXTENDED,
)

ONLY: Final[dict[_Part, Callable[[_Said], bool]]] = {
    (DetentionEvent, "until"): _steps(Step.QUESTIONED_ELSEWHERE, Step.QUESTIONED_IN_HOSPITAL),
    (DetentionEvent, "suite"): _steps(
        Step.ARRIVAL, Step.STATION_ARREST, Step.STREET_BAIL_RETURN, Step.BAIL_RETURN, Step.TRANSFER_ARRIVED
    ),
    (DetentionEvent, "area"): _steps(Step.ARREST, Step.ENTERED_COUNTRY, Step.QUESTIONED_ELSEWHERE),
    (DetentionEvent, "sought_in"): _steps(Step.ARREST),
    (DetentionEvent, "treatment"): _steps(Step.LEFT_FOR_HOSPITAL),
    (DetentionEvent, "by"): _steps(*_DECIDED),
    (DetentionEvent, "rank"): _steps(*_RANKED),
    (DetentionEvent, "involved"): _steps(Step.REVIEW),
    (DetentionEvent, "manner"): _steps(Step.REVIEW),
    (DetentionEvent, "outcome"): _steps(Step.REVIEW),
    (DetentionEvent, "indictable"): _steps(Step.EXTENSION, Step.WARRANT_APPLIED, Step.WARRANT),
    (DetentionEvent, "represented"): _steps(Step.EXTENSION),
    (DetentionEvent, "hours"): _steps(*_HELD_LONGER),
    (DetentionEvent, "months"): _steps(Step.BAIL_EXTENDED),
    (DetentionEvent, "court_cannot_sit"): _steps(Step.WARRANT_APPLIED),
    (DetentionEvent, "earlier_ms"): lambda _said: False,
    (DetentionEvent, "reason"): _steps(*_DECIDED, Step.BAILED, Step.RELEASED, Step.WITHDRAWN),
    (RightEntry, "whom"): lambda said: said["step"] in {RightStep.DONE, RightStep.ASKED},
    **{
        (RightEntry, part): lambda said: said["step"] is RightStep.DELAYED
        for part in ("authority", "rank", "until", "reason")
    },
    (Care, "until"): lambda said: said["what"] is Provision.REST,
    (Belonging, "bag"): lambda said: said["step"] in {PropertyStep.TAKEN, PropertyStep.KEPT_AS_EVIDENCE},
    (Belonging, "to"): lambda said: said["step"] is PropertyStep.HANDED_ON,
    **{
        (Search, part): lambda said: said["extent"] is not Extent.OUTER_CLOTHING
        for part in ("authority", "rank", "same_sex", "adult")
    },
    (Safety, "approved_by"): lambda said: said["step"] is SafetyStep.EXTENDED,
    (Safety, "until"): lambda said: said["step"] is SafetyStep.EXTENDED,
    (Placement, "certificate"): lambda said: said["outcome"] is not PlacementOutcome.LOCAL_AUTHORITY,
    (Placement, "reason"): lambda said: said["outcome"] is not PlacementOutcome.LOCAL_AUTHORITY,
}
"""(entry, part) -> whether it is asked for, by what was answered before."""
