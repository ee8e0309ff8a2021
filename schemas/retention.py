"""How long information is kept before somebody must look at it again (DOMAIN, Briefings and information).

Every kind declares a retention group; a record may say more of itself (`Kind.own_retention`). Nothing is erased by the
passing of time: a record that is due is listed, and a person decides.
"""

from typing import Final

import msgspec

from schemas.tokens import Token

DAYS_A_YEAR: Final = 365


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
    """

    review_days: int | None
    meaning: str


RETENTION: Final = {
    RetentionGroup.PUBLIC_PROTECTION: Retention(
        10 * DAYS_A_YEAR, "MoPI group 1: certain public protection matters; looked at again every ten years."
    ),
    RetentionGroup.SERIOUS: Retention(10 * DAYS_A_YEAR, "MoPI group 2: other sexual, violent or serious offences."),
    RetentionGroup.OTHER_OFFENCE: Retention(6 * DAYS_A_YEAR, "MoPI group 3: all other offences."),
    RetentionGroup.MISCELLANEOUS: Retention(6 * DAYS_A_YEAR, "MoPI group 4: everything else that was reported."),
    RetentionGroup.CUSTODY: Retention(
        7 * DAYS_A_YEAR, "Custody records: beyond the six years in which a detention can be sued over."
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
