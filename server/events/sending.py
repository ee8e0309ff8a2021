"""One call to a subscriber, and what its answer means.

What an answer holds is kept and told nowhere: it is another program's, and may hold anything.
"""

import email.utils
import enum
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from schemas.ids import Millis
from server.events.connection import BrokenError, Connections, UnreachableError
from server.events.subscription import Subscription

PAUSE_MS_MAX: Final = 24 * 60 * 60_000
"""The longest time that a subscriber may ask for."""
USER_AGENT: Final = "beatbook-events"
_DIGITS_MAX: Final = 9
_GONE: Final = 410
_LATER: Final = frozenset({429, 503})


class Verdict(enum.Enum):
    """What came of one call."""

    TAKEN = "taken"
    FAILED = "failed"
    """This event was not taken: it is tried again, and that counts."""
    UNREACHABLE = "unreachable"
    """Nobody is there: no event is at fault, and all wait."""
    LATER = "later"
    """The subscriber asks for time: all wait that long, and it counts as no try."""
    GONE = "gone"
    """The subscriber wants no more events (410)."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of one call.

    Attributes:
        verdict: in a word.
        detail: in words, for an administrator; nothing of the event or of the answer's body.
        pause_ms: of LATER: how long to wait.
    """

    verdict: Verdict
    detail: str
    pause_ms: int = 0


class Post(Protocol):
    """Posts to one subscriber."""

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One call; it never raises but when it is cancelled."""

    async def close(self) -> None:
        """Close its connections."""


class HttpPost:
    """`Post` over HTTP."""

    def __init__(self, subscription: Subscription, now: Callable[[], Millis]) -> None:
        """Prepare; nothing is sent yet.

        Args:
            subscription: to whom.
            now: the server's clock (ms since 1970), for a Retry-After that is a date.
        """
        self._now = now
        self._connections = Connections(subscription.url, subscription.tls, subscription.timeout_s)

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One call."""
        try:
            answer = await self._connections.post({"user-agent": USER_AGENT, **headers}, body)
        except UnreachableError as error:
            return Outcome(Verdict.UNREACHABLE, str(error))
        except BrokenError as error:
            return Outcome(Verdict.FAILED, str(error))
        return heard(answer.status, answer.retry_after, self._now())

    async def close(self) -> None:
        """Close its connections."""
        self._connections.close()


def heard(status: int, retry_after: str | None, now: Millis) -> Outcome:
    """What an answer means.

    Source: CloudEvents HTTP 1.1 Web Hooks 1.0.2 section 2.2: any 2xx takes the event, 410 ends the delivery, 429 asks
    for time. A redirect is none of these.

    Args:
        status: of the answer.
        retry_after: its header of that name (RFC 9110 section 10.2.3), or None.
        now: the server's clock (ms since 1970).
    """
    told = f"answered {status}"
    if 200 <= status < 300:  # noqa: PLR2004  the class of success
        return Outcome(Verdict.TAKEN, told)
    if status == _GONE:
        return Outcome(Verdict.GONE, told)
    pause_ms = pause_of(retry_after, now) if status in _LATER and retry_after is not None else None
    if pause_ms is not None:
        return Outcome(Verdict.LATER, f"{told}, and asks for {pause_ms // 1_000} s", pause_ms)
    return Outcome(Verdict.FAILED, told)


def pause_of(retry_after: str, now: Millis) -> int | None:
    """A Retry-After in ms from now, at most PAUSE_MS_MAX; None when it is none."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX:
        return min(int(text) * 1_000, PAUSE_MS_MAX)
    try:
        at = email.utils.parsedate_to_datetime(text)
        until_ms = int(at.timestamp() * 1_000)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(until_ms - now, 0), PAUSE_MS_MAX)
