"""Signing officers in with a provider elsewhere (OpenID Connect): three parties, and one login that binds them.

The handheld begins, a browser goes to the provider and comes back, the handheld finishes. The browser is not the
handheld's, so nothing of the login is kept in it: what the provider sends back waits here, for the device that began
and for nobody else, and the code in it is not even exchanged until that device asks with its key.

Whoever begins a login could send its address to somebody else and be signed in as them (RFC 8628 section 5.4). So the
page at the end shows a number, with the name of the device, and only with that number is the login finished: it has to
be told by the one who signed in to the one who holds the device.
"""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from schemas.ids import DeviceId, Millis, OfficerId
from server.authority.ledger import Ledger
from server.authority.signing import SignedInSeat
from server.federation.fetching import new_client
from server.federation.oidc import VALUE_CHARS_MAX, OidcLogin
from server.federation.refusals import RefusedError
from server.federation.settings import OidcSettings
from server.registry import roles_of
from server.secret_files import Secret

PARAMETERS_MAX: Final = 16
"""What a provider sends back beside `code`, `state` and `iss` is ignored (RFC 6749 section 4.1.2), and is little."""
CHECK_DIGITS: Final = 6
"""One guess is allowed: one in a million."""
_log = logging.getLogger(__name__)
Admit = Callable[[DeviceId, OfficerId, str], Awaitable[SignedInSeat]]


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A login that a device has begun.

    Attributes:
        address: what to open in a browser.
        handle: what the device finishes with; nobody else is told.
        until: when the login ends by itself (ms since 1970).
    """

    address: str
    handle: str
    until: Millis


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that has come back.

    Attributes:
        device: the device that began.
        check: the number to type there.
    """

    device: DeviceId
    check: str


class _Login(msgspec.Struct, frozen=True, kw_only=True):
    jkt: str
    handle: str
    state: str
    until: Millis
    answer: tuple[tuple[str, str], ...] = ()
    check: str = ""


class ProviderSignIn:
    """The logins with one provider. They are in memory, one for each device: a restart ends them."""

    def __init__(
        self,
        settings: OidcSettings,
        client_secret: Secret | None,
        ledger: Ledger,
        admit: Admit,
        now: Callable[[], Millis],
    ) -> None:
        """Bind it; nothing is fetched yet.

        Args:
            settings: which provider.
            client_secret: what it knows this server by; None for a public client.
            ledger: who serves.
            admit: signs an officer in whose identity has been established.
            now: the server's clock (ms since 1970).
        """
        self._settings = settings
        self._ledger = ledger
        self._admit = admit
        self._now = now
        self._client = new_client()
        secret = None if client_secret is None else client_secret.reveal()
        self._oidc = OidcLogin(settings, self._client, self._serves, client_secret=secret)
        self._logins: dict[DeviceId, _Login] = {}
        # By hash, so that the time of a look-up tells nothing of another's state.
        self._by_state: dict[bytes, DeviceId] = {}

    async def close(self) -> None:
        """Let go of the connections to the provider."""
        await self._client.aclose()

    async def begin(self, device: DeviceId, jkt: str) -> Begun:
        """Begin a login; one that the device had begun before is over.

        Args:
            device: which; whoever calls has seen a proof of its key.
            jkt: that key's thumbprint.

        Raises:
            RefusedError: `oidc_unavailable`, `oidc_busy`.
        """
        now = self._now()
        address, handle = await self._oidc.begin(now)
        for each in [each for each, login in self._logins.items() if now >= login.until]:
            self._drop(each)
        self._drop(device)
        # The provider's own address may have a query: ours stands behind it.
        state = dict(parse_qsl(urlsplit(address).query))["state"]
        until = Millis(now + self._settings.login_ms)
        self._logins[device] = _Login(jkt=jkt, handle=handle, state=state, until=until)
        self._by_state[_digest(state)] = device
        return Begun(address=address, handle=handle, until=until)

    def returned(self, params: Sequence[tuple[str, str]]) -> Returned:
        """Keep what a browser brings back until the device asks for it. The first answer is the only one.

        Args:
            params: the query of the redirect address, as it came, in pairs.

        Raises:
            RefusedError: `oidc_foreign_answer`, `oidc_no_login`. No login is changed by it: whoever sends this may be
                anybody.
        """
        given = dict(params)
        if len(given) != len(params) or len(params) > PARAMETERS_MAX:
            raise RefusedError("oidc_foreign_answer", "a parameter comes twice, or there are too many")
        if any(len(value) > VALUE_CHARS_MAX for pair in params for value in pair):
            raise RefusedError("oidc_foreign_answer", "a parameter is too long")
        if ("code" in given) == ("error" in given):
            raise RefusedError("oidc_foreign_answer", "it has neither a code nor an error, or both")
        device = self._by_state.get(_digest(given.get("state", "")))
        login = None if device is None else self._logins[device]
        if device is None or login is None or login.answer or self._now() >= login.until:
            raise RefusedError("oidc_no_login", "no login waits for this state")
        check = f"{secrets.randbelow(10**CHECK_DIGITS):0{CHECK_DIGITS}}"
        self._logins[device] = msgspec.structs.replace(login, answer=tuple(params), check=check)
        return Returned(device=device, check=check)

    async def finish(self, device: DeviceId, jkt: str, handle: str, check: str) -> SignedInSeat:
        """Sign in whoever the provider says came back.

        Args:
            device, jkt: as for `begin`.
            handle: what `begin` gave.
            check: the number that the page showed.

        Raises:
            RefusedError: `oidc_no_login`; `oidc_waiting`, after which the device may ask again; and what
                `OidcLogin.finish` raises. Once the browser has come back the login is over in every case.
            UsageError: the officer may not sign in on that device now.
            StoreError: it could not be made durable.
        """
        now, login = self._now(), self._logins.get(device)
        if login is None or now >= login.until or login.jkt != jkt or not _same(handle, login.handle):
            raise RefusedError("oidc_no_login", f"device {device} has none of that handle")
        if not login.answer:
            raise RefusedError("oidc_waiting", f"device {device}")
        if not _same(check, login.check):
            self._drop(device)
            raise RefusedError("oidc_foreign_answer", f"device {device} does not know the number of the page")
        self._drop(device, used=True)
        verified = await self._oidc.finish(handle, login.answer, now)
        self._compare(verified.collar, verified.roles, now)
        return await self._admit(device, verified.collar, verified.method.value)

    def _drop(self, device: DeviceId, *, used: bool = False) -> None:
        login = self._logins.pop(device, None)
        if login is not None:
            del self._by_state[_digest(login.state)]
            if not used:
                self._oidc.forget(login.handle)

    def _compare(self, officer: OfficerId, told: frozenset[str], now: Millis) -> None:
        """Roles are acts with a date and a name; the provider's groups give none, and tell where the two differ."""
        held = {role.value for role in roles_of(self._ledger.registry, officer, now)}
        if lacking := sorted(told - held):
            _log.warning(
                "officer %s has no role %s, which the provider's groups stand for", officer, ", ".join(lacking)
            )

    async def _serves(self, collar: OfficerId) -> bool:
        known = self._ledger.registry.officers.get(collar)
        return known is not None and known.serves(self._now())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _same(shown: str, kept: str) -> bool:
    return hmac.compare_digest(_digest(shown), _digest(kept))
