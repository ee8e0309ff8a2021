"""A handheld with an older or a newer program: `python -m tests.evolution.handheld VERSION FOLDER KEY AUTHOR [URL]`.

The real engine over a real replica and a real socket, in a process of its own, with other declarations (see `versions`
for what is altered and how). It takes one JSON object a line on standard input, carries it out, and answers with one on
standard output: `{"ok": …}`, or `{"error": …}` with the words that the application would be given.

`VERSION` is `behind` or `ahead`, with `:N` behind it for a program that says another schema version than its own.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tests.evolution.versions import become, speak_first_version

if TYPE_CHECKING:
    from sync.device import Handheld, SyncStatus

Do = Callable[["Handheld", dict[str, Any]], Awaitable[object]]


def main() -> None:
    """Become the program of that version, then serve commands until standard input ends."""
    version, folder, key, author, *url = sys.argv[1:]
    name, _, number = version.partition(":")
    if name not in {"behind", "ahead"}:
        raise SystemExit(f"no such version: {version}")
    become("behind" if name == "behind" else "ahead", int(number) if number else None)
    if name == "behind":
        speak_first_version()
    asyncio.run(_serve(Path(folder), Path(key), author, url[0] if url else None))


async def _serve(folder: Path, key: Path, author: str, url: str | None) -> None:
    # Only now, behind `become`.
    from schemas.errors import BeatbookError  # noqa: PLC0415  see above
    from sync.device import DeviceIdentity, Handheld, HeldKey  # noqa: PLC0415  see above

    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    opening = Handheld.open(
        folder, identity=DeviceIdentity.load(key), keys=HeldKey(bytes(range(32))), author=author, server=url
    )
    async with opening as handheld:
        while line := await lines.readline():
            asked = json.loads(line)
            try:
                answer: dict[str, object] = {"ok": await _COMMANDS[asked.pop("do")](handheld, asked)}
            except (BeatbookError, msgspec.ValidationError) as error:
                answer = {"error": str(error)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


# --- the commands ----------------------------------------------------------------------------------------------------


async def _self(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """What this program declares: the proof that it is altered."""
    from schemas import wire  # noqa: PLC0415  see `_serve`
    from schemas.kinds import KINDS  # noqa: PLC0415  see `_serve`

    return {"schema": wire.SCHEMA, "kinds": {name: list(spec.fields) for name, spec in KINDS.items()}}


async def _create(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """Make a record: `kind`, `values`."""
    from schemas.kinds import KINDS  # noqa: PLC0415  see `_serve`

    return msgspec.to_builtins(await handheld.create(msgspec.convert(asked["values"], KINDS[asked["kind"]].struct)))


async def _edit(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """Change fields: `record`, `changes`."""
    return msgspec.to_builtins(await handheld.edit(asked["record"], **asked["changes"]))


async def _append(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """Add an entry: `record`, `field`, `entry`."""
    return msgspec.to_builtins(await handheld.append(asked["record"], asked["field"], asked["entry"]))


async def _inspect(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """What the officer sees of `record`: values, how each token reads, and what waits."""
    view = await handheld.inspect(asked["record"])
    return None if view is None else shown(view)


async def _reach(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """As `_inspect`, once `record` has come in `version` or a later one and nothing of one's own is laid over it."""
    changes = handheld.changes()
    while True:
        view = await handheld.inspect(asked["record"])
        if view is not None and view.version >= asked["version"] and not view.pending:
            return shown(view)
        await anext(changes)


async def _wait(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """The status, once it is as `until` says: `rest`, `caught up`, `away`, or `told` with `text` in the last error."""

    def holds(status: "SyncStatus") -> bool:
        match asked["until"]:
            case "rest":
                return status.connected and status.caught_up and status.waiting == 0
            case "caught up":
                return status.connected and status.caught_up
            case "away":
                return not status.connected
            case _:
                return asked["text"] in status.last_error

    return msgspec.to_builtins(await handheld.wait_until(holds))


async def _status(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """The status."""
    return msgspec.to_builtins(handheld.status)


async def _held(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """Own ops that were refused."""
    return msgspec.to_builtins(await handheld.held())


async def _outbox(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """Every op that waits: its bytes, in base64, and what the server last said of it."""
    from sync.outbox import OpState  # noqa: PLC0415  see `_serve`

    def look(held: Any) -> list[dict[str, Any]]:  # noqa: ANN401  `sync.device.store.Held`, imported only in `_serve`
        return [
            {"n": op.n, "body": base64.b64encode(op.body).decode(), "code": op.code, "detail": op.detail}
            for op in held.tables.ops_in([OpState.QUEUED, OpState.WAITING], 0, 100)
        ]

    return await handheld._store.read(look)


async def _row(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """The row of `record` as the replica keeps it, in base64; or null."""
    body = await handheld._store.read(lambda held: held.tables.row(asked["record"]))
    return None if body is None else base64.b64encode(body).decode()


async def _offline(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """Lose the network."""
    await handheld.go_offline()
    return None


async def _online(handheld: "Handheld", asked: dict[str, Any]) -> object:
    """Get it back."""
    await handheld.go_online()
    return None


_COMMANDS: dict[str, Do] = {
    "self": _self,
    "create": _create,
    "edit": _edit,
    "append": _append,
    "inspect": _inspect,
    "reach": _reach,
    "wait": _wait,
    "status": _status,
    "held": _held,
    "outbox": _outbox,
    "row": _row,
    "offline": _offline,
    "online": _online,
}


def shown(view: Any) -> dict[str, Any]:  # noqa: ANN401  a `RecordView`, imported only in `_serve`
    """A record's view as plain data.

    Args:
        view: what `Handheld.inspect` gives.
    """
    values = {name: getattr(view.value, name) for name in view.value.__struct_fields__}
    return {
        "version": view.version,
        "values": msgspec.to_builtins(values),
        "tokens": {name: value.name for name, value in values.items() if hasattr(value, "known")},
        "ops": {name: one.stamp.op for name, one in view.fields.items()},
        "unread": {name: [msgspec.to_builtins(one.value) for one in kept] for name, kept in view.unread.items()},
        "differing": {name: [msgspec.to_builtins(one.value) for one in all_] for name, all_ in view.differing.items()},
        "pending": list(view.pending),
        "held": [one.op for one in view.held],
    }


if __name__ == "__main__":
    main()
