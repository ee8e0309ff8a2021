"""Each request has an id of its own, which its answer bears; each connection has one in all that is done for it."""

import asyncio
import contextvars
import re
from typing import Any

import pytest
import uvloop
from starlette.types import Message, Receive, Scope, Send

from server.edge.middleware import EdgeSettings
from server.observing import correlation
from server.observing.measures import Measures
from server.observing.requests import Observed
from tests.server.edge.served import GET, UPGRADE, Application, served

ID = re.compile(r"[0-9a-f]{12}")


class Noting(Application):
    """An application that notes under which ids it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note, then serve."""
        self.ids.append((correlation.connection(), correlation.current()))
        await super().__call__(scope, receive, send)


def in_a_fresh_context(work: Any) -> None:  # noqa: ANN401  a coroutine
    """Run to the end on the loop that the server has, with no id left over."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(work, 30), context=contextvars.Context())


def test_two_requests_of_one_connection_share_its_id_and_have_their_own() -> None:
    """The id in the answer's header is the one that log lines of the request have."""

    async def work() -> None:
        app, measures = Noting(), Measures()
        async with served(
            settings=EdgeSettings(), app=app, around=lambda it: Observed(it, lambda _: measures)
        ) as server:
            caller = await server.call()
            answers = [await caller.ask(), await caller.ask()]
            other = await (await server.call()).ask()
        named = [answer.headers["x-request-id"] for answer in (*answers, other)]
        assert len(set(named)) == 3
        assert all(map(ID.fullmatch, named))
        assert [current for _, current in app.ids] == named
        first, second, third = (connection for connection, _ in app.ids)
        assert first == second != third
        assert measures.requests == {("GET", 200): 3}
        assert measures.request_s.count == 3

    in_a_fresh_context(work())


def test_a_websocket_is_served_under_the_id_of_its_connection() -> None:
    """Whatever is logged for a device's socket bears one id, from its acceptance on."""

    async def work() -> None:
        app = Noting()
        async with served(app=app, around=lambda it: Observed(it, lambda _: None)) as server:
            for _ in range(2):
                assert (await (await server.call()).ask(UPGRADE)).status == 101
        (first, current), (second, _) = app.ids
        assert ID.fullmatch(first)
        assert first == current != second

    in_a_fresh_context(work())


def test_what_the_edge_refuses_is_counted_too() -> None:
    """A refusal bears an id like any answer; a method that nobody foresaw makes no series of its own."""

    async def work() -> None:
        app, measures = Noting(), Measures()
        settings = EdgeSettings(hosts=("elsewhere.example",))
        async with served(settings=settings, app=app, around=lambda it: Observed(it, lambda _: measures)) as server:
            answer = await (await server.call()).ask()
            strange = await (await server.call()).ask(GET.replace(b"GET", b"PROPFIND"))
        assert answer.status >= 400
        assert ID.fullmatch(answer.headers["x-request-id"])
        assert measures.requests == {("GET", answer.status): 1, ("other", strange.status): 1}
        assert app.ids == []

    in_a_fresh_context(work())


async def test_a_caller_that_left_is_counted() -> None:
    """Without an answer there is no status; it counts as 499."""
    measures = Measures()

    async def leaves(scope: Scope, receive: Receive, send: Send) -> None:
        raise ConnectionResetError

    async def never(message: Message | None = None) -> Message:
        raise AssertionError(message)

    with pytest.raises(ConnectionResetError):
        await Observed(leaves, lambda _: measures)({"type": "http", "method": "GET"}, never, never)  # type: ignore[arg-type]
    assert measures.requests == {("GET", 499): 1}
