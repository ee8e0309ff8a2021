"""`Authority`: the parts together, and what sessions must do when an act says so."""

import hashlib
from collections.abc import Callable

from schemas.ids import Millis
from server.authority.checkpoints import Checkpoints
from server.authority.gatekeeper import Gatekeeper
from server.authority.keys import ServerKeys
from server.authority.ledger import Ledger
from server.authority.signing import SigningIn
from server.committer import Committer
from server.federation.tokens import TokenIssuer
from server.hub import Hub
from server.registry import DEFAULT_RULES, Rules
from server.registry.acts import Act, DeviceRevoked, SignedIn, SignedOut, WipeOrdered
from server.store import Store


class Authority:
    """Who is who, for one running server."""

    def __init__(
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
        """
        self.keys = keys
        self.now = now
        self.ledger = Ledger(store, committer, now, hub.regrant, self._acted, rules=rules)
        self.issuer = TokenIssuer(keys.token, issuer)
        name = origin or f"beatbook/{hashlib.sha256(keys.log.public_key().public_bytes_raw()).hexdigest()[:16]}"
        self.checkpoints = Checkpoints(store, keys.log, name)
        self.gatekeeper = Gatekeeper(
            self.ledger,
            store,
            issuer=self.issuer,
            checkpoints=self.checkpoints,
            seal_to=keys.seal_to,
            now=now,
        )
        log_key = str(self.checkpoints.verifier)
        self.signing = SigningIn(self.ledger, store, self.gatekeeper, keys=keys, log_key=log_key, now=now)
        self._hub = hub

    async def start(self) -> None:
        """Read what was committed, and bring rights up to now. The committer runs already.

        Raises:
            StoreError: it cannot be read, or what has changed cannot be kept.
        """
        await self.ledger.start()
        await self.signing.start()

    async def run(self) -> None:
        """Let rights begin and end as time passes, until cancelled."""
        await self.ledger.run()

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
