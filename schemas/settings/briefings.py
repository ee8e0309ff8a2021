"""How briefings are issued, read and run out: what forces differ in. Times are in ms.

The figures are general knowledge, to be set by each force's own practice.
"""

from typing import Final

import msgspec

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS


class BriefingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text.

    Attributes:
        expiry_warn_ms: how long before a briefing runs out somebody is told; 0 is at that moment.
        review_warn_ms: the same of the date on which somebody is to look at it again.
        acknowledge_ms: how long there is to acknowledge such a warning.
        marker_warn_ms: how long before it ends a warning marker is shown as about to expire.
        receipts_within_ms: over how long the handhelds spread what they say by themselves of a briefing that has come,
            so that a whole force does not say it in one instant; 0 is at once.
        safety_receipts_within_ms: the same where officer safety hangs on it: who issued it must soon see who has it.
        cohort_alert_ms: how long the alert stands that a member of a cohort was named.
        public_least: smaller numbers are not published: they could be told to be one household's.
        public_categories: the categories of incidents that are counted for the neighbourhood.
        public_never: qualifiers of incidents, and sorts of the crimes recorded from them, that are not even counted for
            it.
    """

    expiry_warn_ms: tuple[int, ...] = (HOUR_MS, 0)
    review_warn_ms: tuple[int, ...] = (DAY_MS, 0)
    acknowledge_ms: int = HOUR_MS
    marker_warn_ms: int = 14 * DAY_MS
    receipts_within_ms: int = 5_000
    safety_receipts_within_ms: int = 1_000
    cohort_alert_ms: int = DAY_MS
    public_least: int = 5
    public_categories: tuple[str, ...] = (
        "antisocial-personal",
        "antisocial-nuisance",
        "antisocial-environmental",
        "crime",
        "transport",
    )
    public_never: tuple[str, ...] = ("domestic-abuse", "child", "hate-crime", "rape", "sexual")
