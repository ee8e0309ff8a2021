"""Run a witness on its folder: open key and memory, listen, go down when told to."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import StoreError, UsageError
from server.edge.http_protocol import BoundedHttpProtocol
from server.edge.listening import OrderlyServer, in_url, listen
from server.witness.app import build
from server.witness.heads import Heads
from server.witness.witness import Witness
from sync.device.keys import KeyFile
from sync.evidence.note import KeyType, VerifierKey, name_problem

KEY: Final = "witness.key"
HEADS: Final = "heads.sqlite"
CONNECTIONS_MAX: Final = 64
"""A witness serves a handful of logs, each with one connection."""
GOODBYE_S: Final = 5


class Listening(msgspec.Struct, frozen=True):
    """A witness that serves.

    Attributes:
        url: the submission prefix (C2SP tlog-witness).
        key: what verifiers need of it.
    """

    url: str
    key: VerifierKey


class Folder(msgspec.Struct, frozen=True):
    """An opened folder of a witness.

    Attributes:
        heads: its memory.
        key: its public half.
        private_key: the other.
    """

    heads: Heads
    key: VerifierKey
    private_key: Ed25519PrivateKey


def open_folder(path: Path, name: str | None) -> Folder:
    """Open a witness's folder; the first time, make key and memory.

    Args:
        path: the folder.
        name: the witness's name; None when it has one already.

    Raises:
        UsageError: there is no name, or it cannot be one.
        StoreError: the folder cannot be used, or its key lies there without its memory, or with another's.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made ({error.strerror}); name another folder") from None
    if (path / KEY).exists() and not (path / HEADS).exists():
        # A witness that has forgotten what it signed would sign a fork of it with a good conscience.
        raise StoreError(
            f"{path}: holds a witness's key but not {HEADS}, what it has seen; restore that file as it was last, or "
            "delete the key, so that a new witness begins, and tell those who trust the old key"
        )
    heads = Heads.open(path / HEADS)
    try:
        return _opened(path, heads, name)
    except BaseException:
        heads.close()
        raise


def _opened(path: Path, heads: Heads, name: str | None) -> Folder:
    before = heads.name()
    if before is not None and not (path / KEY).exists():
        raise StoreError(f"{path}: the key of the witness {before!r} is gone; restore {KEY}, no other one fits")
    chosen = name or before
    if chosen is None:
        raise UsageError("a new witness needs a name: give it with --name, as in witness.hmi.example")
    wrong = name_problem(chosen)
    if wrong is not None:
        raise UsageError(wrong)
    private_key = Ed25519PrivateKey.from_private_bytes(KeyFile(path / KEY).data_key())
    key = VerifierKey(chosen, KeyType.COSIGNATURE_V1, private_key.public_key().public_bytes_raw())
    heads.bind(key.name, key.public_key)
    return Folder(heads, key, private_key)


async def serve(
    folder: Folder,
    logs: Iterable[VerifierKey],
    host: str,
    port: int,
    ready: Callable[[Listening], None],
    *,
    now_s: Callable[[], float] = time.time,
) -> None:
    """Serve until a signal says to stop; the folder is closed then.

    Args:
        folder: as `open_folder` gives it.
        logs: keys of the logs to watch.
        host, port: where to listen; port 0 takes a free one.
        ready: called once, when the witness listens.
        now_s: the wall clock, seconds since 1970-01-01T00:00Z (POSIX).

    Raises:
        UsageError: no logs, or a key in the wrong role.
        StoreError: the address is taken.
    """
    # One worker: two requests at once would otherwise compare with the same head.
    with contextlib.closing(folder.heads), ThreadPoolExecutor(1, "witness") as thread:
        witness = Witness(folder.heads, logs, folder.key, folder.private_key.sign, now_s)
        with listen(host, port, CONNECTIONS_MAX) as listening:
            url = f"http://{in_url(host)}:{listening.getsockname()[1]}"
            config = uvicorn.Config(
                build(witness, thread),
                http=BoundedHttpProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_graceful_shutdown=GOODBYE_S,
            )
            await _Server(config, lambda: ready(Listening(url, folder.key))).serve([listening])


class _Server(OrderlyServer):
    """It says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def run(folder: Folder, logs: Iterable[VerifierKey], host: str, port: int, ready: Callable[[Listening], None]) -> None:
    """`serve` in an event loop of its own, until it returns."""
    asyncio.run(serve(folder, logs, host, port, ready))
