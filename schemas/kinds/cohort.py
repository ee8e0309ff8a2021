"""A cohort: the people with whom a mission works in integrated offender management.

Whoever works with one of them is told when an incident or a booking names them (`sync.policing.briefings.cohorts`).
Source: Home Office and Ministry of Justice, Neighbourhood crime integrated offender management strategy (2020): a fixed
cohort, managed together by those who know the person.
"""

from typing import Annotated

import msgspec

from schemas import scopes
from schemas.ids import ScopeName, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.common import DateText, Line, LogEntry
from schemas.kinds.registry import record_kind
from schemas.policies import grow, latest, tags
from schemas.retention import RetentionGroup
from schemas.rights import POLICE, SUPERVISING, Rights, writes


class Member(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody in a cohort.

    Attributes:
        name: who.
        born: date of birth; where it is said here and in the other record, the two must be the same day.
    """

    name: Line
    born: DateText | None = None


@record_kind(
    "cohort",
    retention=RetentionGroup.PUBLIC_PROTECTION,
    rights=Rights(
        makers=SUPERVISING,
        writers=SUPERVISING,
        because="Who is in a cohort is decided by those who answer for the work with it.",
    ),
)
class Cohort(Kind, frozen=True, kw_only=True):
    """The people with whom one mission works.

    Attributes:
        mission: slug of the mission; those who are on it see the cohort and get its alerts.
        title: what the cohort is called.
        members: who is in it; one is taken out only by somebody who saw them there.
        log: why people came in and went out.
    """

    mission: Annotated[SlugText, latest]
    title: Annotated[Line, latest]
    members: Annotated[tuple[Member, ...], tags] = ()
    log: Annotated[
        tuple[LogEntry, ...],
        grow,
        writes(*POLICE, because="Whoever works with somebody in the cohort writes down what was done."),
    ] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """Those on the mission, and nobody else."""
        return frozenset({scopes.mission(self.mission)})
