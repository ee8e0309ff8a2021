"""The world in which grants and records move: a server that can be killed, seats on handhelds, a list of what was done.

Whoever drives it draws small numbers (`test_machine_of_grants`); after each of their moves everything that happens by
itself has happened, and `check` compares every seat that is in contact with the reference.
"""

import contextlib
import functools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import DeviceId, OfficerId, OpNumber, RecordId, named_record_id, op_id, split_op_id
from schemas.kinds import KINDS, KindSpec
from schemas.roles import Role
from server.authority import ServerKeys
from server.federation.refusals import RefusedError
from server.intake import SealedEdit
from server.logbook import ACT, QUARANTINE
from server.registry import acts as a
from server.registry import live_sign_in
from server.store import Store
from sync.outbox import UNSENT, OpState
from tests.server.authority import holdings
from tests.server.authority.house import House, journal
from tests.server.authority.pocket import Pocket
from tests.server.authority.virtual import VirtualLoop

BOSS: Final = "WM9"
PLACES: Final = {"a": ("area:a",), "b": ("area:b", "team:b"), "c": ("suite:c",), "d": ("area:d", "suite:d")}
AREAS: Final = ("a", "b", "d")
SUITES: Final = ("c", "d")
COMPARTMENT: Final = "larch"
SECRET: Final = "heron"
"""What the word begins with that a record made in the compartment has for itself."""
MISSION: Final = "castle"
BOOKING: Final = named_record_id("a booking that no device holds")
KIND_NAMES: Final = ("incident", "briefing", "medical", "inbox-item")
_PAGE: Final = 1_000
_LONG_AGO: Final = -50


def keep(store: Store) -> Store:
    """How a store in memory comes back after its process was killed: as it was."""
    return store


@functools.cache
def server_keys() -> ServerKeys:
    """The keys of every server here: to make them anew for each would only take time."""
    folder = Path(tempfile.mkdtemp())
    try:
        return ServerKeys.open(folder / "keys")
    finally:
        shutil.rmtree(folder)


class World:
    """See the module's text. `end` it."""

    def __init__(
        self, keys: ServerKeys, loop: VirtualLoop, store: Store, reopen: Callable[[Store], Store] = keep
    ) -> None:
        """Begin with units, officers, and devices that are enrolled and signed in.

        Args:
            keys: the server's own.
            loop: an unused one; the world closes it.
            store: an empty one.
            reopen: how to come by the store again after the process that had it was killed.
        """
        self.keys = keys
        self.loop = loop
        self.acts: list[a.Act] = []
        self.pockets: list[Pocket] = []
        self.closed: dict[RecordId, str] = {}
        """Records that have never been outside the compartment -> a word that stands in each and nowhere else."""
        self.rows: dict[RecordId, bytes] = {}
        self.records: list[tuple[RecordId, KindSpec]] = []
        self._store = store
        self._reopen = reopen
        self._n = 0
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._searched: dict[str, int] = {}
        self.house = House(loop, store, keys)
        self._found()

    def _found(self) -> None:
        """A small force: three officers, one of them in the control room, and a program with a seat of its own."""
        for name in "abc":
            self.act(a.UnitAdded, unit=name, title=f"Unit {name}", places=PLACES[name], start=self.now + _LONG_AGO)
        self.act(a.CompartmentMade, compartment=COMPARTMENT, title="Closed matter")
        posted: tuple[tuple[str, str | None], ...] = (("WM1", "a"), ("WM2", "b"), ("WM3", None))
        for officer, unit in posted:
            self.act(a.OfficerAdded, officer=officer, name=officer, start=self.now + _LONG_AGO)
            role = Role.SUPERINTENDENT if unit else Role.CONTROL_ROOM
            self.span(a.RoleGiven, _LONG_AGO, None, officer=officer, role=role)
            if unit is not None:
                self.span(a.Posted, _LONG_AGO, None, officer=officer, unit=unit)
        for device in ("hh-1", "hh-2", "hh-3", "hh-4"):
            self.enrol(device)
        for device, officer in (("hh-1", "WM1"), ("hh-2", "WM2"), ("hh-3", "WM3"), ("hh-1", "WM2")):
            opened = self.loop.do(
                self.house.authority.signing.admit(DeviceId(device), OfficerId(officer), "passphrase")
            )
            self._pocket(opened.seat, device, officer)
        self.act(a.SeatOpened, seat="hh-4", device="hh-4", officer="WM3", unattended=True)
        self._pocket("hh-4", "hh-4", "WM3")
        self.acts = self._kept_acts()

    def _pocket(self, seat: str, device: str, officer: str) -> None:
        key = self._keys[device]
        self.pockets.append(Pocket(seat, device, officer, key, self._enrolled, self.loop.clock))

    def end(self) -> None:
        """Stop everything."""
        for pocket in self.pockets:
            pocket.cut()
        self.house.kill()
        self.loop.really(self._store.close())
        self.loop.end()

    @property
    def now(self) -> int:
        """The clock (ms since 1970)."""
        return self.loop.clock()

    # --- acts --------------------------------------------------------------------------------------------------------

    def act(self, kind: type[a.BaseAct], **values: object) -> bool:
        """Do an act, if it can be done."""
        made = kind(**{"by": BOSS, "at": self.now, **values})  # type: ignore[arg-type]  # `check` looks at each value
        act = cast("a.Act", made)
        try:
            self.house.perform(act)
        except UsageError:
            return False
        self.acts.append(act)
        return True

    def span(self, kind: type[a.SpanAct], start: int, lasts: int | None, **values: object) -> None:
        """Do an act with a span; `start` counts from now (ms)."""
        self._n += 1
        begin = self.now + start
        until = None if lasts is None else begin + lasts
        self.act(kind, span=f"s-{self._n}", start=begin, until=until, **values)

    def enrol(self, device: str) -> None:
        """Enrol a device with a fresh key and a one-time code."""
        key = self._keys[device] = Ed25519PrivateKey.generate()
        enrolling = self.house.authority.enrolling
        code, _ = self.loop.do(enrolling.issue_code(DeviceId(device), BOSS))
        self._enrolled = self.loop.do(enrolling.enrol(code, key.public_key().public_bytes_raw(), None))

    def wipe(self, device: str, seat: str | None) -> None:
        """Order a wipe."""
        with contextlib.suppress(UsageError):
            self.loop.do(
                self.house.authority.wipe(DeviceId(device), None if seat is None else DeviceId(seat), BOSS, "lost")
            )
            self.acts = self._kept_acts()

    def _kept_acts(self) -> list[a.Act]:
        """What the journal says was done, but for what follows from it."""
        acts = [a.decode(body) for body in self.loop.do(journal(self.house.store, ACT))]
        return [act for act in acts if not isinstance(act, a.SeatRights)]

    # --- the server's power, and time --------------------------------------------------------------------------------

    def kill(self, turns: int) -> None:
        """The server's process ends after so many turns of what is going on, and starts again on the same disk."""
        self.loop.turn(turns)
        for pocket in self.pockets:
            pocket.cut()
        self.house.kill()
        self._store = self._reopen(self._store)
        told = self.acts
        self.house = House(self.loop, self._store, self.keys)
        self.acts = self._kept_acts()
        assert [act for act in told if act not in self.acts] == [], "what was said to be done is kept"

    def wait(self, ms: int) -> None:
        """Time passes."""
        self.loop.wait(ms)

    # --- devices -----------------------------------------------------------------------------------------------------

    def pocket(self, which: int) -> Pocket:
        """One of the seats."""
        return self.pockets[which % len(self.pockets)]

    def connect(self, pocket: Pocket) -> None:
        """A handheld finds the network; its officer signs in where that is needed and possible."""
        if pocket.live or pocket.wiped:
            return
        seat = self.house.authority.ledger.registry.seats[pocket.seat]
        if not seat.unattended:
            self._sign_in(pocket)
        pocket.connect(self.house.accept, self.loop)

    def _sign_in(self, pocket: Pocket) -> None:
        authority = self.house.authority
        live = live_sign_in(authority.ledger.registry, pocket.seat, self.house.now)
        with contextlib.suppress(UsageError, RefusedError):
            if live is not None:
                lease = self.loop.do(authority.gatekeeper.lease(pocket.seat))
                pocket.token = pocket.token if lease is None else lease.token
            else:
                opened = self.loop.do(authority.signing.admit(pocket.device, pocket.officer, "passphrase"))
                pocket.token = opened.lease.token
        self.acts = self._kept_acts()

    def may_be_let_in(self, pocket: Pocket) -> bool:
        """Whether whoever connects now is in contact afterwards and stays so."""
        registry = self.house.authority.ledger.registry
        seat = registry.seats[pocket.seat]
        gone = seat.retired or seat.wipe or seat.device.wipe or seat.device.revoked
        if gone or not seat.officer.serves(self.house.now):
            return False
        return seat.unattended or live_sign_in(registry, pocket.seat, self.house.now) is not None

    # --- records -----------------------------------------------------------------------------------------------------

    def make(self, pocket: Pocket, kind: int, what: int) -> None:
        """An officer makes a record."""
        self._n += 1
        name = KIND_NAMES[kind % 3]
        record = named_record_id("grants", str(self._n))
        changes = _new(name, what, self._n, self.now)
        if _is_closed(changes):
            if pocket.officer not in holdings.ever_cleared(self.acts):
                return
            self.closed[record] = _secret(self._n)
        self.records.append((record, KINDS[name]))
        pocket.write(record, KINDS[name], changes, create=True)

    def edit(self, pocket: Pocket, which: int, what: int) -> None:
        """An officer changes a record that the handheld shows: what it says, or whom it concerns."""
        shown = [(record, spec) for record, spec in self.records if pocket.replica.view(record) is not None]
        if not shown:
            return
        record, spec = shown[-1 - which % len(shown)]
        self._n += 1
        changes = _change(spec.name, what, f"said {self._n}")
        if _is_closed(changes) and pocket.officer not in holdings.ever_cleared(self.acts):
            return
        pocket.write(record, spec, changes)

    def whisper(self, pocket: Pocket, which: int) -> None:
        """Somebody writes inside the compartment: whoever was never cleared gets not one byte because of it."""
        self.rest()
        inside = [
            (record, spec) for record, spec in self.records if record in self.closed and pocket.replica.view(record)
        ]
        if not inside or not pocket.live:
            return
        outside = [one for one in self.pockets if one.officer not in holdings.ever_cleared(self.acts)]
        before = [len(one.sent) for one in outside]
        record, spec = inside[which % len(inside)]
        self._n += 1
        field = "summary" if spec.name == "incident" else "body"
        pocket.write(record, spec, {field: f"{self.closed[record]} once more {self._n}"})
        self.rest()
        assert [len(one.sent) for one in outside] == before, "nobody outside a compartment hears that it changed"

    # --- what must hold ----------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Let everything happen that happens by itself."""
        self.loop.settle()
        self.house.tick()

    def check(self) -> None:
        """Compare everything with the reference."""
        self.rest()
        self.rows = self.loop.do(self._rows())
        sealed = self._quarantine()
        for record, row in self.rows.items():
            if not all(scope.startswith(f"compartment:{COMPARTMENT}") for scope in holdings.concerns(row)):
                self.closed.pop(record, None)
        for pocket in self.pockets:
            assert pocket.faults == [], f"{pocket.seat}: {pocket.faults}"
            if pocket.live:
                assert self.may_be_let_in(pocket), f"{pocket.seat} is in contact, and nobody may be there"
                self._check_held(pocket)
                self._check_ops(pocket, sealed)
            elif pocket.wiped or pocket.ended == "device_revoked":
                assert pocket.rows() == {}, f"{pocket.seat} is trusted no more"
                assert pocket.tables.positions() == {}, f"{pocket.seat} is trusted no more"
            self._search(pocket)

    async def _rows(self) -> dict[RecordId, bytes]:
        rows = [row for kind in KIND_NAMES for row in await self.house.store.records(kind, None, "", _PAGE)]
        return {decode_row(row).id: row for row in rows}

    def _check_held(self, pocket: Pocket) -> None:
        """It holds what the reference says, and nothing else, of exactly these scopes."""
        own = holdings.rights(self.acts, pocket.seat, self.house.now)
        expected = holdings.holds(own, self.rows)
        held = pocket.rows()
        assert held.keys() - expected.keys() == set(), f"{pocket.seat} holds what it may not"
        assert expected.keys() - held.keys() == set(), f"{pocket.seat} lacks what it may hold"
        assert held == expected, f"{pocket.seat} holds an older row"
        assert {str(scope) for scope in pocket.tables.positions()} == own, f"{pocket.seat} holds other scopes"

    def _quarantine(self) -> dict[str, list[bytes]]:
        """Seat and number -> what lies in quarantine of that op, opened."""
        found: dict[str, list[bytes]] = {}
        for body in self.loop.do(journal(self.house.store, QUARANTINE)):
            edit = msgspec.msgpack.decode(body, type=SealedEdit)
            found.setdefault(op_id(edit.seat, OpNumber(edit.id)), []).append(self.keys.unseal(edit.sealed))
        return found

    def _check_ops(self, pocket: Pocket, sealed: dict[str, list[bytes]]) -> None:
        """Every op that its officer was told is saved is somewhere: in the store, in quarantine once, or still here."""
        kept = self.loop.do(self._ops(pocket.seat))
        for n, body in pocket.made.items():
            op = pocket.tables.op(n)
            assert op is not None
            in_quarantine = sealed.get(op_id(pocket.seat, n), [])
            assert in_quarantine in ([], [body]), f"op {n} of {pocket.seat} lies in quarantine as it was made, and once"
            assert op.state is not OpState.SEALED, f"op {n} of {pocket.seat} was not handed over"
            here = op.state in UNSENT | {OpState.HELD, OpState.REISSUED}
            assert here or n in kept or in_quarantine, f"op {n} of {pocket.seat} is lost"
        for op in pocket.readable():
            assert op.record not in pocket.lost, f"{pocket.seat} can read its op {op.n} on what was taken from it"

    async def _ops(self, seat: DeviceId) -> set[OpNumber]:
        ops = await self.house.store.ops(None, 0, _PAGE)
        return {split_op_id(op.id)[1] for op in ops if split_op_id(op.id)[0] == seat}

    def _search(self, pocket: Pocket) -> None:
        """Whoever was never cleared was sent no name, no id and no word of what is in the compartment."""
        if pocket.officer in holdings.ever_cleared(self.acts):
            return
        words = [COMPARTMENT, *self.closed, *self.closed.values()]
        start = self._searched.get(pocket.seat, 0)
        for frame in pocket.sent[start:]:
            for word in words:
                assert word.encode() not in frame, f"{word} was sent to {pocket.seat}"
        self._searched[pocket.seat] = len(pocket.sent)


def _is_closed(changes: Mapping[str, Any]) -> bool:
    """Whether a record is put into the compartment, or taken out of it."""
    return "compartment" in changes or f"compartment:{COMPARTMENT}" in changes.get("audience", ())


def _secret(n: int) -> str:
    return f"{SECRET}-{n}-"


def _new(kind: str, what: int, n: int, now: int) -> dict[str, Any]:
    text = f"said {n}"
    match kind:
        case "incident":
            changes: dict[str, Any] = {"opened_at": now, "area": AREAS[what % 3], "category": "crime", "summary": text}
            if what % 4 == 1:
                changes |= {"compartment": COMPARTMENT, "summary": _secret(n)}
            if what % 5 == 2:
                changes |= {"missions": {"add": [MISSION]}, "named": {"add": ["wm1"]}}
            return changes
        case "medical":
            return {"booking": BOOKING, "suite": SUITES[what % 2]}
        case _:
            audience = _audience(what)
            said = _secret(n) if f"compartment:{COMPARTMENT}" in audience else text
            return {"title": said, "body": said, "audience": audience, "issued_at": now}


def _audience(what: int) -> list[str]:
    choices = (
        ["area:a"],
        ["area:b", "team:b"],
        ["force"],
        ["mission:castle", "area:d"],
        ["area:d", "area:a"],
        [f"compartment:{COMPARTMENT}", "force"],
    )
    return list(choices[what % len(choices)])


def _change(kind: str, what: int, text: str) -> dict[str, Any]:
    choices: Iterable[dict[str, Any]]
    match kind:
        case "incident":
            choices = (
                {"summary": text},
                {"area": AREAS[what % 3]},
                {"area": AREAS[(what + 1) % 3], "summary": text},
                {"teams": {"add": ["b"]}},
                {"missions": {"add": [MISSION]}},
                {"missions": {"remove": [MISSION]}},
                {"named": {"add": [("wm1", "wm2")[what % 2]]}},
                {"compartment": COMPARTMENT},
                {"compartment": None},
            )
        case "medical":
            choices = ({"suite": SUITES[what % 2]}, {"medication": [f"medicine {what % 2}"]})
        case _:
            choices = ({"audience": _audience(what)}, {"body": text}, {"audience": _audience(what + 1), "title": text})
    found = list(choices)
    return found[what // 7 % len(found)]
