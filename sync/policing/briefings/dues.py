"""What falls due in a briefing: that it runs out, and that somebody looks at it again.

Source: DOMAIN, Briefings and information: each item has an expiry and a review date.
"""

from schemas.ids import Millis
from schemas.kinds import Briefing, Kind
from schemas.roles import Role
from schemas.settings import Settings
from sync.policing.due import Due, What

EXPIRY = "expiry"
REVIEW = "review"
_SOURCE = "validity and review of briefings: the force's own practice"


def dues(record: Kind, settings: Settings, now: Millis) -> list[Due]:  # noqa: ARG001  as every rule of time takes it
    """What is still to come or overdue in a briefing; of one that was withdrawn nothing.

    One that has no successor by the time it runs out leaves officers without a warning, so it is told before, and at
    that moment. A review that is overdue stays due until the date is moved, or the briefing has run out.
    """
    if not isinstance(record, Briefing) or record.withdrawn:
        return []
    found = []
    if record.expires_at is not None:
        found.append(
            _due(
                EXPIRY,
                record.expires_at,
                settings.briefings.expiry_warn_ms,
                settings,
                f"The briefing “{record.title}” runs out: extend it, issue another in its place, or let it end.",
            )
        )
    if record.review_at is not None and (record.expires_at is None or record.review_at < record.expires_at):
        found.append(
            _due(
                REVIEW,
                record.review_at,
                settings.briefings.review_warn_ms,
                settings,
                f"The briefing “{record.title}” is to be reviewed: is it still right? Give it another date, or "
                "withdraw it.",
            )
        )
    return found


def _due(key: str, at: Millis, warn_ms: tuple[int, ...], settings: Settings, words: str) -> Due:
    return Due(
        what=What.BRIEFING_EXPIRY,
        key=key,
        at=at,
        warn_ms=warn_ms,
        roles=(Role.SUPERVISOR,),
        then=(Role.CONTROL_ROOM,),
        within_ms=settings.briefings.acknowledge_ms,
        words=words,
        source=_SOURCE,
    )
