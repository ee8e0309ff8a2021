"""Who a token admits to the HTTP side at this moment, and new tokens for whoever is signed in.

A token tells who signed in and where; what they are and may see is looked up at every call, so that a right that ends
does so at once and not when the token does.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from schemas.ids import DeviceId, Millis, OfficerId, ScopeName
from schemas.roles import Role
from server.authority.ledger import Ledger
from server.federation.refusals import RefusedError
from server.federation.tokens import AccessToken, TokenIssuer
from server.registry import held_roles, live_sign_in, rights_of
from server.registry.state import Seat
from server.roles import Roles
from sync.device.dpop import thumbprint

UNATTENDED: Final = "unattended"
"""What stands in place of a sign-in's name in the token of a program's seat: nobody signs in there."""


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling.

    Attributes:
        officer: collar number.
        seat, device: where.
        jkt: RFC 7638 thumbprint of the device's key; the call must bear its proof.
        sign_in: by which sign-in; None for a program's seat.
        held: what the officer is now, and for which records.
        scopes: what they are entitled to see now.
    """

    officer: OfficerId
    seat: DeviceId
    device: DeviceId
    jkt: str
    sign_in: str | None
    held: Roles
    scopes: frozenset[ScopeName]

    @property
    def roles(self) -> frozenset[Role]:
        """All that the officer is now, wherever it counts."""
        return self.held.every


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    """A new token.

    Attributes:
        token: it.
        lasts_ms: how long it is good (ms).
        until: when the sign-in ends (ms since 1970); None for a program's seat.
    """

    token: str
    lasts_ms: int
    until: Millis | None


class Admission:
    """Admits callers of one server."""

    def __init__(self, ledger: Ledger, issuer: TokenIssuer, now: Callable[[], Millis]) -> None:
        """Bind the parts."""
        self._ledger = ledger
        self._issuer = issuer
        self._now = now

    def look(self, token: str) -> Admitted:
        """Who shows a token. That they hold its key is for the proof of the call to show.

        Raises:
            RefusedError: `token_invalid`, or `sign_in_ended`.
        """
        now = self._now()
        said = self._issuer.verify(token, now)
        seat = self._usable(said.seat)
        if seat is None or said.jkt != thumbprint(seat.device.public_key) or said.officer != seat.officer.officer:
            raise RefusedError("token_invalid", f"the token of {said.officer} at {said.seat}: no such seat any more")
        self._check_live(seat, said, now)
        registry = self._ledger.registry
        return Admitted(
            officer=said.officer,
            seat=seat.seat,
            device=seat.device.device,
            jkt=said.jkt,
            sign_in=None if seat.unattended else said.sign_in,
            held=held_roles(registry, said.officer, now),
            scopes=frozenset(rights_of(registry, seat.seat, now)),
        )

    def key_of(self, device: DeviceId) -> str | None:
        """The thumbprint of a trusted device's key; None for a device that is none."""
        known = self._ledger.registry.devices.get(device)
        if known is None or known.revoked is not None or known.wipe is not None:
            return None
        return thumbprint(known.public_key)

    def key_of_seat(self, seat: DeviceId) -> str | None:
        """The thumbprint of the key of a usable seat's device; None for a seat that is none."""
        known = self._usable(seat)
        return None if known is None else thumbprint(known.device.public_key)

    def renew(self, seat: DeviceId) -> Renewed:
        """Another token for whoever is signed in at a seat, or for the program whose seat it is.

        Args:
            seat: its id. Whoever calls has seen a proof of its device's key.

        Raises:
            RefusedError: `sign_in_ended`.
        """
        now, known = self._now(), self._usable(seat)
        if known is None or not known.officer.serves(now):
            raise RefusedError("sign_in_ended", f"seat {seat} is not in use")
        live = None if known.unattended else live_sign_in(self._ledger.registry, seat, now)
        if live is None and not known.unattended:
            raise RefusedError("sign_in_ended", f"nobody is signed in at seat {seat}")
        token = self._issuer.issue(
            known.officer.officer,
            seat,
            sign_in=UNATTENDED if live is None else live.sid,
            jkt=thumbprint(known.device.public_key),
            now=now,
        )
        lifetime = self._issuer.lifetime_ms
        return Renewed(
            token=token,
            lasts_ms=lifetime if live is None else min(lifetime, live.until - now),
            until=None if live is None else live.until,
        )

    def _usable(self, name: DeviceId) -> Seat | None:
        seat = self._ledger.registry.seats.get(name)
        if seat is None or seat.retired or seat.wipe is not None:
            return None
        return None if seat.device.revoked is not None or seat.device.wipe is not None else seat

    def _check_live(self, seat: Seat, said: AccessToken, now: Millis) -> None:
        if not seat.officer.serves(now):
            raise RefusedError("sign_in_ended", f"officer {said.officer} does not serve any more")
        live = None if seat.unattended else live_sign_in(self._ledger.registry, seat.seat, now)
        if said.sign_in != (UNATTENDED if seat.unattended else None if live is None else live.sid):
            raise RefusedError("sign_in_ended", f"the sign-in of {said.officer} at {said.seat} has ended")
