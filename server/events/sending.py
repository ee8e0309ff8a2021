"""One call to a subscriber, and what its answer means. The only place of the events that has sockets.

What an answer holds is not read beyond a bound and kept nowhere: it is another program's, and may hold anything.
"""

import asyncio
import email.utils
import enum
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import httpx
import msgspec

from schemas.ids import Millis
from server.events.subscription import Subscription

for _name in ("httpx", "httpcore"):
    # Below that they log every address, a part of which may be a secret, and every header.
    logging.getLogger(_name).setLevel(logging.WARNING)
ANSWER_BYTES_MAX: Final = 16 * 1024
"""What is read of an answer's body, so that its connection can be used again; a longer one costs the connection."""
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

    def __init__(
        self,
        subscription: Subscription,
        now: Callable[[], Millis],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            subscription: to whom.
            now: the server's clock (ms since 1970), for a Retry-After that is a date.
            transport: another way to reach them.
        """
        self._url = subscription.url
        self._timeout_s = subscription.timeout_s
        self._now = now
        # Nothing from the environment: a proxy variable must not decide who sees the events. Redirects are not
        # followed: the address was vouched for by whoever wrote the configuration, and no other one was.
        self._http = httpx.AsyncClient(
            verify=subscription.tls or ssl.create_default_context(),
            timeout=subscription.timeout_s,
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            headers={"accept-encoding": "identity", "user-agent": USER_AGENT},
            limits=httpx.Limits(max_connections=subscription.in_flight_max),
        )

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One call."""
        try:
            async with asyncio.timeout(self._timeout_s):
                async with self._http.stream("POST", self._url, headers=dict(headers), content=body) as answer:
                    found = heard(answer.status_code, answer.headers.get("retry-after"), self._now())
                    read = 0
                    async for piece in answer.aiter_raw(4_096):
                        read += len(piece)
                        if read > ANSWER_BYTES_MAX:
                            break
                return found
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Outcome(Verdict.UNREACHABLE, f"cannot be reached ({type(error).__name__})")
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(Verdict.FAILED, f"no answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            return Outcome(Verdict.FAILED, f"the call broke off ({type(error).__name__})")

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()


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
