"""A whole device written from docs/protocol.md alone: the proof that the page is enough.

It imports nothing of Beatbook. `plain_merge` holds the rules for values, `plain_evidence` what is chained, signed and
sealed, `plain_device` the device without a socket; this module moves its bytes over a WebSocket and comes back when the
link breaks. The replica lives in memory and is not encrypted: this is a conformance check, not a handheld.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable

import websockets

from tests.plain_device import PlainDevice, ProtocolError
from tests.plain_sender import MESSAGE_BYTES_MAX

__all__ = ["PlainDevice", "RefusedError", "run", "wait_s"]

PING_INTERVAL_S, ANSWER_TIMEOUT_S = 20.0, 10.0
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.25, 15.0


class RefusedError(Exception):
    """The server said that coming back is of no use before a person has acted."""


async def run(device: PlainDevice, url: str, written: asyncio.Event, heard: Callable[[], None]) -> None:
    """Stay in touch with the server until cancelled.

    Args:
        device: whose session it is.
        url: as in ws://127.0.0.1:8000/v1/sync.
        written: set by whoever calls `create` or `edit`.
        heard: called after each message that was taken in.

    Raises:
        RefusedError: the server's error asks for a new identity or a new program.
    """
    failures = 0
    while True:
        device.opened()
        with contextlib.suppress(OSError, websockets.WebSocketException):
            async with websockets.connect(
                url,
                subprotocols=[websockets.Subprotocol("beatbook.v1")],
                compression=None,
                max_size=MESSAGE_BYTES_MAX,
                ping_interval=None,
            ) as socket:
                await _converse(device, socket, written, heard)
        failures = 0 if device.welcomed else failures + 1
        await asyncio.sleep(wait_s(device, failures))


def wait_s(device: PlainDevice, failures: int) -> float:
    """How long to stay away after a session."""
    error = device.error or {}
    if error.get("recovery") in {"reauth", "upgrade"}:
        raise RefusedError(error["code"])
    if error.get("retry_after_ms") is not None:
        return float(error["retry_after_ms"]) / 1_000
    if "stop" in {error.get("recovery"), device.failed and device.failed.recovery}:
        return BACKOFF_MAX_S
    return random.uniform(0, min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2**failures))


async def _converse(
    device: PlainDevice, socket: websockets.ClientConnection, written: asyncio.Event, heard: Callable[[], None]
) -> None:
    one_at_a_time = asyncio.Lock()

    async def flush() -> None:
        async with one_at_a_time:
            for frame in device.outgoing():
                await socket.send(frame)

    async def push_what_is_written() -> None:
        while True:
            await written.wait()
            written.clear()
            await flush()

    pusher = asyncio.create_task(push_what_is_written())
    pings, unanswered = 0, False
    try:
        while device.state != "closed":
            waits = device.state != "live" or unanswered
            try:
                data = await asyncio.wait_for(socket.recv(), ANSWER_TIMEOUT_S if waits else PING_INTERVAL_S)
            except TimeoutError:
                if waits:
                    device.fail(ProtocolError("server_silent", 4413, "retry"))
                else:
                    pings, unanswered = pings + 1, True
                    device.ping(pings)
            else:
                unanswered = False
                if isinstance(data, str):
                    device.fail(ProtocolError("text_frame", 4400, "stop"))
                else:
                    device.receive(data)
            await flush()
            heard()
        if device.failed is not None:
            await socket.close(device.failed.close)
    finally:
        pusher.cancel()
