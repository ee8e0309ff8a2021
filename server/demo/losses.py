"""Who loses what they held: a scripted part of the shift about handhelds that are stolen, lost or handed in.

One handheld is revoked while it is connected, and another one while it has no signal and edits that nobody has seen;
a third is wiped. A fourth officer's posting ends and a mission takes them elsewhere. What must be gone is looked for on
the handhelds themselves.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from schemas.errors import BeatbookError, ReplicaError
from schemas.ids import ScopeName
from schemas.kinds import KINDS
from schemas.scopes import area, mission
from server.demo import content
from server.demo.actors import Actor
from server.demo.checks import count_words
from server.demo.stage import Stage
from sync.device.slotfile import SLOTS_FILE

GONE_TIMEOUT_S: Final = 15.0
"""How long to wait for what must be gone before it counts as held."""
_POLL_S: Final = 0.01


class Losers(msgspec.Struct, frozen=True):
    """To whom it happens.

    Attributes:
        stolen: whose handheld is revoked while it is connected.
        lost: whose handheld is revoked while it has no signal.
        returned: whose handheld is wiped.
        moved: whose posting ends and who joins a mission.
        left, joined: the area that the posting was for; the one that the mission is in.
    """

    stolen: Actor
    lost: Actor
    returned: Actor
    moved: Actor
    left: str
    joined: str

    @property
    def stay_connected(self) -> tuple[Actor, ...]:
        """Those whose signal is not cut in the shift."""
        return (self.stolen, self.returned, self.moved)


class Losses(msgspec.Struct, kw_only=True):
    """What was found.

    Attributes:
        revoked_held_after: records that a revoked handheld still gave out, once it had been in contact.
        revoked_ms: from the command to the last record gone, of the one that was connected.
        retracted_ms: from the end of the posting to the last record of its area gone.
        wiped_readable_after: things of the wiped handheld that could still be read or opened.
    """

    revoked_held_after: int = 0
    revoked_ms: float | None = None
    retracted_ms: float | None = None
    wiped_readable_after: int = 0


class Script:
    """Has it happen."""

    def __init__(self, losers: Losers, stage: Stage, say: Callable[[str], None]) -> None:
        """Bind it."""
        self.losers = losers
        self.found = Losses()
        self._stage = stage
        self._say = say

    async def happen(self) -> None:
        """While some have no signal: revoke two handhelds, wipe one, end a posting, begin a mission."""
        await self._move()
        await self._steal()
        await self._wipe()
        lost = self.losers.lost
        await lost.go_off_duty()
        await self._revoke(lost, "left behind on a tram")
        lost.gone = True
        self._say("a handheld with no signal is revoked; its officer had written on it since")

    async def return_signal(self) -> None:
        """The handheld that was revoked without knowing it comes into contact: its records go before anything else."""
        lost = self.losers.lost
        unsent = lost.handheld.status.waiting
        lost.mast.restore()
        lost.handheld.network_returned()
        held = await _until_none(lambda: _held(lost))
        self.found.revoked_held_after += held
        await _until_none(lambda: _not_handed_over(lost))
        self._say(f"the revoked handheld has signal: {held} records are left on it, {unsent} edits go to quarantine")

    async def _steal(self) -> None:
        stolen = self.losers.stolen
        await stolen.go_off_duty()
        before = await _held(stolen)
        stolen.gone = True
        began = time.monotonic()
        await self._revoke(stolen, "stolen from a car")
        held = await _until_none(lambda: _held(stolen))
        self.found.revoked_ms = round((time.monotonic() - began) * 1_000, 1)
        self.found.revoked_held_after += held
        await _until_none(lambda: _not_handed_over(stolen))
        self._say(f"a stolen handheld is revoked: {held} of {before} records are left after {self.found.revoked_ms} ms")

    async def _revoke(self, actor: Actor, why: str) -> None:
        await self._stage.post(f"/v1/devices/{actor.person.device}/revocation", {"why": why})

    async def _wipe(self) -> None:
        returned = self.losers.returned
        await returned.go_off_duty()
        returned.gone = True
        device = returned.person.device
        await asyncio.to_thread(self._stage.administration.wipe, device, "handed in for another officer")
        await _until_none(lambda: _not_wiped(returned))
        self.found.wiped_readable_after = await _readable(returned)
        self._say(f"a handheld is wiped: {self.found.wiped_readable_after} things on it can still be read")

    async def _move(self) -> None:
        losers, person = self.losers, self.losers.moved.person
        administration = self._stage.administration
        began = time.monotonic()
        await asyncio.to_thread(administration.end, person.officer, losers.left)
        left = ScopeName(area(losers.left))
        await _until_none(lambda: _held(losers.moved, left))
        self.found.retracted_ms = round((time.monotonic() - began) * 1_000, 1)
        begun = {"t": "mission-begun", "mission": content.MISSION, "title": "Operation Castle"}
        places = [area(losers.joined)]
        await asyncio.to_thread(administration.do, "organisation", [{**begun, "places": places}])
        joined = {"t": "mission-joined", "officer": person.officer, "mission": content.MISSION}
        await asyncio.to_thread(administration.do, "grants", [joined])
        person.audiences = (person.audiences - {left}) | {area(losers.joined), mission(content.MISSION)}
        self._say(f"a posting to {losers.left} ends, a mission to {losers.joined} begins")


async def _until_none(look: Callable[[], Awaitable[int]]) -> int:
    """Look again and again until nothing is there; what is there when the patience ends."""
    ends = time.monotonic() + GONE_TIMEOUT_S
    # Handhelds do not tell of being empty.
    while (found := await look()) and time.monotonic() < ends:  # noqa: ASYNC110
        await asyncio.sleep(_POLL_S)
    return found


async def _held(actor: Actor, scope: ScopeName | None = None) -> int:
    """How many records a handheld gives out: all, or those of one area; none where it gives out nothing any more."""
    found = 0
    with actor.handheld.for_itself(), contextlib.suppress(ReplicaError):
        for spec in KINDS.values():
            for _, value in await actor.handheld.find(spec.struct):
                found += scope is None or scope in value.scopes()
    return found


async def _not_handed_over(actor: Actor) -> int:
    """Own edits that nobody but this handheld has."""
    status = actor.handheld.status
    return status.waiting + status.held + status.sealed


async def _not_wiped(actor: Actor) -> int:
    return actor.handheld.status.wiped is None


async def _readable(actor: Actor) -> int:
    """What a wiped handheld still gives: records, keys, a seat that opens, words that its officer wrote."""
    found = await _held(actor)
    folder = actor.kit.signed_in.seat.folder
    found += sum((folder / name).exists() for name in (SLOTS_FILE, "replica.db"))
    try:
        await actor.kit.unlock()
    except BeatbookError:
        return found + count_words(actor.folder, actor.planted)
    return found + 1
