"""Where an import puts its drafts: straight into a data folder, or through the server that runs on it."""

import asyncio
import contextlib
import http.client
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from schemas.errors import StoreError, UsageError
from schemas.ids import OfficerId
from server.beatbook import wall_clock
from server.committer import Committer
from server.http.bodies import DraftsDone
from server.office import Draft, Made, Office
from server.serving import control_token, read_address
from server.store.sqlite import SqliteStore

REQUEST_TIMEOUT_S = 60.0


class Target(Protocol):
    """Takes drafts."""

    async def bring(self, drafts: Sequence[Draft], author: OfficerId) -> list[Made]:
        """Make or change the records; see `server.office.Office.bring`."""


@contextlib.asynccontextmanager
async def open_target(data: Path) -> AsyncIterator[Target]:
    """The data folder itself when no server runs on it, else that server.

    Raises:
        StoreError: the folder cannot be used.
    """
    address = read_address(data)
    if address is not None and await asyncio.to_thread(_answers, address.http):
        yield _Running(address.http, control_token(data))
        return
    store = await SqliteStore.open(data)
    committer = Committer(store, wall_clock, lambda _settled: None)
    running = asyncio.create_task(committer.run())
    try:
        office = Office(store, committer, wall_clock)
        await office.start()
        yield office
    finally:
        committer.close()
        await running
        await store.close()


class _Running:
    """A server, over HTTP."""

    def __init__(self, base: str, token: str) -> None:
        self._base = base
        self._token = token

    async def bring(self, drafts: Sequence[Draft], author: OfficerId) -> list[Made]:
        body = msgspec.json.encode(
            {
                "author": author,
                "records": [{"id": one.record, "kind": one.kind, "values": one.values} for one in drafts],
            }
        )
        raw = await asyncio.to_thread(self._post, "/v1/records", body)
        done = msgspec.json.decode(raw, type=DraftsDone)
        return [Made(one.id, one.outcome, one.seq) for one in done.records]

    def _post(self, path: str, body: bytes) -> bytes:
        request = urllib.request.Request(  # noqa: S310  the base is our own server's http address
            self._base + path,
            body,
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as reply:  # noqa: S310  as above
                answer: bytes = reply.read()
        except urllib.error.HTTPError as error:
            raise UsageError(f"the server refused: {error.read().decode(errors='replace')[:500]}") from None
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(f"the server at {self._base} cannot be reached ({error}); try again") from None
        return answer


def _answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/livez", timeout=2) as reply:  # noqa: S310  our own server's address
            return bool(reply.status == http.HTTPStatus.OK)
    except (OSError, http.client.HTTPException):
        return False
