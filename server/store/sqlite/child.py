"""The writing process: `python -m server.store.sqlite.child FOLDER DESCRIPTOR WAIT`. Only `process` starts it.

A thread beside a busy event loop starves (7 of 300 commits a second, against all of them here). It lives as long as the
server's end of the socketpair: whether that is closed in order or by SIGKILL, it ends its commit, closes the database
and goes. A signal that was meant for the whole group does not end it, so that the server can still drain into it.
"""

import contextlib
import gc
import os
import signal
import socket
import sys
from io import BufferedIOBase
from pathlib import Path
from typing import Final

from schemas.errors import StoreError
from server.observing import logs
from server.store.sqlite.frames import Answer, Done, Failed, Opened, pack, read_ask
from server.store.sqlite.writer import SqliteWriter

GARBAGE_THRESHOLDS: Final = (100_000, 20, 50)
"""For `gc.set_threshold`: a group makes some ten thousand objects and hardly a cycle among them; looking for one after
each 700, as is the default, took a tenth of the time."""


def main(folder: Path, descriptor: int, wait_s: float) -> None:
    """Open the folder and answer until the server has gone.

    Args:
        folder: the data folder.
        descriptor: this end of the socketpair.
        wait_s: how long to wait for another process that holds the folder (seconds).
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    logs.begin(logs.formatter("json" if os.environ.get(logs.CHILD_VARIABLE) == "json" else "text"), "warning")
    with (
        # The server may go at any moment, also while it is being answered; outermost, since closing the stream flushes.
        contextlib.suppress(BrokenPipeError, ConnectionResetError),
        socket.socket(fileno=descriptor) as link,
        link.makefile("rwb") as stream,
    ):
        _serve(folder, stream, wait_s)


def _serve(folder: Path, stream: BufferedIOBase, wait_s: float) -> None:
    try:
        writer = SqliteWriter.open(folder, wait_s)
    except StoreError as error:
        _answer(stream, Failed(str(error)))
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    try:
        _answer(stream, Opened(writer.epoch))
        while (ask := read_ask(stream)) is not None:
            try:
                settled = writer.commit(ask.group, ask.now)
            except StoreError as error:
                _answer(stream, Failed(str(error)))
            else:
                _answer(stream, Done(tuple(settled), writer.took))
    finally:
        writer.close()


def _answer(stream: BufferedIOBase, answer: Answer) -> None:
    stream.write(pack(answer))
    stream.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
