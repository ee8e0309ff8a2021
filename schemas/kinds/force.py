"""Use of force: one record for each officer who used force on a person, whatever became of it.

Every force records the same things since April 2017 (Home Office annual data requirement; the review of 2014 that asked
for it): where, why, what was done in which order and whether it helped, who was hurt, and how it ended. What the person
is (age, gender, ethnicity, disability) is as the officer saw it; nobody is asked. So these words are declared here and
not set by a force.

There is no field for the person's name. `subject` is the officer's own sign for them (`subject-2`), so that two reports
about one person can be told from two about two.
"""

from typing import Annotated, Final

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, OfficerText, RecordText, ScopeName, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.common import Line, LogEntry, Note, Position
from schemas.kinds.powers import STANDS, EthnicGroup, Gender
from schemas.kinds.registry import record_kind
from schemas.kinds.timed import Corrigible
from schemas.policies import grow, highest, latest, once, rising, tags
from schemas.retention import RetentionGroup
from schemas.rights import CLOSING, POLICE, SUPERVISING, Rights, writes
from schemas.tokens import Token

TACTICS_MAX: Final = 20
"""As many as are published of one report."""


class Setting(Token):
    """What kind of place it was."""

    STREET = "street"
    PUBLIC_TRANSPORT = "public-transport"
    RETAIL = "retail-premises"
    OPEN_GROUND = "open-ground"
    LICENSED = "licensed-premises"
    STADIUM = "sports-or-event-stadium"
    HOSPITAL = "hospital"
    MENTAL_HEALTH = "mental-health-setting"
    CAGED_VEHICLE = "police-vehicle-with-cage"
    VEHICLE = "police-vehicle-without-cage"
    DWELLING = "dwelling"
    STATION = "police-station"
    CUSTODY = "custody-block"
    AMBULANCE = "ambulance"
    OTHER = "other"


class Conduct(Token):
    """How the person behaved, at the worst."""

    COMPLIANT = "compliant"
    PASSIVE = "passive-resistance"
    VERBAL = "verbal-resistance"
    ACTIVE = "active-resistance"
    AGGRESSIVE = "aggressive-resistance"
    SERIOUS = "serious-or-aggravated-resistance"


class Factor(Token):
    """What made a difference to what the officer did."""

    WEAPON = "possession-of-a-weapon"
    ALCOHOL = "alcohol"
    DRUGS = "drugs"
    MENTAL_HEALTH = "mental-health"
    PRIOR_KNOWLEDGE = "prior-knowledge"
    BUILD = "size-gender-build"
    ACUTE_BEHAVIOUR = "acute-behavioural-disorder"
    CROWD = "crowd"
    OTHER = "other"


class Reason(Token):
    """What force was used for."""

    PROTECT_SELF = "protect-self"
    PROTECT_PUBLIC = "protect-public"
    PROTECT_SUBJECT = "protect-subject"
    PROTECT_OFFICERS = "protect-other-officers"
    PREVENT_OFFENCE = "prevent-offence"
    SECURE_EVIDENCE = "secure-evidence"
    SEARCH = "effect-search"
    ARREST = "effect-arrest"
    ENTRY = "method-of-entry"
    REMOVE_HANDCUFFS = "remove-handcuffs"
    PREVENT_HARM = "prevent-harm"
    PREVENT_ESCAPE = "prevent-escape"
    OTHER = "other"


class Tactic(Token):
    """What was done, from speaking to shooting."""

    COMMUNICATION = "tactical-communications"
    HANDCUFFS_COMPLIANT = "handcuffs-compliant"
    HANDCUFFS = "handcuffs-non-compliant"
    UNARMED = "unarmed-skills"
    GROUND = "ground-restraint"
    LIMBS = "limb-body-restraints"
    SPIT_GUARD = "spit-guard"
    SHIELD = "shield"
    BATON_DRAWN = "baton-drawn"
    BATON_USED = "baton-used"
    CS_DRAWN = "cs-drawn"
    CS_USED = "cs-used"
    PAVA_DRAWN = "pava-drawn"
    PAVA_USED = "pava-used"
    DOG_DEPLOYED = "dog-deployed"
    DOG_BITE = "dog-bite"
    TASER_DRAWN = "taser-drawn"
    TASER_AIMED = "taser-aimed"
    TASER_ARCED = "taser-arced"
    TASER_RED_DOTTED = "taser-red-dotted"
    TASER_DRIVE_STUN = "taser-drive-stun"
    TASER_ANGLE_DRIVE_STUN = "taser-angle-drive-stun"
    TASER_FIRED = "taser-fired"
    AEP_AIMED = "aep-aimed"
    AEP_FIRED = "aep-fired"
    FIREARM_AIMED = "firearm-aimed"
    FIREARM_FIRED = "firearm-fired"
    OTHER = "other-improvised"


TASER: Final = (
    Tactic.TASER_DRAWN,
    Tactic.TASER_AIMED,
    Tactic.TASER_ARCED,
    Tactic.TASER_RED_DOTTED,
    Tactic.TASER_DRIVE_STUN,
    Tactic.TASER_ANGLE_DRIVE_STUN,
    Tactic.TASER_FIRED,
)
"""What can be done with a conducted energy device, the gravest last."""


class AgeBand(Token):
    """How old the person seemed."""

    TO_10 = "0-10"
    TO_17 = "11-17"
    TO_34 = "18-34"
    TO_49 = "35-49"
    TO_64 = "50-64"
    FROM_65 = "65-and-over"


class Injury(Token):
    """How badly somebody was hurt by what the record is about."""

    NONE = "none"
    MINOR = "minor"
    SEVERE = "severe"
    FATAL = "fatal"


class ForceOutcome(Token):
    """What became of the person."""

    MADE_OFF = "made-off"
    ARRESTED = "arrested"
    HOSPITALISED = "hospitalised"
    DETAINED_MENTAL_HEALTH = "detained-mental-health-act"
    DIED = "fatality"
    OTHER = "other"


class TacticUse(Corrigible, frozen=True, kw_only=True, omit_defaults=True):
    """One tactic, as the officer used it.

    Attributes:
        n: the how-many-th of the report, from 1.
        tactic: which.
        effective: whether it did what it was for.
    """

    n: Annotated[int, msgspec.Meta(ge=1, le=TACTICS_MAX)]
    tactic: Tactic
    effective: bool | None = None

    def happened(self) -> int:
        """Its place in the order; officers do not look at a clock between two tactics."""
        return self.n

    def sort(self) -> str:
        """Which tactic."""
        return str(self.tactic.value)


class Taser(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a conducted energy device was discharged.

    Attributes:
        cycles: how many times it was discharged, all cartridges together.
        beyond_5_s: whether a discharge was made longer than the five seconds of one cycle.
        missed_one_probe, missed_both_probes: what did not hit.
    """

    cycles: Annotated[int, msgspec.Meta(ge=0, le=100)]
    beyond_5_s: bool | None = None
    missed_one_probe: bool | None = None
    missed_both_probes: bool | None = None


class ForceReview(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor has looked at a use of force. Who it was is its stamp's.

    Attributes:
        reviewed_at: when (ms since 1970).
        necessary: whether it was necessary, reasonable and proportionate.
        finding: what was found, and what follows from it.
        referred: whether it was passed on: to professional standards, to the IOPC.
    """

    reviewed_at: MillisInt
    necessary: bool
    finding: Note
    referred: bool = False


@record_kind(
    "use-of-force",
    retention=RetentionGroup.MISCELLANEOUS,
    rights=Rights(
        makers=POLICE,
        writers=POLICE,
        because="Each officer answers for the force that they use, and writes it down (Criminal Law Act 1967 section "
        "3; PACE 1984 section 117).",
    ),
)
class UseOfForce(Kind, frozen=True, kw_only=True):
    """One officer's use of force on one person.

    Attributes:
        used_at: when (ms since 1970).
        area: slug of the Local Policing Area.
        officer: collar number of who used it.
        account: why it was necessary, in the officer's words; never published.
        subject: the officer's own sign for the person, `subject-2`; never a name.
        incident, search, booking: the record of the incident, the stop and search or the custody booking that it
            belongs to.
        setting: what kind of place it was.
        location, position: where; neither is published.
        conduct: how the person behaved.
        assaulted: whether they assaulted the officer.
        threatened_with_weapon, assaulted_with_weapon: whether that was with a weapon.
        factors: what made a difference.
        reasons: what for.
        single_crewed: whether the officer was alone.
        taser_trained, taser_carried: whether the officer may use a conducted energy device, and had one.
        tactics: what was done, in order.
        taser: how a conducted energy device was discharged.
        age_band, gender, ethnicity: of the person, as the officer saw them.
        physical_disability, mental_disability: whether the officer saw one.
        officer_injury: how badly the officer was hurt.
        officer_injury_meant: whether somebody meant to.
        officer_treated: whether they had medical help.
        subject_injury: how badly the person was hurt.
        subject_help_offered, subject_treated: whether medical help was offered, and given.
        outcomes: what became of the person.
        reviews: the supervisors' reviews.
        log: anything else.
        compartment: slug of the compartment that it is closed in.
    """

    used_at: Annotated[MillisInt, once, STANDS]
    area: Annotated[
        SlugText,
        latest,
        writes(*SUPERVISING, because="Another area takes the report out of the sight of those who review it now."),
    ]
    officer: Annotated[OfficerText, once, STANDS]
    account: Annotated[Note, once, STANDS]
    subject: Annotated[SlugText | None, latest] = None
    incident: Annotated[RecordText | None, latest] = None
    search: Annotated[RecordText | None, latest] = None
    booking: Annotated[RecordText | None, latest] = None
    setting: Annotated[Setting | None, latest] = None
    location: Annotated[Line | None, latest] = None
    position: Annotated[Position | None, latest] = None
    conduct: Annotated[Conduct | None, latest] = None
    assaulted: Annotated[bool | None, latest] = None
    threatened_with_weapon: Annotated[bool | None, latest] = None
    assaulted_with_weapon: Annotated[bool | None, latest] = None
    factors: Annotated[tuple[Factor, ...], tags] = ()
    reasons: Annotated[tuple[Reason, ...], tags] = ()
    single_crewed: Annotated[bool | None, latest] = None
    taser_trained: Annotated[bool | None, latest] = None
    taser_carried: Annotated[bool | None, latest] = None
    tactics: Annotated[tuple[TacticUse, ...], grow] = ()
    taser: Annotated[Taser | None, once, STANDS] = None
    age_band: Annotated[AgeBand | None, latest] = None
    gender: Annotated[Gender | None, latest] = None
    ethnicity: Annotated[EthnicGroup | None, latest] = None
    physical_disability: Annotated[bool | None, latest] = None
    mental_disability: Annotated[bool | None, latest] = None
    officer_injury: Annotated[
        Injury | None, highest, rising(Injury.NONE, Injury.MINOR, Injury.SEVERE, Injury.FATAL)
    ] = None
    officer_injury_meant: Annotated[bool | None, latest] = None
    officer_treated: Annotated[bool | None, latest] = None
    subject_injury: Annotated[
        Injury | None, highest, rising(Injury.NONE, Injury.MINOR, Injury.SEVERE, Injury.FATAL)
    ] = None
    subject_help_offered: Annotated[bool | None, latest] = None
    subject_treated: Annotated[bool | None, latest] = None
    outcomes: Annotated[tuple[ForceOutcome, ...], tags] = ()
    reviews: Annotated[
        tuple[ForceReview, ...],
        grow,
        writes(*SUPERVISING, because="A use of force is reviewed by a supervisor (College of Policing, use of force)."),
    ] = ()
    log: Annotated[tuple[LogEntry, ...], grow] = ()
    compartment: Annotated[SlugText | None, latest, CLOSING] = None

    def scopes(self) -> frozenset[ScopeName]:
        """The area; when it is in a compartment, that and nothing else."""
        if self.compartment is not None:
            return frozenset({scopes.compartment(self.compartment)})
        return frozenset({scopes.area(self.area)})
