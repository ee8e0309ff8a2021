"""Routes: how webhooks stand, and what administrators do about events that a subscriber did not take.

What an event says is told nowhere here: whoever sees to it that events arrive need not see what is in them.
"""

from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.ids import RecordText
from schemas.roles import Role
from server.events.webhooks import Actor, Letter, Standing
from server.http.callers import caller_of
from server.http.identities import Done
from server.http.operations import LIMIT_MEANING, Operation, choice_of, limit_of, read_body
from server.http.problems import beatbook_of, reply
from server.registry.acts.base import Why

_WHO: Final = (Role.ADMINISTRATOR,)
_WHICH: Final = ("dead", "all")


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """Every webhook of the configuration, by name."""

    webhooks: list[Standing]


class LetterList(msgspec.Struct, frozen=True, kw_only=True):
    """Records of which an event was not taken, in order of id; as many as were asked for."""

    letters: list[Letter]


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dead letters are to be tried again.

    Attributes:
        why: what for; it stays in the log.
        record: of which record; null for all that there are.
    """

    why: Why
    record: RecordText | None = None


class Drop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dead letter is given up.

    Attributes:
        record: of which record.
        why: what for; it stays in the log.
        every: whether every event that waits of the record goes, and not the first alone.
    """

    record: RecordText
    why: Why
    every: bool = False


class TurnOn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subscriber who wanted nothing any more is sent events again.

    Attributes:
        why: what for; it stays in the log.
    """

    why: Why


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """What was done.

    Attributes:
        count: to how many: of a retry records, of a drop events.
    """

    count: int


async def list_webhooks(request: Request) -> Response:
    """How every webhook stands: whether it is off, what waits, what was given up."""
    return reply(WebhookList(webhooks=beatbook_of(request).webhooks.standings()))


async def list_letters(request: Request) -> Response:
    """The records of which a webhook's subscriber did not take an event: dead letters, or all that fail."""
    limit, which = limit_of(request), choice_of(request, "which", _WHICH)
    letters = beatbook_of(request).webhooks.letters(_webhook(request), dead_only=which == "dead")
    return reply(LetterList(letters=letters[:limit]))


async def retry_letters(request: Request) -> Response:
    """Have dead letters tried again, the oldest event of each record first."""
    body = await read_body(request, Retry)
    count = await beatbook_of(request).webhooks.retry(_webhook(request), body.record, _actor(request, body.why))
    return reply(Touched(count=count))


async def drop_letter(request: Request) -> Response:
    """Give a dead letter up: its subscriber never gets it. What is behind it goes on, unless that goes too."""
    body = await read_body(request, Drop)
    webhooks, actor = beatbook_of(request).webhooks, _actor(request, body.why)
    return reply(Touched(count=await webhooks.drop(_webhook(request), body.record, actor, every=body.every)))


async def turn_on_webhook(request: Request) -> Response:
    """Send events again to a subscriber who had answered 410; it goes on where it was."""
    body = await read_body(request, TurnOn)
    await beatbook_of(request).webhooks.turn_on(_webhook(request), _actor(request, body.why))
    return reply(Done())


def _webhook(request: Request) -> str:
    name: str = request.path_params["webhook"]
    if name not in beatbook_of(request).webhooks.names:
        raise HTTPException(404, f"there is no webhook {name!r}")
    return name


def _actor(request: Request, why: str) -> Actor:
    caller = caller_of(request)
    return Actor(by=caller.officer, seat=caller.seat, why=why)


OPERATIONS: Final = (
    Operation(method="GET", path="/v1/events", handler=list_webhooks, who=_WHO, gives=WebhookList),
    Operation(
        method="GET",
        path="/v1/events/{webhook}/letters",
        handler=list_letters,
        who=_WHO,
        gives=LetterList,
        query={
            "which": "`dead` (when absent), or `all` that have failed, also those that are tried again.",
            "limit": LIMIT_MEANING,
        },
    ),
    Operation(
        method="POST",
        path="/v1/events/{webhook}/retries",
        handler=retry_letters,
        who=_WHO,
        takes=Retry,
        gives=Touched,
    ),
    Operation(
        method="POST", path="/v1/events/{webhook}/drops", handler=drop_letter, who=_WHO, takes=Drop, gives=Touched
    ),
    Operation(
        method="POST",
        path="/v1/events/{webhook}/turning-on",
        handler=turn_on_webhook,
        who=_WHO,
        takes=TurnOn,
        gives=Done,
    ),
)
