"""Routes: signing in with a provider elsewhere. They are there where the configuration has the section, else 404.

Who a caller must be is asked before whether the route is in use, so that a stranger learns nothing of either.
"""

import html
from typing import Annotated, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas.ids import DeviceId, DeviceText
from server.authority.provider import CHECK_DIGITS, ProviderSignIn
from server.edge.refusals import DATA_POLICY
from server.federation.settings import CALLBACK_PATH
from server.http.callers import TooFastError, callers_of
from server.http.identities import SignedInBody
from server.http.operations import ANYBODY, KEY_HOLDER, Operation, read_body
from server.http.problems import beatbook_of, reply
from server.http.signing import signed_in_body

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Beatbook</title></head>
<body><h1>Go back to the handheld</h1>
<p>This signs you in on the device <strong>{device}</strong>. Type this number there:</p>
<p><strong>{check}</strong></p>
<p>If you did not begin this on that device yourself, tell nobody the number, and report it.</p>
</body></html>
"""
_Handle = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class OidcBegin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login that a device begins; the proof is by its key.

    Attributes:
        device: the device's id.
    """

    device: DeviceText


class OidcBegun(msgspec.Struct, frozen=True, kw_only=True):
    """A login that has begun.

    Attributes:
        address: what to open in a browser.
        handle: what the device finishes with, for itself alone.
        until: when the login ends by itself (ms since 1970).
    """

    address: str
    handle: str
    until: int


class OidcFinish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The end of a login, by the device that began it.

    Attributes:
        device: the device's id.
        handle: what it was given at the beginning.
        check: the six digits that the browser's page shows, which the officer types.
    """

    device: DeviceText
    handle: _Handle
    check: Annotated[str, msgspec.Meta(pattern=rf"^[0-9]{{{CHECK_DIGITS}}}$(?!\n)")]


async def begin_oidc(request: Request) -> Response:
    """Begin to sign in with the provider: an address for the browser, and a handle for the device."""
    body = await read_body(request, OidcBegin)
    jkt = callers_of(request).prove_device(request, DeviceId(body.device))
    wait_ms = beatbook_of(request).pace.call(body.device)
    if wait_ms is not None:
        raise TooFastError(wait_ms)
    begun = await _provider(request).begin(DeviceId(body.device), jkt)
    return reply(OidcBegun(address=begun.address, handle=begun.handle, until=begun.until))


async def return_oidc(request: Request) -> Response:
    """Where the provider sends the browser back: a page that says to go back to the handheld, with a number."""
    returned = _provider(request).returned(request.query_params.multi_items())
    check = f"{returned.check[:3]} {returned.check[3:]}"
    page = _PAGE.format(device=html.escape(returned.device), check=check)
    return HTMLResponse(page, headers={"Content-Security-Policy": DATA_POLICY.decode()})


async def finish_oidc(request: Request) -> Response:
    """Sign in whoever the provider has sent back, on the device that began; the answer is that of any sign-in."""
    body = await read_body(request, OidcFinish)
    device = DeviceId(body.device)
    jkt = callers_of(request).prove_device(request, device)
    return reply(signed_in_body(await _provider(request).finish(device, jkt, body.handle, body.check)))


def _provider(request: Request) -> ProviderSignIn:
    found = beatbook_of(request).authority.provider
    if found is None:
        raise HTTPException(404, "no provider is set up here; sign in with collar number and passphrase")
    return found


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/sign-in/oidc/begin",
        handler=begin_oidc,
        who=KEY_HOLDER,
        takes=OidcBegin,
        gives=OidcBegun,
    ),
    Operation(
        method="GET",
        path=CALLBACK_PATH,
        handler=return_oidc,
        who=ANYBODY,
        query={
            "state": "Which login it is.",
            "code": "What the server exchanges for the officer's name; absent where the provider refuses.",
            "error": "Why the provider refuses.",
            "iss": "The provider's name (RFC 9207).",
        },
    ),
    Operation(
        method="POST",
        path="/v1/sign-in/oidc/finish",
        handler=finish_oidc,
        who=KEY_HOLDER,
        takes=OidcFinish,
        gives=SignedInBody,
    ),
)
