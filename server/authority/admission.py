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
from server.registry.state import Device, Seat
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

    def read(self, token: str) -> AccessToken:
        """What a token says, that was given out for a seat and a key as they are now. It lets nobody in by itself.

        Raises:
            RefusedError: `token_invalid`.
        """
        said = self._issuer.verify(token, self._now())
        seat = self._ledger.registry.seats.get(said.seat)
        if seat is None or said.jkt != thumbprint(seat.device.public_key) or said.officer != seat.officer.officer:
            raise RefusedError("token_invalid", f"the token of {said.officer} at {said.seat}: no such seat any more")
        return said

    def look(self, said: AccessToken) -> Admitted:
        """Who shows a token, once the proof of the call has shown that they hold its key.

        Raises:
            RefusedError: `device_revoked`, `device_wiped`, `seat_wiped`, `sign_in_ended`, or `token_invalid` at a seat
                that is used no more.
        """
        now = self._now()
        seat = self._ledger.registry.seats[said.seat]
        self._require_trusted(seat)
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

    def key_of(self, device: DeviceId) -> bytes | None:
        """A device's key, trusted or not; None for a device that is none."""
        known = self._ledger.registry.devices.get(device)
        return None if known is None else known.public_key

    def device_of(self, seat: DeviceId) -> DeviceId | None:
        """The device that a seat is on; None for a seat that is none."""
        known = self._ledger.registry.seats.get(seat)
        return None if known is None else known.device.device

    def had_key(self, device: DeviceId, key: bytes) -> bool:
        """Whether a key is or once was this device's: one that was enrolled anew since is not what it was."""
        return self._ledger.registry.keys.get(key) == device

    def require_trusted(self, device: DeviceId) -> None:
        """Let only a device pass that is trusted. Whoever calls has seen a proof of its key.

        Raises:
            RefusedError: `device_wiped` or `device_revoked`.
        """
        _require_device(self._ledger.registry.devices[device])

    def renew(self, seat: DeviceId) -> Renewed:
        """Another token for whoever is signed in at a seat, or for the program whose seat it is.

        Args:
            seat: its id. Whoever calls has seen a proof of its device's key.

        Raises:
            RefusedError: `sign_in_ended`, or as `look`.
        """
        now, known = self._now(), self._ledger.registry.seats[seat]
        self._require_trusted(known)
        if not known.officer.serves(now):
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

    def _require_trusted(self, seat: Seat) -> None:
        _require_device(seat.device)
        if seat.wipe is not None:
            raise RefusedError("seat_wiped", f"seat {seat.seat}: {seat.wipe.why}")
        if seat.retired:
            raise RefusedError("token_invalid", f"seat {seat.seat} is used no more")

    def _check_live(self, seat: Seat, said: AccessToken, now: Millis) -> None:
        if not seat.officer.serves(now):
            raise RefusedError("sign_in_ended", f"officer {said.officer} does not serve any more")
        live = None if seat.unattended else live_sign_in(self._ledger.registry, seat.seat, now)
        if said.sign_in != (UNATTENDED if seat.unattended else None if live is None else live.sid):
            raise RefusedError("sign_in_ended", f"the sign-in of {said.officer} at {said.seat} has ended")


def _require_device(device: Device) -> None:
    if device.wipe is not None:
        raise RefusedError("device_wiped", f"{device.device}: {device.wipe.why}")
    if device.revoked is not None:
        raise RefusedError("device_revoked", f"{device.device}: {device.revoked.why}")
