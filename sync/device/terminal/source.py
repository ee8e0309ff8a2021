"""Where command lines come from when nobody sits at a prompt: a pipe, a file, or the command's own options.

The event loop is never held up by reading: whoever writes slowly into the pipe does not stop the sync.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable
from typing import Final

from schemas.errors import UsageError

LINE_BYTES_MAX: Final = 65_536
"""A line of input. The longest text that a command takes is 20,000 characters."""
_CHUNK_BYTES: Final = 65_536


async def read_bytes(descriptor: int) -> bytes:
    """What can be read now, or as soon as there is something; empty at the end."""
    loop = asyncio.get_running_loop()
    while True:
        ready = asyncio.Event()
        try:
            loop.add_reader(descriptor, ready.set)
        except PermissionError:
            # epoll takes no regular file: reading one does not wait for anybody.
            return os.read(descriptor, _CHUNK_BYTES)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(descriptor)
        try:
            return os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            # Another program that shares the descriptor was faster.
            continue
        except OSError:
            # The terminal has gone (EIO): for us that is the end.
            return b""


async def piped_lines(descriptor: int) -> AsyncGenerator[str]:
    """The lines of a pipe or a file, each when it is whole; the last one may lack its end.

    Raises:
        UsageError: a line is longer than LINE_BYTES_MAX, or no UTF-8.
    """
    held = b""
    while chunk := await read_bytes(descriptor):
        *whole, held = (held + chunk).split(b"\n")
        for line in whole:
            yield _text(line)
        if len(held) > LINE_BYTES_MAX:
            _text(held)
    if held:
        yield _text(held)


def _text(line: bytes) -> str:
    if len(line) > LINE_BYTES_MAX:
        raise UsageError(f"a line of input is longer than {LINE_BYTES_MAX} bytes: nothing takes so much")
    try:
        return line.decode().removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError(f"a line of input is not UTF-8 text: {line[:40]!r}…") from None


async def given_lines(lines: Iterable[str]) -> AsyncGenerator[str]:
    """The lines of the options."""
    for line in lines:
        yield line
