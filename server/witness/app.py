"""The witness over HTTP: one path, bounded bodies, and one thread that does the work in order."""

import asyncio
from concurrent.futures import Executor

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server.witness.request import PATH, REQUEST_BYTES_MAX
from server.witness.witness import Witness


def build(witness: Witness, thread: Executor) -> Starlette:
    """The application.

    Args:
        witness: the rule.
        thread: runs it, one request after the other; it must have exactly one worker. The disk is waited for there and
            not in the event loop.
    """

    async def add_checkpoint(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return PlainTextResponse(f"at most {REQUEST_BYTES_MAX} bytes\n", status_code=413)
        answer = await asyncio.get_running_loop().run_in_executor(thread, witness.add_checkpoint, body)
        # As a header: from a media type of text the framework would make another one, with a charset.
        return Response(answer.body, answer.status, {"content-type": answer.media_type})

    return Starlette(routes=[Route(PATH, add_checkpoint, methods=["POST"])])


async def _body(request: Request) -> bytes | None:
    """The request's body; None when it is too long, which is noticed before it is all here."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > REQUEST_BYTES_MAX:
                return None
    except ClientDisconnect:
        # Nobody waits for the answer: half a request is a malformed one.
        return b""
    return bytes(body)
