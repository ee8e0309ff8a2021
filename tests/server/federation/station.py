"""A server of ours and the real provider, with all that goes between the two."""

import time
from typing import Any

import pytest

from schemas.ids import Millis, OfficerId
from server.federation.fetching import new_client
from server.federation.oidc import OidcLogin
from server.federation.refusals import RefusedError
from server.federation.settings import OidcSettings
from server.federation.verified import VerifiedOfficer
from tests.server.federation.browser import REDIRECT_URI, Browser, Network, RunningProvider
from tests.server.federation.idp import CLIENT_ID, CLIENT_SECRET, PUBLIC_CLIENT_ID

OFFICERS = {"WM21877", "WM1"}
MINUTE_MS = 60_000


async def is_officer(collar: OfficerId) -> bool:
    """Who is registered here."""
    return collar in OFFICERS


class Station:
    """A server that signs officers in with the provider.

    Attributes:
        network: what is between the two.
        now: the moment; the provider has the machine's clock.
    """

    def __init__(self, provider: RunningProvider, **changed: object) -> None:
        self.provider = provider
        self.network = Network()
        self.client = new_client(self.network)
        self.now = Millis(time.time_ns() // 1_000_000)
        given: dict[str, Any] = {
            "issuer": provider.issuer,
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "collar_suffix": "@force.example",
        }
        self.settings = OidcSettings(**(given | changed))
        secret = None if self.settings.client_id == PUBLIC_CLIENT_ID else CLIENT_SECRET
        self.login = OidcLogin(self.settings, self.client, is_officer, client_secret=secret)

    async def sign_in(self, officer: str = "WM21877@force.example") -> VerifiedOfficer:
        """A whole login."""
        url, handle = await self.login.begin(self.now)
        return await self.login.finish(handle, await Browser(officer).visit(url), self.now)

    async def refusal(self, officer: str = "WM21877@force.example") -> RefusedError:
        """The refusal that a whole login ends in."""
        with pytest.raises(RefusedError) as caught:
            await self.sign_in(officer)
        return caught.value
