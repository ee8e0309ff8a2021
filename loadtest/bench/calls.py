"""HTTP calls, each with a proof of the device's key (RFC 9449): enrolling a force, and commands."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from schemas.errors import StoreError
from schemas.ids import DeviceId, Millis
from sync.device.dpop import NOISE_BYTES, make_proof
from sync.device.keys import DeviceIdentity

_NONCE: Final = "dpop-nonce"
_TIMEOUT_S: Final = 120.0
_ACTS_AT_ONCE: Final = 200
"""Acts in one call; a server takes 256."""


class Caller:
    """Whoever calls, by one device's key.

    Attributes:
        token: what the calls bear; "" for none.
    """

    def __init__(self, client: httpx.AsyncClient, identity: DeviceIdentity) -> None:
        """Bind it."""
        self.token = ""
        self._client = client
        self._identity = identity
        self._nonce: str | None = None

    async def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Call; the answer.

        Raises:
            StoreError: the server refused; the text is its answer.
        """
        url = str(self._client.base_url).rstrip("/") + path
        answer = await self._ask(url, path, body)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            # It wants its nonce in the proof.
            answer = await self._ask(url, path, body)
        while answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
            answer = await self._ask(url, path, body)
        if answer.is_error:
            raise StoreError(f"{path}: {answer.status_code} {answer.text}")
        told: dict[str, Any] = answer.json()
        return told

    async def _ask(self, url: str, path: str, body: Mapping[str, object]) -> httpx.Response:
        answer = await self._client.post(path, json=body, headers=self._headers(url))
        self._nonce = answer.headers.get(_NONCE, self._nonce)
        return answer

    def _headers(self, url: str) -> dict[str, str]:
        proof = make_proof(
            self._identity,
            method="POST",
            url=url,
            now=Millis(time.time_ns() // 1_000_000),
            noise=os.urandom(NOISE_BYTES),
            token=self.token or None,
            nonce=self._nonce,
        )
        return {"dpop": proof, **({"authorization": f"DPoP {self.token}"} if self.token else {})}

    async def acts(self, family: str, acts: Sequence[Mapping[str, object]]) -> None:
        """Do administrative acts, in as few calls as there can be."""
        for start in range(0, len(acts), _ACTS_AT_ONCE):
            await self.post(f"/v1/{family}", {"acts": list(acts[start : start + _ACTS_AT_ONCE])})


def client(base: str) -> httpx.AsyncClient:
    """A client for many callers."""
    return httpx.AsyncClient(base_url=base, timeout=_TIMEOUT_S, trust_env=False)


async def administrators(http: httpx.AsyncClient, code: str, desks: int) -> list[Caller]:
    """Use a server's first link, and sign in as its administrator at several desks: each may call only so often.

    Args:
        http: a client of that server.
        code: the secret of the link.
        desks: how many.
    """
    about = {"officer": "ADMIN1", "passphrase": f"bench {os.urandom(8).hex()}"}
    callers: list[Caller] = []
    for n in range(desks):
        identity = DeviceIdentity.generate(DeviceId(f"bench-desk-{n}"))
        caller = Caller(http, identity)
        where = {**about, "device": identity.device}
        if n == 0:
            await caller.post("/v1/setup", {"code": code, "name": "Ada Byrne", **where})
        else:
            await enrol(callers[0], caller, identity.device)
        caller.token = str((await caller.post("/v1/sign-in", where))["token"])
        callers.append(caller)
    return callers


async def enrol(admin: Caller, caller: Caller, device: DeviceId) -> None:
    """Have an administrator issue a code, and show it as the device."""
    code = await admin.post("/v1/devices/codes", {"device": device})
    await caller.post("/v1/enrol", {"code": code["code"]})
