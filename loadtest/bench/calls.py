"""HTTP calls, each with a proof of the device's key (RFC 9449): enrolling a force, and commands."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from loadtest.bench.lines import Lines
from schemas.errors import StoreError
from schemas.ids import DeviceId, Millis
from sync.device.dpop import NOISE_BYTES, make_proof
from sync.device.keys import DeviceIdentity

_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429
_TRIES_MAX: Final = 100
_ACTS_AT_ONCE: Final = 200
"""Acts in one call; a server takes 256."""


class Caller:
    """Whoever calls, by one device's key.

    Attributes:
        token: what the calls bear; "" for none.
    """

    def __init__(self, lines: Lines, identity: DeviceIdentity) -> None:
        """Bind it."""
        self.token = ""
        self._lines = lines
        self._identity = identity

    async def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Call; the answer.

        Raises:
            StoreError: the server refused; the text is its answer.
        """
        url = self._lines.base + path
        nonce = self._lines.nonces.get(path)
        answer = await self._lines.post(path, body, self._headers(url, nonce))
        for _ in range(_TRIES_MAX):
            if answer.status == _TOO_MANY:
                await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
            elif answer.status == _UNAUTHORIZED and answer.nonce not in {None, nonce}:
                nonce = answer.nonce
            else:
                break
            answer = await self._lines.post(path, body, self._headers(url, nonce))
        if answer.refused:
            raise StoreError(f"{path}: {answer.status} {answer.body.decode(errors='replace')}")
        return answer.json()

    def _headers(self, url: str, nonce: str | None) -> dict[str, str]:
        proof = make_proof(
            self._identity,
            method="POST",
            url=url,
            now=Millis(time.time_ns() // 1_000_000),
            noise=os.urandom(NOISE_BYTES),
            token=self.token or None,
            nonce=nonce,
        )
        return {"dpop": proof, **({"authorization": f"DPoP {self.token}"} if self.token else {})}

    async def acts(self, family: str, acts: Sequence[Mapping[str, object]]) -> None:
        """Do administrative acts, in as few calls as there can be."""
        for start in range(0, len(acts), _ACTS_AT_ONCE):
            await self.post(f"/v1/{family}", {"acts": list(acts[start : start + _ACTS_AT_ONCE])})


async def administrators(lines: Lines, code: str, desks: int) -> list[Caller]:
    """Use a server's first link, and sign in as its administrator at several desks: each may call only so often.

    Args:
        lines: to that server.
        code: the secret of the link.
        desks: how many.
    """
    about = {"officer": "ADMIN1", "passphrase": f"bench {os.urandom(8).hex()}"}
    callers: list[Caller] = []
    for n in range(desks):
        identity = DeviceIdentity.generate(DeviceId(f"bench-desk-{n}"))
        caller = Caller(lines, identity)
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
