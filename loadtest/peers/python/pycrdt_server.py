"""pycrdt-websocket with its SQLite store: `python pycrdt_server.py PORT FOLDER`.

As its documentation has it: a room for each path, its document loaded from the store when the first client comes, and
every update handed to the store by a task of its own, behind what the clients are told.
"""

import asyncio
import contextlib
import sys
from pathlib import Path

import uvicorn
from pycrdt import Doc
from pycrdt.store import SQLiteYStore, YDocNotFound
from pycrdt.websocket import ASGIServer, WebsocketServer, YRoom

_MAKING = asyncio.Lock()


class Store(SQLiteYStore):  # type: ignore[misc] # its types are in an environment of its own
    """Updates in one database."""

    db_path = str(Path(sys.argv[2]) / "updates.db")


class Rooms(WebsocketServer):  # type: ignore[misc] # the same
    """Rooms that are kept."""

    async def get_room(self, name: str) -> YRoom:
        """The room of a path, with what the store has of it."""
        # Two who come together are to meet, and a room that is being started cannot be started.
        async with _MAKING:
            if name not in self.rooms:
                room = YRoom(ready=False, ystore=Store(name))
                await self.start_room(room)
                await room.ystore.started.wait()
                await taken(room.ystore, room.ydoc)
                room.ready = True
                self.rooms[name] = room
        return self.rooms[name]


async def taken(store: Store, doc: Doc) -> None:
    """Have a document take in what the store has of it, if anything."""
    with contextlib.suppress(YDocNotFound):
        await store.apply_updates(doc)


async def main() -> None:
    """Serve until it is killed."""
    # Two stores that begin at once both make the tables, and one fails: let one begin alone.
    async with Store("first") as store:
        await taken(store, Doc())
    rooms = Rooms(auto_clean_rooms=False)
    async with rooms:
        config = uvicorn.Config(
            ASGIServer(rooms), port=int(sys.argv[1]), log_level="warning", ws_per_message_deflate=False, lifespan="off"
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main())
