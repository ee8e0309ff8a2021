"""The oracles: promises 1 to 4 of the design, checked after every transaction and whenever the world is at rest."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas.codec import decode_row, reread_op
from schemas.ids import DeviceId, Epoch, Generation, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import KINDS
from schemas.ops import Op
from server.settle import OpKey, Settled
from sync import digest
from sync.outbox import OpState
from sync.replica.core import Outcome
from tests.sim import model
from tests.sim.device import SimDevice, Watch
from tests.sim.faults import require
from tests.sim.model import Accepted
from tests.sim.server import SimServer

NO_FAULT: Final = frozenset({"replaced", "silent", "hello_late", "server_silent"})
"""How a session between two honest ends may end. Anything else is one of them breaking the protocol."""

_Before = dict[RecordId, tuple[Mapping[str, Any] | None, Seq | None, frozenset[OpNumber]]]


class Audit(Watch):
    """What the test knows of the whole world, and holds against it."""

    def __init__(self) -> None:
        """Begin with an empty world."""
        self.histories: dict[Epoch, list[Accepted]] = {}
        self.told: set[tuple[DeviceId, OpNumber]] = set()
        """Ops whose author was told `durable`."""
        self.lineage: dict[DeviceId, Epoch | None] = {}
        """The server history that all of a device's rows come from; None while a restored server is still unknown."""
        self.set_back = False
        """Whether the server was ever restored: ops are then offered again under the grants of today."""
        self.damaged = False
        """Whether a test has spoiled a replica on purpose, so that digests may differ."""
        self._heads: dict[ScopeName, Seq] = {}
        self._places: dict[tuple[DeviceId, Epoch | None, ScopeName, Generation], Seq] = {}
        self._versions: dict[Epoch, Seq] = {}

    # --- the server --------------------------------------------------------------------------------------------------

    def kept(self, server: SimServer, settled: Settled) -> None:
        """A commit is on the server's disk: promises 2 and 3, for what it touched."""
        store = server.store
        last = self._versions.get(store.epoch, Seq(0))
        require(2, settled.seq == last + bool(settled.rows), f"commit {settled.seq} follows {last}")
        self._versions[store.epoch] = settled.seq
        self.histories[store.epoch] = store.history
        ops = [(one.op.device, one.op.n) for one in store.history]
        require(2, len(ops) == len(set(ops)), f"accepted twice: {[op for op in ops if ops.count(op) > 1]}")
        self._heads = {scope: head.seq for scope, head in store.heads.items()}
        for row in settled.rows:
            self.record(server, row.record)

    def restored(self, server: SimServer, devices: Iterable[SimDevice]) -> None:
        """The server came back from an older copy."""
        self.set_back = True
        self.histories[server.store.epoch] = server.store.history
        self._versions[server.store.epoch] = server.store.seq
        self._heads = {scope: head.seq for scope, head in server.store.heads.items()}
        for device in devices:
            self.lineage[device.id] = None

    def record(self, server: SimServer, record: RecordId) -> None:
        """One record is exactly what the accepted ops make of it, and every one of them is accounted for."""
        store = server.store
        row = decode_row(store.rows[record])
        ops = model.of_record(store.history, record)
        wanted = model.cells(ops)
        require(3, model.of_row(row) == wanted, f"{record}: the store has {model.of_row(row)}, the model {wanted}")
        version = max(one.seq for one in store.history if one.op.record == record)
        require(2, row.v == version, f"{record}: version {row.v}, last changed by commit {version}")
        for cell in row.cells.values():
            if cell and isinstance(cell[0], list) and len(cell[0]) == 3 and isinstance(cell[0][2], int):
                names = [(row.stamps[at].op, k) for _, at, k in cell]
                require(2, len(names) == len(set(names)), f"{record}: an entry stands twice")
        scopes = model.scopes(row.kind, wanted)
        held = {scope for scope in server.store.heads if record in dict(store.members(scope))}
        require(4, held == scopes, f"{record}: a member of {sorted(held)}, its fields say {sorted(scopes)}")

    # --- a device ----------------------------------------------------------------------------------------------------

    def wrote(self, device: SimDevice, op: Op) -> None:
        """See `Watch`."""
        self._rows_and_views(device, {op.record})

    def before(self, device: SimDevice) -> _Before:
        """The view of every record that has a pending op."""
        found: _Before = {}
        for spec in KINDS.values():
            for record in device.tables.records_of_kind(spec.name):
                pending = device.tables.pending_ops(record)
                if pending:
                    state = device.replica.view(record)
                    found[record] = (
                        None if state is None else {str(name): value for name, value in state.values().items()},
                        _version(device, record),
                        frozenset(op.n for op in pending),
                    )
        return found

    def applied(self, device: SimDevice, outcome: Outcome, before: object) -> None:
        """See `Watch`."""
        self.told.update((device.id, n) for n in outcome.durable)
        tables = device.tables
        for scope in () if self.damaged else outcome.differ:
            # A session that ends in the middle of the log leaves the device between two positions. The plan of the next
            # one may then differ while the server's memory lags behind its disk; a batch never may.
            held, head = tables.position(scope), self._heads.get(scope, Seq(0))
            between = scope not in outcome.positions and held is not None and held.seq < head
            require(4, between, f"{device.id}: the digest of {scope} differs")
        for scope, held in tables.positions().items():
            members = tables.members(scope, "", "")
            if not self.damaged:
                true = (digest.of(members), len(members))
                require(4, (held.digest, held.count) == true, f"{device.id}: the digest of {scope} is not its members'")
            place = (device.id, device.replica.epoch, scope, held.gen)
            if held.after is not None:
                # A snapshot begins where the server says, which is further back while its memory lags behind its disk.
                self._places[place] = held.seq
            elif scope in outcome.positions:
                last = self._places.get(place, Seq(0))
                require(2, held.seq >= last, f"{device.id}: {scope} went back from {last} to {held.seq}")
                self._places[place] = held.seq
        self._rows_and_views(device, outcome.touched)
        if isinstance(before, dict):
            self._no_flicker(device, before)

    def _rows_and_views(self, device: SimDevice, records: Iterable[RecordId]) -> None:
        history = self._history(device)
        for record in records:
            raw = device.tables.row(record)
            held = device.tables.is_member_of_any(record)
            require(
                4, (raw is not None) == held, f"{device.id}: {record} is held without a scope, or not held with one"
            )
            if history is None:
                continue
            state = device.replica.view(record)
            wanted = self.wanted_view(device, record, history)
            shown = None if state is None else state.values()
            require(4, shown == wanted, f"{device.id} shows {record} as {shown}, the model as {wanted}")

    def _history(self, device: SimDevice) -> list[Accepted] | None:
        epoch = self.lineage.get(device.id)
        if epoch is None or device.replica.epoch != epoch:
            return None
        return self.histories.get(epoch, [])

    def wanted_view(self, device: SimDevice, record: RecordId, history: list[Accepted]) -> dict[str, Any] | None:
        """What a device must show: the row at its version, and its own pending ops that the row does not hold."""
        version = _version(device, record)
        ops = [] if version is None else model.of_record(history, record, version)
        known = {op.id for op in ops}
        for kept in device.tables.pending_ops(record):
            op = reread_op(kept.body)
            if op.id not in known and (ops or op.create):
                ops.append(op)
        return model.values(model.cells(ops)) if ops else None

    def _no_flicker(self, device: SimDevice, before: _Before) -> None:
        """What arrives with nothing new but this device's own ops changes nothing of what its officer sees."""
        history = self._history(device)
        if history is None:
            return
        for record, (shown, version, pending) in before.items():
            now = _version(device, record)
            if shown is None or (version is not None and (now is None or now < version)):
                continue  # It has left; or it is sent anew, and older rows are believed again.
            came = [one.op for one in history if one.op.record == record and (version or 0) < one.seq <= (now or 0)]
            if all(op.device == device.id and op.n in pending for op in came):
                ops = [device.tables.op(n) for n in pending]
                if now is None and any(op is not None and op.state is OpState.SETTLED for op in ops):
                    continue  # The record is not for this device: the server told so, or took the scope away.
                state = device.replica.view(record)
                after = None if state is None else state.values()
                require(
                    4, after == shown, f"{device.id}: {record} flickers from {shown} to {after}; {version} {now} {ops}"
                )

    # --- the world at rest -------------------------------------------------------------------------------------------

    def at_any_time(self, server: SimServer, devices: Iterable[SimDevice]) -> None:
        """Nothing that was saved or told durable is gone (promises 1 and 2), whatever is still on its way."""
        taken = self._taken(server)
        for device in devices:
            for n, body in device.made.items():
                kept = device.tables.op(n)
                require(1, kept is not None and kept.body == body, f"{device.id}: op {n} was saved and has changed")
                if device.replica.epoch != server.store.epoch or kept is None:
                    continue
                if kept.state in {OpState.DURABLE, OpState.SETTLED}:
                    self._durable(server, taken, device, n)
                elif (device.id, n) in self.told:
                    # It may be offered again at any time; only a server that was set back takes its word back.
                    again = kept.state is OpState.QUEUED or self.set_back
                    require(1, again, f"{device.id}: op {n} was called durable, and is {kept.state.value}")
            for code in (*device.endings, *server.endings):
                require(0, code in NO_FAULT, f"a session of honest ends ended with {code}")

    def _taken(self, server: SimServer) -> dict[OpKey, Op]:
        return {(one.op.device, one.op.n): one.op for one in server.store.history}

    def _durable(self, server: SimServer, taken: dict[OpKey, Op], device: SimDevice, n: OpNumber) -> None:
        known = server.store.ops.get((device.id, n))
        require(
            1,
            known is not None and known.result.status == "durable",
            f"{device.id}: op {n} was called durable; the server has {known and known.result}",
        )
        same = taken.get((device.id, n)) == reread_op(device.made[n])
        require(1, same, f"{device.id}: op {n} is another op on the server")

    def at_rest(self, server: SimServer, devices: Iterable[SimDevice]) -> None:
        """All links are up and nothing is on its way: the replicas are what the server says they are."""
        self.at_any_time(server, devices)
        for record in server.store.rows:
            self.record(server, record)
        for device in devices:
            self.lineage[device.id] = server.store.epoch
            self._outbox_at_rest(server, device)
            self._replica_at_rest(server, device)

    def _outbox_at_rest(self, server: SimServer, device: SimDevice) -> None:
        for n, body in device.made.items():
            kept = device.tables.op(n)
            if kept is None:
                continue
            require(4, kept.state is not OpState.DURABLE, f"{device.id}: op {n} waits for a row that never comes")
            known = server.store.ops.get((device.id, n))
            lost_right = self.set_back and kept.code == "op_not_permitted"
            if kept.state is OpState.HELD:
                require(
                    1, known is not None and known.result.status == "refused", f"{device.id}: op {n} held for nothing"
                )
                told = (device.id, n) in self.told
                require(1, lost_right or not told, f"{device.id}: op {n} was called durable, now {kept.code}")
            if kept.state is OpState.QUEUED:
                before = device.tables.op(reread_op(body).after)
                waits = before is not None and before.state in {OpState.HELD, OpState.QUEUED}
                require(
                    1, self.set_back or (device.id, n) not in self.told, f"{device.id}: op {n} is not durable again"
                )
                require(1, waits or lost_right, f"{device.id}: op {n} is never taken in: {kept.code} {kept.detail}")

    def _replica_at_rest(self, server: SimServer, device: SimDevice) -> None:
        store, tables = server.store, device.tables
        granted = server.grants.get(device.id, {})
        positions = tables.positions()
        require(4, positions.keys() == granted.keys(), f"{device.id} holds {sorted(positions)}, not {sorted(granted)}")
        mine: dict[RecordId, bytes] = {}
        for scope in granted:
            members = store.members(scope)
            require(4, tables.members(scope, "", "") == members, f"{device.id}: members of {scope} differ")
            mine.update({record: store.rows[record] for record, _ in members})
            head = server.head(scope)
            true = (digest.of(members), len(members))
            require(4, (head.digest, head.count) == true, f"{scope}: the head's digest is not its members'")
            held = positions[scope]
            require(4, held.after is None and (held.digest, held.count) == true, f"{device.id}: {scope} is not whole")
        for spec in KINDS.values():
            for record in tables.records_of_kind(spec.name):
                row, wanted = tables.row(record), mine.pop(record, None)
                same = row == wanted or (row and wanted and decode_row(row) == decode_row(wanted))
                require(4, same, f"{device.id}: {record} is {_plain(row)}, on the server {_plain(wanted)}")
        require(4, not mine, f"{device.id}: without {sorted(mine)}")
        self._rows_and_views(
            device, [record for spec in KINDS.values() for record in tables.records_of_kind(spec.name)]
        )


def _version(device: SimDevice, record: RecordId) -> Seq | None:
    """The row's own version: the one beside it is 0 while rows are not trusted."""
    raw = device.tables.row(record)
    return None if raw is None else decode_row(raw).v


def _plain(row: bytes | None) -> object:
    return None if row is None else msgspec.msgpack.decode(row)
