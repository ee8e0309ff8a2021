"""Where an import puts its drafts: straight into a data folder, or through the server that runs on it."""

import asyncio
import contextlib
import http.client
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from schemas.ids import OfficerId
from server.beatbook import wall_clock
from server.cli.remote import Remote, open_remote
from server.committer import Committer
from server.http.bodies import DraftsDone
from server.office import Draft, Made, Office
from server.restored import Restores
from server.serving import read_address
from server.store.sqlite import SqliteStore


class Target(Protocol):
    """Takes drafts."""

    async def bring(self, drafts: Sequence[Draft], author: OfficerId, /) -> list[Made]:
        """Make or change the records; see `server.office.Office.bring`."""


@contextlib.asynccontextmanager
async def open_target(data: Path, folder: Path) -> AsyncIterator[Target]:
    """The data folder itself when no server runs on it, else that server.

    Args:
        data: the server's data folder.
        folder: the access folder of whoever imports; a running server asks who they are.

    Raises:
        StoreError: the data folder cannot be used.
        UsageError: a server runs on it, and nobody is signed in at the access folder.
    """
    address = read_address(data)
    if address is not None and await asyncio.to_thread(_answers, address.http):
        with open_remote(folder) as remote:
            yield _Running(remote)
        return
    store = await SqliteStore.open(data)
    committer = Committer(store, wall_clock, lambda _settled: None)
    running = asyncio.create_task(committer.run())
    try:
        office = Office(store, committer, wall_clock)
        await office.start()
        await Restores(store, office, wall_clock).look_at(data)
        yield office
    finally:
        committer.close()
        await running
        await store.close()


class _Running:
    """A server, over HTTP. Whoever is signed in is the author, whatever name an import gives."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    async def bring(self, drafts: Sequence[Draft], _author: OfficerId) -> list[Made]:
        body = {"records": [{"id": one.record, "kind": one.kind, "values": one.values} for one in drafts]}
        done = await asyncio.to_thread(self._remote.post, "/v1/records", body, DraftsDone)
        return [Made(one.id, one.outcome, one.seq) for one in done.records]


def _answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/livez", timeout=2) as reply:  # noqa: S310  our own server's address
            return bool(reply.status == http.HTTPStatus.OK)
    except (OSError, http.client.HTTPException):
        return False
