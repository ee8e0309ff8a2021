"""One HTTP call to a provider, with a bound on everything: time, bytes, where it leads, and what comes out of it.

Nothing is redirected: a provider that moved is a setting to change, not a place to follow with a code in hand. Nothing
is unpacked: a kilobyte that becomes a gigabyte is refused at its header.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, TypeVar

import httpx
import msgspec

from server.federation.refusals import RefusedError
from server.federation.settings import address_problem

BODY_BYTES_MAX: Final = 256 * 1_024
"""An answer of a provider; documents and key sets are a few KiB."""
CALL_S_MAX: Final = 10.0
"""One whole call, however slowly its bytes drip."""
_STEP_S: Final = 5.0
_T = TypeVar("_T")


def new_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client for providers: no redirects, no cookies kept from others, no proxy taken from the environment.

    Args:
        transport: what carries the calls; the network by default.
    """
    return httpx.AsyncClient(
        transport=transport,
        timeout=_STEP_S,
        follow_redirects=False,
        trust_env=False,
        limits=httpx.Limits(max_connections=8, max_keepalive_connections=2),
        headers={"accept": "application/json", "accept-encoding": "identity"},
    )


async def fetch(
    client: httpx.AsyncClient,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    auth: httpx.Auth | None = None,
    call_s_max: float = CALL_S_MAX,
) -> tuple[int, bytes]:
    """Get `url`, or post `form` to it; status and body.

    Raises:
        RefusedError: `oidc_unavailable`: the address is none to call, or no answer came that could be read.
    """
    wrong = address_problem(url)
    if wrong is not None:
        raise RefusedError("oidc_unavailable", wrong)
    method = "GET" if form is None else "POST"
    try:
        async with (
            asyncio.timeout(call_s_max),
            client.stream(method, url, data=form, auth=auth or httpx.USE_CLIENT_DEFAULT) as response,
        ):
            if response.is_redirect:
                raise RefusedError("oidc_unavailable", f"{url} answers with a redirect; set the address it leads to")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise RefusedError("oidc_unavailable", f"{url} answers compressed, unasked")
            body = bytearray()
            async for part in response.aiter_raw(chunk_size=16 * 1_024):
                body += part
                if len(body) > BODY_BYTES_MAX:
                    raise RefusedError("oidc_unavailable", f"{url} answers with more than {BODY_BYTES_MAX} bytes")
            return response.status_code, bytes(body)
    except TimeoutError:
        raise RefusedError("oidc_unavailable", f"{url} did not answer within {call_s_max:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise RefusedError("oidc_unavailable", f"{url} could not be reached ({type(error).__name__})") from None


def decode(body: bytes, what: type[_T], url: str) -> _T:
    """A JSON answer as `what`.

    Raises:
        RefusedError: `oidc_unavailable`: it is not that.
    """
    try:
        return msgspec.json.decode(body, type=what)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError("oidc_unavailable", f"{url} answers with something else: {error}") from None
