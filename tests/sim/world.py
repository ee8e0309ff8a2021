"""The whole world in one object: a server, three handhelds, links between them, virtual time. No clock, no chance.

Everything that can happen is a method that takes small whole numbers; whoever drives the world draws them. The same
numbers give the same world.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Self
from unittest import mock

from schemas.ids import Epoch, Millis, OpNumber, RecordId, ScopeName, named_record_id
from schemas.kinds import KINDS, InboxItem, KindSpec, spec_of
from schemas.limits import MESSAGE_BYTES_MAX, PAGE_ROWS_MAX
from server.commits import Settled
from sync.outbox import UNSENT
from tests.sim import officers
from tests.sim.device import SimDevice
from tests.sim.faults import Crash, Fuse, require
from tests.sim.officers import BEGIN_MS
from tests.sim.oracles import Audit
from tests.sim.server import NODE, Conn, SimServer
from tests.sim.store import SimStore

CREDIT: Final = MESSAGE_BYTES_MAX + 3_000
"""Credit of both sides in the simulation: a device that acknowledges nothing is out of it after some frames."""
ROUNDS_MAX: Final = 400
SESSIONS_MAX: Final = 12
ITEM: Final = spec_of(InboxItem)
SCOPES: Final = tuple(
    map(
        ScopeName,
        (
            "area:north",
            "area:north:briefing",
            "area:north:inbox",
            "area:south",
            "area:south:briefing",
            "force:briefing",
            "suite:one:medical",
            "suite:one:medical:inbox",
            "suite:one:inbox",
            "suite:one",
        ),
    )
)
FIRST_GRANTS: Final = {"hh-1": SCOPES[:3] + SCOPES[5:], "hh-2": SCOPES[:3] + SCOPES[5:], "hh-3": SCOPES}
"""Two handhelds with equal grants, and one that sees everything. All of them may decide, but not about the south."""


class World:
    """See the module's text. Use as a context: it shrinks the sessions' credit while it lives."""

    def __init__(self) -> None:
        """Begin: everyone enrolled, nobody connected, no record anywhere."""
        self.now = BEGIN_MS
        self.fuse = Fuse()
        self.audit = Audit()
        self.records: list[tuple[RecordId, KindSpec]] = []
        self._epochs = 0
        self._said = 0
        self._backup: SimStore | None = None
        self.server = SimServer(SimStore(self._next_epoch()), self.fuse, self._clock, self._kept)
        self.devices = [SimDevice(name, self.fuse, self._clock, self.audit) for name in FIRST_GRANTS]
        for device in self.devices:
            self.audit.lineage[device.id] = self.server.store.epoch
            for scope in FIRST_GRANTS[device.id]:
                self.server.grant(device.id, scope, held=True)
        self._patches = [
            mock.patch("sync.session.device.CREDIT_BYTES", CREDIT),
            mock.patch("sync.session.server.CREDIT_BYTES", CREDIT),
        ]

    def __enter__(self) -> Self:
        """Shrink the credit."""
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        for patch in self._patches:
            patch.stop()

    def _clock(self) -> Millis:
        return Millis(self.now)

    def _kept(self, settled: Settled) -> None:
        self.audit.kept(self.server, settled)

    def _next_epoch(self) -> Epoch:
        self._epochs += 1
        return Epoch(f"{self._epochs:016x}")

    def _device(self, who: int) -> SimDevice:
        return self.devices[who % len(self.devices)]

    def _act(self, body: Callable[[], object]) -> bool:
        """Let something happen that may cost a node its power; True when it made a difference."""
        try:
            return bool(body())
        except Crash as crash:
            if crash.node == NODE:
                self.server.crash()
            else:
                next(device for device in self.devices if device.id == crash.node).crash()
            return True

    # --- officers ----------------------------------------------------------------------------------------------------

    def create(self, who: int, kind: int, what: int) -> None:
        """An officer makes a record."""
        self._said += 1
        text, when = f"said {self._said}", BEGIN_MS - 100_000 + what % 7
        name = officers.KIND_NAMES[kind % len(officers.KIND_NAMES)]
        changes = officers.new_record(name, what, text, when)
        record = named_record_id("simulated", str(self._said))
        self.records.append((record, KINDS[name]))
        device = self._device(who)
        self._act(lambda: device.write(record, KINDS[name], changes, create=True, occurred_at=when))

    def edit(self, who: int, which: int, what: int) -> None:
        """An officer changes one of the records that the handheld shows."""
        device = self._device(who)
        found = self._shown(device, which)
        if found is None:
            return
        record, spec, held = found
        self._said += 1
        changes = officers.change(spec.name, what, f"said {self._said}", device.time(), held)
        self._write(device, record, spec, changes, what)

    def differ(self, who: int, which: int, what: int) -> None:
        """Two officers change the same field of the same record, and neither has seen the other's change."""
        one, two = self._device(who), self._device(who + 1 + what % 2)
        shown = [
            (record, spec)
            for record, spec in self.records
            if one.replica.view(record) is not None and two.replica.view(record) is not None
        ]
        if not shown:
            return
        record, spec = shown[-1 - which % len(shown)]
        for device, nth in ((one, what), (two, what + 1 if what % 6 != 5 else what - 1)):
            state = device.replica.view(record)
            if state is not None:
                self._said += 1
                held = {str(name): value for name, value in state.values().items()}
                changes = officers.change(spec.name, nth, f"said {self._said}", device.time(), held)
                self._write(device, record, spec, changes, nth)

    def correct(self, who: int, which: int, what: int) -> None:
        """An officer corrects what was recorded once and for all; only some are entitled to."""
        device = self._device(who)
        found = self._shown(device, which)
        if found is None:
            return
        record, spec, _ = found
        changes = officers.correction(spec.name, what)
        if changes:
            self._write(device, record, spec, changes, what, correct=True)

    def decide(self, who: int, which: int, what: int) -> None:
        """An officer decides one of the questions that the handheld shows, or one that is decided already."""
        device = self._device(who)
        items = sorted(device.tables.records_of_kind(ITEM.name))
        if not items:
            return
        item = items[which % len(items)]
        state = device.replica.view(item)
        self._said += 1
        held = {} if state is None else state.values()
        changes = officers.decision({str(name): value for name, value in held.items()}, what, f"said {self._said}")
        if changes is not None:
            self._write(device, item, ITEM, changes, what)

    def _write(
        self,
        device: SimDevice,
        record: RecordId,
        spec: KindSpec,
        changes: dict[str, Any],
        what: int,
        *,
        correct: bool = False,
    ) -> None:
        # Times of different officers cross and meet, so that the order of arrival and of events differ.
        when = BEGIN_MS - 50_000 + what % 5
        self._act(lambda: device.write(record, spec, changes, occurred_at=when, correct=correct))

    def _shown(self, device: SimDevice, which: int) -> tuple[RecordId, KindSpec, dict[str, Any]] | None:
        """One of the records that a handheld shows, counted back from the latest, with its values."""
        views = [(record, spec, device.replica.view(record)) for record, spec in self.records]
        shown = [(record, spec, state.values()) for record, spec, state in views if state is not None]
        if not shown:
            return None
        record, spec, held = shown[-1 - which % len(shown)]
        return record, spec, {str(name): value for name, value in held.items()}

    # --- links, power, grants, time ----------------------------------------------------------------------------------

    def connect(self, who: int) -> None:
        """A handheld finds the network."""
        link = self._device(who).connect()
        if link is not None:
            self.server.accept(link)

    def cut(self, who: int, lost: int) -> None:
        """A link breaks: with all that was on it, or after the frames that are on the way up have arrived."""
        device = self._device(who)
        if device.link is not None and lost % 3:
            device.link.up.clear()
        device.hang_up()

    def crash_device(self, who: int) -> None:
        """A handheld loses its power between two of its steps."""
        self._device(who).crash()

    def crash_server(self) -> None:
        """The server's process is killed between two of its steps."""
        self.server.crash()

    def arm(self, points: int) -> None:
        """Whoever passes the points-th crash point from here loses its power there."""
        self.fuse.left = points

    def back_up(self) -> None:
        """Someone copies the server's disk."""
        self._backup = self.server.store.copy(Epoch("0" * 16))

    def restore(self) -> None:
        """The server comes back from the last copy, in a new history."""
        if self._backup is not None:
            self.server.crash(self._backup.copy(self._next_epoch()))
            self.audit.restored(self.server, self.devices)

    def grant(self, who: int, which: int) -> None:
        """A grant begins, or changes: it gets a new generation."""
        self.server.grant(self._device(who).id, SCOPES[which % len(SCOPES)], held=True)

    def revoke(self, who: int, which: int) -> None:
        """A grant ends."""
        self.server.grant(self._device(who).id, SCOPES[which % len(SCOPES)], held=False)

    def skew(self, who: int, seconds: int) -> None:
        """A handheld's clock is set wrong."""
        self._device(who).skew_ms = (seconds - 50) * 60_000

    def lazy(self, who: int) -> None:
        """A handheld stops, or begins again, to acknowledge."""
        device = self._device(who)
        device.lazy = not device.lazy
        if not device.lazy:
            self._act(device.acknowledge)

    def wait(self, ms: int) -> None:
        """Time passes."""
        self.now += ms
        self.server.tick()
        for device in self.devices:
            device.tick()

    # --- one step at a time ------------------------------------------------------------------------------------------

    def _steps(self) -> list[Callable[[], bool]]:
        """Everything that could happen next."""
        found: list[Callable[[], bool]] = [
            device.receive
            for device in self.devices
            if device.link is not None and (device.link.down or device.link.server_gone)
        ]
        for conn in self.server.conns:
            found += self._steps_of(conn)
        if self.server.arrivals:
            found += [lambda: self.server.commit(1), lambda: self.server.commit(100)]
        if self.server.unpublished:
            found.append(self.server.publish)
        return found

    def _steps_of(self, conn: Conn) -> list[Callable[[], bool]]:
        found: list[Callable[[], bool]] = []
        if conn.checking is not None:
            found.append(lambda: self.server.admit(conn))
        elif conn.link.up or conn.link.device_gone:
            found.append(lambda: self.server.receive(conn))
        found.append(lambda: self.server.pump(conn))
        return found

    def step(self, choice: int) -> None:
        """One of the things that could happen next, happens."""
        steps = self._steps()
        if steps:
            self._act(steps[choice % len(steps)])

    def steps(self, choices: Sequence[int]) -> None:
        """Several of them, one after the other."""
        for choice in choices:
            self.step(choice)
        self.check()

    def check(self) -> None:
        """The oracles that hold at any time."""
        self.audit.at_any_time(self.server, self.devices)

    def come_to_rest(self) -> None:
        """Everything is up, everyone in touch, until nothing is on its way; then all oracles."""
        self.fuse.left = None
        for device in self.devices:
            device.lazy = False
            device.acknowledge()
        self._until_quiet()
        waiting = self._waiting()
        for _ in range(SESSIONS_MAX):
            # What waits for an op on a record that its device does not hold is offered once in a session.
            for who in sorted({who for who, _ in waiting}):
                self.cut(who, 1)
            self._until_quiet()
            waiting, before = self._waiting(), waiting
            if waiting == before:
                break
        self.audit.at_rest(self.server, self.devices)

    def _waiting(self) -> set[tuple[int, OpNumber]]:
        """Whose ops are not taken in, and never refused."""
        return {
            (who, op.n)
            for who, device in enumerate(self.devices)
            for op in device.tables.ops_in(UNSENT, OpNumber(0), PAGE_ROWS_MAX)
        }

    def come_back(self, who: int) -> None:
        """One handheld finds the network, and all that follows from it happens; nobody else comes back."""
        self.connect(who)
        self._until_quiet(everyone=False)

    def _until_quiet(self, *, everyone: bool = True) -> None:
        for _ in range(ROUNDS_MAX):
            if not self._round(everyone=everyone):
                return
        require(0, holds=False, text="the world never comes to rest")

    def _round(self, *, everyone: bool) -> bool:
        progress = False
        for who, device in enumerate(self.devices):
            if everyone and device.link is None:
                self.connect(who)
                progress = True
            while self._act(device.receive):
                progress = True
        for conn in list(self.server.conns):
            while conn in self.server.conns and self._conn_round(conn):
                progress = True
        self.check()
        return any([self._act(lambda: self.server.commit(100)), self._act(self.server.publish), progress])

    def _conn_round(self, conn: Conn) -> bool:
        if conn.checking is not None:
            return self.server.admit(conn)
        return self.server.receive(conn) or self.server.pump(conn)
