"""Calls that are proved by a device's key: DPoP (RFC 9449) for httpx, with nonce, clock and the token's renewal.

`DpopAuth` works under `httpx.Client` and `httpx.AsyncClient` alike. It makes a proof for each call, repeats a call that
the server refused for want of its nonce or for a clock that is wrong, and gets another token before or when one has
ended. Whoever has no token yet (enrolling, signing in) uses it without a seat.
"""

import os
import time
from collections.abc import Callable, Generator
from typing import Final

import httpx
import msgspec

from schemas.ids import DeviceId, Millis
from server.http.callers import NONCE, TIME
from server.http.identities import Renewal, RenewedBody
from sync.device.dpop import NOISE_BYTES, Signer, make_proof

RENEW_EARLY_MS: Final = 30_000
"""A token is renewed this long before it ends, so that none ends on its way."""
RETRIES_MAX: Final = 2
"""Once for the clock, once for the nonce."""
_UNAUTHORIZED: Final = 401
_Flow = Generator[httpx.Request, httpx.Response, httpx.Response]


def wall_clock() -> Millis:
    """This machine's clock (ms since 1970)."""
    return Millis(time.time_ns() // 1_000_000)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A token that somebody holds.

    Attributes:
        seat: whose it is.
        token: it; "" where one is to be fetched first.
        until: when it ends by this machine's clock (ms since 1970).
    """

    seat: DeviceId
    token: str = ""
    until: Millis = Millis(0)


class DpopAuth(httpx.Auth):
    """Proves each call by a device's key.

    Attributes:
        held: the token at hand; None for calls that bear none.
    """

    requires_response_body = True

    def __init__(
        self,
        signer: Signer,
        held: Held | None = None,
        *,
        clock: Callable[[], Millis] = wall_clock,
        renewed: Callable[[Held], object] = lambda _held: None,
    ) -> None:
        """Bind it.

        Args:
            signer: the device's key.
            held: the token to show; its seat alone is enough. None to prove calls that bear none.
            clock: this machine's (ms since 1970). That it is wrong is learned from the server.
            renewed: called with each new token, for keeping it.
        """
        self.held = held
        self._signer = signer
        self._clock = clock
        self._renewed = renewed
        self._nonce: str | None = None
        self._ahead_ms = 0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See `httpx.Auth`."""
        if self.held is None:
            yield from self._proved(request, None)
            return
        fresh = self.held.until - RENEW_EARLY_MS > self._clock()
        if not fresh:
            # Where that fails the server will say what is wrong: the old token is as good for that as none.
            yield from self._renew(request)
        response = yield from self._proved(request, self.held.token or None)
        ended = response.status_code == _UNAUTHORIZED and "invalid_token" in response.headers.get(
            "www-authenticate", ""
        )
        if ended and fresh and (yield from self._renew(request)):
            yield from self._proved(request, self.held.token)

    def _renew(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, bool]:
        """Get another token; False when the server gives none."""
        assert self.held is not None
        body = msgspec.json.encode(Renewal(seat=self.held.seat))
        url = request.url.copy_with(raw_path=b"/v1/token")
        asked = httpx.Request("POST", url, content=body, headers={"content-type": "application/json"})
        response = yield from self._proved(asked, None)
        if response.status_code != httpx.codes.OK:
            return False
        told = msgspec.json.decode(response.content, type=RenewedBody)
        self.hold(Held(seat=self.held.seat, token=told.token, until=Millis(self._clock() + told.lasts_ms)))
        return True

    def hold(self, held: Held) -> None:
        """Show this token from now on."""
        self.held = held
        self._renewed(held)

    def _proved(self, request: httpx.Request, token: str | None) -> _Flow:
        """Send a call with its proof, again where the server asks for another one."""
        response = yield self._signed(request, token)
        for _ in range(RETRIES_MAX):
            if response.status_code != _UNAUTHORIZED or TIME not in response.headers:
                break
            self._learn(response)
            response = yield self._signed(request, token)
        self._learn(response)
        return response

    def _signed(self, request: httpx.Request, token: str | None) -> httpx.Request:
        if token is not None:
            request.headers["authorization"] = f"DPoP {token}"
        request.headers["dpop"] = make_proof(
            self._signer,
            method=request.method,
            url=str(request.url),
            now=Millis(self._clock() + self._ahead_ms),
            noise=os.urandom(NOISE_BYTES),
            token=token,
            nonce=self._nonce,
        )
        return request

    def _learn(self, response: httpx.Response) -> None:
        """Take the nonce, and the server's clock where it tells it."""
        self._nonce = response.headers.get(NONCE, self._nonce)
        told = response.headers.get(TIME, "")
        if told.isdecimal():
            self._ahead_ms = int(told) - self._clock()
