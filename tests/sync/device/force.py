"""A force in this process: the real server with its authority, on a loopback socket, and the handhelds it hands out."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.ids import DeviceId, Millis, OfficerId, RecordId, ScopeName, new_record_id
from schemas.roles import Role
from server.authority import ServerKeys
from server.beatbook import Beatbook
from server.commits import Settled, Submission
from server.federation.passphrases import Parameters
from server.intake import KeptReceipt, SealedEdit
from server.logbook import QUARANTINE, RECEIPT
from server.office import Draft
from server.registry import acts as a
from server.returning import ReturnPace
from server.store.memory import MemoryStore
from sync.device import DeviceIdentity
from sync.device.enrolment import Enrolment
from tests.server.listening import listen, port_of, shut_down
from tests.server.rawsocket import HOST
from tests.sync.device.support import VirtualClock

CHEAP: Final = Parameters(memory_kib=8 * 1_024, passes=1)
BOSS: Final = "WM1"
OFFICER: Final = OfficerId("WM21877")
DEVICE: Final = DeviceId("hh-0042")
HURRIED_MS_MAX: Final = 5_000
PHRASE: Final = "482619"
"""Passphrase and PIN of every officer here."""


class HurriedClock(VirtualClock):
    """A device's clock that moves when a test says so; waits of the engine's own pace take no time."""

    async def sleep(self, ms: int) -> None:
        """See `Clock`."""
        if ms <= HURRIED_MS_MAX:
            await asyncio.sleep(0)
        else:
            await super().sleep(ms)


class _ToldStore(MemoryStore):
    """A store that tells when something was committed."""

    def __init__(self, moved: asyncio.Event) -> None:
        super().__init__()
        self._moved = moved

    async def commit(self, group: Sequence[Submission], now: Millis) -> list[Settled]:
        settled = await super().commit(group, now)
        self._moved.set()
        return settled


class Force:
    """See the module's text. Use `force`.

    Attributes:
        beatbook: the running server.
        keys: its own.
        url: base of its HTTP side.
        ahead_ms: how far the server's clock is ahead of the machine's; a test moves it.
    """

    def __init__(self, folder: Path) -> None:
        """Put the parts together; `force` starts them."""
        self.keys = ServerKeys.open(folder / "keys")
        self._moved = asyncio.Event()
        self.store = _ToldStore(self._moved)
        self.ahead_ms = 0
        self._wall = Millis(1_790_000_000_000)
        self.beatbook = Beatbook(self.store, self.keys, self.now, hashing=CHEAP)
        self.url = ""
        self._spans = itertools.count(1)

    def now(self) -> Millis:
        """The server's clock (ms since 1970): it stands still until a test moves it."""
        return Millis(self._wall + self.ahead_ms)

    async def act(self, kind: type[a.BaseAct], **values: object) -> None:
        """Perform an act."""
        await self.beatbook.authority.ledger.perform(kind(by=BOSS, at=self.now(), **values))  # type: ignore[arg-type]  # checked there

    async def span(self, kind: type[a.SpanAct], **values: object) -> str:
        """Perform an act that begins now; its span."""
        span = f"span-{next(self._spans)}"
        await self.act(kind, span=span, start=self.now(), **values)
        return span

    async def end(self, span: str) -> None:
        """End a span now."""
        await self.act(a.SpanEnded, span=span, until=self.now(), why="the test says so")

    # --- people and devices ------------------------------------------------------------------------------------------

    async def officer(self, officer: OfficerId = OFFICER, role: Role = Role.OFFICER) -> None:
        """Take an officer in, with a passphrase that they have chosen."""
        await self.act(a.OfficerAdded, officer=officer, name=f"Officer {officer}", start=self.now())
        await self.span(a.RoleGiven, officer=officer, role=role)
        await self.beatbook.authority.passphrases.change(officer, PHRASE)

    async def code(self, device: DeviceId = DEVICE) -> str:
        """A one-time code for a device."""
        code, _ = await self.beatbook.authority.enrolling.issue_code(device, BOSS)
        return code

    async def grant(self, officer: OfficerId, scope: ScopeName) -> str:
        """Name an officer for a scope; the span."""
        return await self.span(a.NamedGrant, officer=officer, scope=scope, why="the test says so")

    async def program(self, identity: DeviceIdentity, *scopes: ScopeName, officer: OfficerId = OFFICER) -> Enrolment:
        """Enrol a device whose seat is a program's, with these scopes."""
        told = await self.beatbook.authority.enrolling.enrol(
            await self.code(identity.device), identity.public_key, None
        )
        await self.act(a.SeatOpened, seat=identity.device, device=identity.device, officer=officer, unattended=True)
        for scope in scopes:
            await self.span(a.ScopeGranted, seat=identity.device, scope=scope, why="the test says so")
        return Enrolment(
            device=told.device,
            server=self.url,
            certificate=told.certificate,
            log_key=told.log_key,
            seal_to=told.seal_to,
        )

    # --- what it holds -----------------------------------------------------------------------------------------------

    async def brief(
        self, audience: str = "area:birmingham", title: str = "Grey van", priority: str = "routine"
    ) -> RecordId:
        """The control room makes a briefing."""
        record = new_record_id(self.now(), next(self._spans).to_bytes(10, "big"))
        values: dict[Any, Any] = {"title": title, "body": "Two men.", "audience": [audience], "issued_at": self.now()}
        values["priority"] = priority
        await self.beatbook.office.bring([Draft(record=record, kind="briefing", values=values)], OfficerId(BOSS))
        return record

    async def receipts(self) -> list[KeptReceipt]:
        """What devices signed of having removed, in order."""
        return [msgspec.msgpack.decode(body, type=KeptReceipt) for body in await self._journal(RECEIPT)]

    async def receipt_of(self, scope: ScopeName) -> KeptReceipt:
        """The receipt for a scope, as soon as it is durable."""
        while not (found := [receipt for receipt in await self.receipts() if receipt.scope == scope]):
            await self._committed()
        return found[0]

    async def _committed(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    async def quarantine(self) -> list[tuple[int, bytes]]:
        """(id, what was sealed) of everything in quarantine, in order."""
        edits = [msgspec.msgpack.decode(body, type=SealedEdit) for body in await self._journal(QUARANTINE)]
        return [(edit.id, self.keys.unseal(edit.sealed)) for edit in edits]

    async def _journal(self, what: str) -> list[bytes]:
        found = await self.store.journal(what, 0, 1_000)
        return [entry.body for entry in found if entry.body is not None]


@contextlib.asynccontextmanager
async def force(folder: Path) -> AsyncIterator[Force]:
    """A running force, with its boss."""
    made = Force(folder)
    server = await listen(made.beatbook)
    made.url = f"http://{HOST}:{port_of(server)}"
    await made.act(a.OfficerAdded, officer=BOSS, name="The boss", start=made.now())
    try:
        yield made
    finally:
        made.beatbook.hub.stop(ReturnPace(), lambda: 0.0)
        await made.beatbook.hub.empty()
        await shut_down(server)
