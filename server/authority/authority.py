"""`Authority`: the parts together, and what sessions must do when an act says so."""

from collections.abc import Callable, Iterable, Mapping

from schemas.ids import DeviceId, Generation, Millis, ScopeName
from server.authority.admission import Admission
from server.authority.checkpoints import Checkpoints, origin_of
from server.authority.credentials import StoreCredentials
from server.authority.enrolling import Enrolling
from server.authority.gatekeeper import Gatekeeper
from server.authority.kept_tries import KeptTries
from server.authority.keys import ServerKeys
from server.authority.ledger import Ledger
from server.authority.passphrases import Passphrases
from server.authority.provider import ProviderSignIn
from server.authority.security_keys import KeyPolicy, SecurityKeys
from server.authority.signing import SigningIn
from server.authority.witnessing import Witnessing
from server.committer import Committer
from server.federation.passphrases import Parameters
from server.federation.settings import SignInSettings
from server.federation.tokens import TokenIssuer
from server.hub import Hub
from server.registry import DEFAULT_RULES, Rules
from server.registry.acts import (
    Act,
    DeviceRevoked,
    HandOverAllowed,
    ReadsPardoned,
    SignedIn,
    SignedOut,
    WipeOrdered,
)
from server.store import Store
from server.witness.client import WitnessAddress


class Authority:
    """Who is who, for one running server."""

    def __init__(  # noqa: PLR0913  the parts of the whole
        self,
        store: Store,
        committer: Committer,
        hub: Hub,
        keys: ServerKeys,
        now: Callable[[], Millis],
        *,
        rules: Rules = DEFAULT_RULES,
        issuer: str = "beatbook",
        origin: str = "",
        hashing: Parameters | None = None,
        ways: SignInSettings | None = None,
        witnesses: Iterable[WitnessAddress] = (),
    ) -> None:
        """Bind the parts; `start` reads what was committed.

        Args:
            store, committer, hub: the running server's.
            keys: its own.
            now: its clock (ms since 1970).
            rules: which role gives which scopes.
            issuer: who session tokens say has issued them: the server's public address.
            origin: the log's name, for ever; by default one made of its key, so that it outlives a restore, and devices
                see when the log that came back is shorter.
            hashing: what a passphrase's hash costs; by default what it must cost where people rely on it.
            ways: how officers may sign in beside collar number and passphrase; by default in none.
            witnesses: who is asked to cosign the log.
        """
        ways = ways or SignInSettings()
        self.keys = keys
        self.now = now
        self.ledger = Ledger(store, committer, now, self._looked_at, self._acted, rules=rules)
        self.issuer = TokenIssuer(keys.token, issuer)
        name = origin or origin_of(keys.log.public_key().public_bytes_raw())
        self.checkpoints = Checkpoints(store, keys.log, name)
        self.witnessing = Witnessing(self.checkpoints, committer, witnesses, now)
        self.gatekeeper = Gatekeeper(
            self.ledger,
            store,
            issuer=self.issuer,
            checkpoints=self.checkpoints,
            seal_to=keys.seal_to,
            now=now,
        )
        self.passphrases = Passphrases(self.ledger, store, keys.pepper, now, hashing)
        self.admission = Admission(self.ledger, self.issuer, now)
        credentials = StoreCredentials(self.ledger, store, now)
        required = ways.webauthn is not None and ways.webauthn.required
        self._tries = KeptTries(self.ledger, store)
        self.enrolling = Enrolling(
            self.ledger,
            keys=keys,
            log_key=str(self.checkpoints.verifier),
            passphrases=self.passphrases,
            tries=self._tries,
            now=now,
        )
        self.signing = SigningIn(
            self.ledger,
            self.gatekeeper,
            passphrases=self.passphrases,
            tries=self._tries,
            now=now,
            needs_key=KeyPolicy(credentials, self.ledger, now, required=required).needs_key,
        )
        self.provider = (
            None
            if ways.oidc is None
            else ProviderSignIn(ways.oidc, ways.oidc_client_secret, self.ledger, self.signing.admit, now)
        )
        """Signing in with a provider elsewhere, where one is configured."""
        self.security_keys = (
            None
            if ways.webauthn is None
            else SecurityKeys(ways.webauthn, credentials, self.ledger, self.signing.admit, now)
        )
        """Administrators' security keys, where they are configured."""
        self._hub = hub

    async def start(self) -> None:
        """Read what was committed, and bring rights up to now. The committer runs already.

        Raises:
            StoreError: it cannot be read, or what has changed cannot be kept.
        """
        await self.ledger.start()
        await self._tries.start()

    async def close(self) -> None:
        """Let go of what is outside: the connections to a provider."""
        if self.provider is not None:
            await self.provider.close()

    async def run(self) -> None:
        """Let rights begin and end as time passes, until cancelled."""
        await self.ledger.run()

    async def revoke(self, devices: Iterable[DeviceId], by: str, why: str) -> None:
        """Trust devices no more, all of them or none: sessions, sign-ins and tokens end at once.

        Raises:
            UsageError: one is none, or is revoked already.
        """
        at = self.now()
        await self.ledger.perform(*(DeviceRevoked(by=by, at=at, device=device, why=why) for device in devices))

    async def wipe(self, device: DeviceId, seat: DeviceId | None, by: str, why: str) -> None:
        """Have a device, or one seat of it, destroy what it holds; the server's share of its keys is destroyed now.

        Raises:
            UsageError: there is nothing to wipe; the text says why.
        """
        known = self.ledger.registry.devices.get(device)
        seats = [] if known is None else [each.seat for each in known.seats if seat in {None, each.seat}]
        # In one commit: from then on the replica opens for nobody, whether or not the device is ever in contact again.
        async with self.gatekeeper.destroying(seats) as shares:
            order = WipeOrdered(by=by, at=self.now(), device=device, seat=seat, why=why)
            await self.ledger.perform(order, secrets=shares)

    async def allow_hand_over(self, device: DeviceId, seat: DeviceId | None, by: str, why: str) -> None:
        """Let what rests unsent on a revoked device, or at one seat of it, be handed over by its officers, once.

        Raises:
            UsageError: there is nothing that could be; the text says why.
        """
        await self.ledger.perform(HandOverAllowed(by=by, at=self.now(), device=device, seat=seat, why=why))

    async def pardon(self, seat: DeviceId, by: str, why: str) -> None:
        """Let a read log that was set back go on behind what is held of it, once somebody has looked into it.

        Raises:
            UsageError: there is nothing to pardon.
        """
        await self.ledger.perform(ReadsPardoned(by=by, at=self.now(), seat=seat, why=why))

    def _looked_at(self, seat: DeviceId, grants: Mapping[ScopeName, Generation]) -> None:
        self._hub.regrant(seat, grants)
        if not self.ledger.registry.seats[seat].officer.serves(self.now()):
            # Somebody who has left is let in to remove what they hold, and for nothing else.
            self._hub.part(seat, "device_revoked")

    def _acted(self, act: Act) -> None:
        registry, hub = self.ledger.registry, self._hub
        match act:
            case WipeOrdered():
                seats = registry.devices[act.device].seats if act.seat is None else [registry.seats[act.seat]]
                for seat in seats:
                    hub.wipe(seat.seat, act.why)
                    hub.part(seat.seat, "device_revoked")
            case DeviceRevoked():
                for seat in registry.devices[act.device].seats:
                    hub.part(seat.seat, "device_revoked")
            case SignedIn():
                # Whoever else was signed in on the device is so no more.
                for seat in registry.seats[act.seat].device.seats:
                    if seat.seat != act.seat:
                        hub.part(seat.seat, "bad_token")
            case SignedOut():
                hub.part(registry.sign_ins[act.sid].seat.seat, "bad_token")
            case _:
                pass
