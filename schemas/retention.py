"""How long information is kept before somebody must look at it again (DOMAIN, Briefings and information).

Every kind declares a retention group; a record may say more of itself (`Kind.own_retention`). Nothing is erased by the
passing of time: a record that is due is listed, and a person decides.
"""

import re
from typing import Final, Self

import msgspec

from schemas.errors import UsageError
from schemas.tokens import Token

DAYS_A_YEAR: Final = 365
_PERIOD: Final = re.compile(r"([1-9][0-9]{0,5}) (day|year)s?")


class Period:
    """A time in whole days, as people write it in a retention schedule: `7 years`, `90 days`. A year has 365 days."""

    __slots__ = ("days",)

    def __init__(self, days: int) -> None:
        """That many days."""
        self.days: Final = days

    @classmethod
    def parse(cls, text: object) -> Self:
        """A period as it is written.

        Raises:
            UsageError: it is none.
        """
        found = _PERIOD.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise UsageError('Expected a period in days or years, in quotes: "90 days", "7 years"')
        return cls(int(found[1]) * (DAYS_A_YEAR if found[2] == "year" else 1))

    def __str__(self) -> str:
        """As `parse` takes it; in years where they are whole."""
        years, rest = divmod(self.days, DAYS_A_YEAR)
        count, unit = (years, "year") if years and not rest else (self.days, "day")
        return f"{count} {unit}{'' if count == 1 else 's'}"

    def __repr__(self) -> str:
        return f"Period({self.days})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Period) and self.days == other.days

    def __hash__(self) -> int:
        return hash(self.days)


class RetentionGroup(Token):
    """Why a record is kept. The first four are those of the Management of Police Information (MoPI)."""

    PUBLIC_PROTECTION = "public-protection"
    SERIOUS = "serious"
    OTHER_OFFENCE = "other-offence"
    MISCELLANEOUS = "miscellaneous"
    CUSTODY = "custody"
    BRIEFING = "briefing"
    ADMINISTRATIVE = "administrative"
    WITH_SUBJECT = "with-subject"


class Retention(msgspec.Struct, frozen=True):
    """What a group means.

    Attributes:
        review_days: days after the record's last change when it is reviewed; None: with the record that it is about. A
            default: forces differ, and configure it.
        meaning: what is in it, in one sentence.
        least_days: the law asks for no less, and no force can configure less; None where none is declared.
        law: which law, for whoever is refused; "" where none is declared.
    """

    review_days: int | None
    meaning: str
    least_days: int | None = None
    law: str = ""


RETENTION: Final = {
    RetentionGroup.PUBLIC_PROTECTION: Retention(
        10 * DAYS_A_YEAR, "MoPI group 1: certain public protection matters; looked at again every ten years."
    ),
    RetentionGroup.SERIOUS: Retention(10 * DAYS_A_YEAR, "MoPI group 2: other sexual, violent or serious offences."),
    RetentionGroup.OTHER_OFFENCE: Retention(6 * DAYS_A_YEAR, "MoPI group 3: all other offences."),
    RetentionGroup.MISCELLANEOUS: Retention(6 * DAYS_A_YEAR, "MoPI group 4: everything else that was reported."),
    RetentionGroup.CUSTODY: Retention(
        7 * DAYS_A_YEAR,
        "Custody records: beyond the six years in which a detention can be sued over.",
        least_days=6 * DAYS_A_YEAR,
        law="Limitation Act 1980 section 2",
    ),
    RetentionGroup.BRIEFING: Retention(DAYS_A_YEAR, "Briefings: past their use, kept for what officers had been told."),
    RetentionGroup.ADMINISTRATIVE: Retention(
        2 * DAYS_A_YEAR, "Cells, vehicles and call signs: of no person, kept for who had them when."
    ),
    RetentionGroup.WITH_SUBJECT: Retention(
        None, "Kept as long as the record that it is about, and erased together with it."
    ),
}
"""The groups with their default periods (general knowledge, to be set by each force's own schedule)."""
