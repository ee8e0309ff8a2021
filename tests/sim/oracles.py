"""The oracles: promises 1 to 4 of the design, checked after every transaction and whenever the world is at rest.

Of promises 7 and 8, what a lost grant leaves on a device, and whether the chains of ops verify, is `custody`.

Promise 3 is asked twice: of `sync.history`, which is what the product itself says of what became of each op, and of the
reference model, which knows what every record must hold and which questions must be open.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas.codec import decode_row, reread_op
from schemas.ids import DeviceId, Epoch, FieldName, Generation, OpNumber, RecordId, ScopeName, Seq, op_id
from schemas.kinds import KINDS
from schemas.ops import Op
from server.commits import Settled
from sync import digest, history
from sync.outbox import ENDED, SHUT, UNSENT, OpState, Untaken
from sync.replica import Outcome
from tests.sim import custody, ledger, model
from tests.sim.device import SimDevice, Watch
from tests.sim.faults import PromiseBroken, require
from tests.sim.ledger import Ledger
from tests.sim.server import SimServer

NO_FAULT: Final = frozenset({"replaced", "silent", "hello_late", "server_silent"})
"""How a session between two honest ends may end. Anything else is one of them breaking the protocol."""

ON_DAMAGE: Final = "base_differs"
"""The same of a replica that was damaged behind its own back: a difference does not find the row that it is from."""
LOST_RIGHT: Final = frozenset({"op_not_permitted", "op_not_entitled", "op_claim_held"})
"""Why a server that was set back may refuse what it once took: rights are today's, and of claims the order decides."""
DECLARED: Final = {"roles", "safe_because"}
"""What an inbox item says of who decides and why: as the field declares it, and not modelled."""

_Before = dict[RecordId, tuple[Mapping[str, Any] | None, Seq | None, frozenset[OpNumber]]]


class Audit(Watch):
    """What the test knows of the whole world, and holds against it."""

    def __init__(self) -> None:
        """Begin with an empty world."""
        self.ledgers: dict[Epoch, Ledger] = {}
        self.told: set[tuple[DeviceId, OpNumber]] = set()
        """Ops whose author was told `durable`."""
        self.lineage: dict[DeviceId, Epoch | None] = {}
        """The server history that all of a device's rows come from; None while a restored server is still unknown."""
        self.set_back = False
        """Whether the server was ever restored: ops are then offered again under the grants of today."""
        self.damaged = False
        """Whether a test has spoiled a replica on purpose, so that digests may differ."""
        self.shut: set[tuple[DeviceId, OpNumber]] = set()
        """Ops on records that a grant took away when it ended."""
        self._held: frozenset[RecordId] = frozenset()
        self._heads: dict[ScopeName, Seq] = {}
        self._places: dict[tuple[DeviceId, Epoch | None, ScopeName, Generation], Seq] = {}
        self._versions: dict[Epoch, Seq] = {}
        self._views: dict[tuple[DeviceId, RecordId], tuple[object, dict[str, Any] | None]] = {}

    # --- the server --------------------------------------------------------------------------------------------------

    def kept(self, server: SimServer, settled: Settled) -> None:
        """A commit is on the server's disk: promises 2 and 3, for what it touched."""
        store = server.store
        last = self._versions.get(store.epoch, Seq(0))
        require(2, settled.seq == last + bool(settled.rows), f"commit {settled.seq} follows {last}")
        self._versions[store.epoch] = settled.seq
        told = self.ledgers.setdefault(store.epoch, Ledger())
        fresh = store.history[len(told.taken) :]
        ops = [ledger.of(one.op) for one in store.history]
        require(2, len(ops) == len(set(ops)), f"accepted twice: {[op for op in ops if ops.count(op) > 1]}")
        for one in fresh:
            missing = self._unseen(told, one.op)
            require(3, not missing, f"{one.op.id} is accepted before {missing}, which its author saw")
            told.take(one)
        self._heads = {scope: head.seq for scope, head in store.heads.items()}
        changed = {record for record in told.records if fresh and told.version(record) == settled.seq}
        _numbered(server)
        written = {row.record for row in settled.rows if row.kind != model.SERIES}
        require(3, written == changed, f"commit {settled.seq} wrote {sorted(written)}, not {sorted(changed)}")
        for record in sorted(written):
            self.record(server, record)

    def _unseen(self, told: Ledger, op: Op) -> set[str]:
        """The ops that an author saw and that have not been taken in."""
        taken = {one.op.id for one in told.taken}
        return {str(name) for names in op.saw.values() for name in names} - taken

    def restored(self, server: SimServer, devices: Iterable[SimDevice]) -> None:
        """The server came back from an older copy."""
        self.set_back = True
        self.ledgers[server.store.epoch] = Ledger(server.store.history)
        self._versions[server.store.epoch] = server.store.seq
        self._heads = {scope: head.seq for scope, head in server.store.heads.items()}
        for device in devices:
            self.lineage[device.id] = None

    def record(self, server: SimServer, record: RecordId) -> None:
        """One record is exactly what the accepted ops make of it, and every one of them is accounted for."""
        store, told = server.store, self.ledgers[server.store.epoch]
        row = decode_row(store.rows[record])
        wanted, held = told.cells(record), model.of_row(row)
        if row.kind == model.ITEM:
            _as_declared(held)
        if held != wanted:
            raise PromiseBroken(3, f"{record}: the store has {held}, the model {wanted}")
        self._accounted(server, record)
        self._asked(server, record, row.kind, held)
        version = told.version(record)
        require(2, row.v == version, f"{record}: version {row.v}, last changed by commit {version}")
        for cell in held.values():
            if isinstance(cell, model.Many):
                names = [(op, k) for _, op, k in cell.entries]
                require(2, len(names) == len(set(names)), f"{record}: an entry stands twice")
        scopes = model.scopes(row.kind, wanted)
        members = {scope for scope in server.store.heads if record in dict(store.members(scope))}
        require(4, members == scopes, f"{record}: a member of {sorted(members)}, its fields say {sorted(scopes)}")

    def _accounted(self, server: SimServer, record: RecordId) -> None:
        """Each change to a record stands, or a link leads to what stands in its place."""
        store, told = server.store, self.ledgers[server.store.epoch]
        state, acts = store.state(record), store.acts_on(record)
        lost = [] if state is None else history.unaccounted(state, acts)
        require(3, not lost, f"{record}: by its own history, {lost} is lost")
        superseded = {(op, one.field) for done in acts.values() for one in done for op in one.over}
        held = told.cells(record)
        for fact in told.records[record].facts:
            if model.policy(told.records[record].kind, fact.field) == "tags" and not fact.value.get("add"):
                continue  # It adds nothing that could be lost.
            stands = fact.op.id in ledger.named({fact.field: held[fact.field]})
            displaced = any(one.stands for one in acts[fact.op.id] if one.field == fact.field)
            linked = (fact.op.id, fact.field) in superseded
            require(3, stands or displaced or linked, f"{record}: {fact.op.id} in {fact.field} is lost")

    def _asked(self, server: SimServer, record: RecordId, kind: str, held: model.Cells) -> None:
        """What no rule settles is in an inbox item that waits for a person and names every value."""
        store = server.store
        for field, cell in held.items():
            open_now = model.unsettled(kind, field, cell)
            if not open_now or not isinstance(cell, model.One):
                continue
            item = ledger.item_id(record, field, cell.decided)
            about = model.of_row(decode_row(store.rows[item])) if item in store.rows else None
            require(3, about, f"{record}: nobody is asked about {field}: {cell}")
            waits = about is not None and model.is_open(model.values(model.ITEM, about))
            require(3, waits, f"{record}: the question about {field} is closed, and {cell} is open")
            named = ledger.named({} if about is None else {"candidates": about["candidates"]})
            require(3, open_now <= named, f"{record}: {field} asks about {named}, not {open_now}")

    # --- a device ----------------------------------------------------------------------------------------------------

    def wrote(self, device: SimDevice, op: Op) -> None:
        """See `Watch`."""
        self._rows_and_views(device, {op.record})

    def before(self, device: SimDevice) -> _Before:
        """The view of every record that has a pending op, but for those of which the server's word is to come."""
        self._held = device.tables.held()
        found: _Before = {}
        told = self._told(device)
        for spec in KINDS.values():
            for record in device.tables.records_of_kind(spec.name):
                pending = device.tables.pending_ops(record)
                if pending and not (told is not None and self._lacks_word(device, told, record)):
                    numbers = frozenset(op.n for op in pending)
                    found[record] = (self._shown(device, record), _version(device, record), numbers)
        return found

    def _shown(self, device: SimDevice, record: RecordId) -> dict[str, Any] | None:
        """What an officer sees of a record; looked up anew when its row or an op on it has changed."""
        seen = (device.tables.row(record), device.tables.pending_ops(record))
        kept = self._views.get((device.id, record))
        if kept is not None and kept[0] == seen:
            return kept[1]
        state = device.replica.view(record)
        held = {} if state is None else state.values()
        shown = None if state is None else {str(name): one for name, one in held.items() if name not in model.NUMBERS}
        self._views[device.id, record] = seen, shown
        return shown

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
        if outcome.removed:
            self._taken_away(device)
        self._rows_and_views(device, outcome.touched)
        if isinstance(before, dict):
            self._no_flicker(device, before)

    def _taken_away(self, device: SimDevice) -> None:
        """A scope was dropped: of what its officer wrote on the records that left with it, nothing can be read."""
        for record in self._held - device.tables.held():
            self.shut.update((device.id, op.n) for op in device.tables.ops_of(record))
        for owner, n in self.shut:
            if owner == device.id:
                custody.unreadable(device, n)

    def _rows_and_views(self, device: SimDevice, records: Iterable[RecordId]) -> None:
        told = self._told(device)
        for record in records:
            raw = device.tables.row(record)
            held = device.tables.is_member_of_any(record)
            require(
                4, (raw is not None) == held, f"{device.id}: {record} is held without a scope, or not held with one"
            )
            if told is None:
                continue
            if self._lacks_word(device, told, record):
                continue
            own = [reread_op(kept.body) for kept in device.tables.pending_ops(record)]
            wanted = told.view(record, _version(device, record), own)
            shown = self._shown(device, record)
            if shown is not None and "safe_because" in shown:
                shown = {field: value for field, value in shown.items() if field not in DECLARED}
            if shown != wanted:
                raise PromiseBroken(4, f"{device.id} shows {record} as {shown}, the model as {wanted}")

    def _lacks_word(self, device: SimDevice, told: Ledger, record: RecordId) -> bool:
        """Whether a server that was set back has an op again, and the row came while the word of it was lost.

        Until it is said once more the device lays the op over the row: what others have written over it comes late.
        """
        taken: set[str] = told.held_by(record, _version(device, record)) if self.set_back else set()
        pending = device.tables.pending_ops(record)
        noted = {op_id(device.id, op.n) for op in pending if op.state in UNSENT and op.untaken is not Untaken.NO}
        return not taken.isdisjoint(noted)

    def _told(self, device: SimDevice) -> Ledger | None:
        """The ledger that all of a device's rows come from, if they come from one."""
        epoch = self.lineage.get(device.id)
        if epoch is None or device.replica.epoch != epoch:
            return None
        return self.ledgers.get(epoch, Ledger())

    def _no_flicker(self, device: SimDevice, before: _Before) -> None:
        """What arrives with nothing new but this device's own ops changes nothing of what its officer sees."""
        told = self._told(device)
        if told is None:
            return
        for record, (shown, version, pending) in before.items():
            now = _version(device, record)
            if shown is None or (version is not None and (now is None or now < version)):
                continue  # It has left; or it is sent anew, and older rows are believed again.
            came = told.between(record, version or 0, now or 0)
            if any(told.is_told_better(op) for op in came):
                continue  # With its true time, an op may turn out to be earlier than what others have written.
            if all(op.device == device.id and op.n in pending for op in came):
                ops = [device.tables.op(n) for n in pending]
                if now is None and any(op is not None and op.state in {OpState.SETTLED, *SHUT} for op in ops):
                    continue  # The record is not for this device: the server told so, or took the scope away.
                after = self._shown(device, record)
                # Whether a reservation has ended is a question of clocks, and the server's decides. A decision may move
                # what it is about, and the rules then move the question after it: the model knows where to.
                if after is None or _own_words(after) != _own_words(shown):
                    raise PromiseBroken(4, f"{device.id}: {record} flickers from {shown} to {after}; {now} {ops}")

    # --- the world at rest -------------------------------------------------------------------------------------------

    def at_any_time(self, server: SimServer, devices: Iterable[SimDevice]) -> None:
        """Nothing that was saved or told durable is gone (promises 1 and 2), whatever is still on its way."""
        for device in devices:
            for n, body in device.made.items():
                kept = custody.intact(device, n, body)
                if device.replica.epoch != server.store.epoch:
                    continue
                if kept.state in {OpState.DURABLE, OpState.SETTLED}:
                    self._durable(server, device, n)
                elif (device.id, n) in self.told:
                    # It may be offered again at any time; only a server that was set back takes its word back.
                    again = kept.state in UNSENT | SHUT or self.set_back
                    require(1, again, f"{device.id}: op {n} was called durable, and is {kept.state.value}")
            for code in (*device.endings, *server.endings):
                expected = code in NO_FAULT or (self.damaged and code == ON_DAMAGE)
                require(0, expected, f"a session of honest ends ended with {code}")

    def _durable(self, server: SimServer, device: SimDevice, n: OpNumber) -> None:
        known = server.store.ops.get((device.id, n))
        if known is None or known.result.status != "durable":
            raise PromiseBroken(1, f"{device.id}: op {n} was called durable; the server has {known}")
        same = server.store.body(device.id, n) == device.made[n]
        require(1, same, f"{device.id}: op {n} is another op on the server")

    def at_rest(self, server: SimServer, devices: Iterable[SimDevice]) -> None:
        """All links are up and nothing is on its way: the replicas are what the server says they are."""
        self.at_any_time(server, devices)
        counted = {record for record in server.store.rows if decode_row(server.store.rows[record]).kind == model.SERIES}
        for record in server.store.rows.keys() - counted:
            self.record(server, record)
        for device in devices:
            self.lineage[device.id] = server.store.epoch
            self._outbox_at_rest(server, devices, device)
            custody.at_rest(server, device)
            custody.chain(server.store, device.id)
            self._replica_at_rest(server, device)

    def _outbox_at_rest(self, server: SimServer, devices: Iterable[SimDevice], device: SimDevice) -> None:
        stuck = {op_id(one.id, n) for one in devices for n in one.made if _is_stuck(server, one, n)}
        for n, body in device.made.items():
            kept = device.tables.op(n)
            if kept is None:
                continue
            require(4, kept.state is not OpState.DURABLE, f"{device.id}: op {n} waits for a row that never comes")
            known = server.store.ops.get((device.id, n))
            if kept.state is OpState.HELD:
                require(
                    1, known is not None and known.result.status == "refused", f"{device.id}: op {n} held for nothing"
                )
                told = (device.id, n) in self.told
                lost_right = self.set_back and kept.code in LOST_RIGHT
                require(1, lost_right or not told, f"{device.id}: op {n} was called durable, now {kept.code}")
            if kept.state in UNSENT:
                op = reread_op(body)
                require(
                    1, self.set_back or (device.id, n) not in self.told, f"{device.id}: op {n} is not durable again"
                )
                seen = {name for names in op.saw.values() for name in names}
                behind = op_id(device.id, op.after) in stuck or not stuck.isdisjoint(seen)
                orphan = self.set_back and (op.record not in server.store.rows or kept.code in LOST_RIGHT)
                require(1, behind or orphan, f"{device.id}: op {n} is never taken in: {kept.code} {kept.detail}")

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


def _is_stuck(server: SimServer, device: SimDevice, n: OpNumber) -> bool:
    """Whether an op is not among the server's, and will not be."""
    kept = device.tables.op(n)
    if kept is not None and kept.state in SHUT:
        return server.store.body(device.id, n) is None
    return kept is not None and kept.state in UNSENT | ENDED | {OpState.HELD}


def _own_words(held: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in held.items() if field not in {"hold", "claimed", "places"}}


def _numbered(server: SimServer) -> None:
    """Every incident has a number of its own, and of each day every one up to the last: promise 2."""
    rows = [decode_row(body) for body in server.store.rows.values()]
    given = [row.cells[FieldName("urn")][0] for row in rows if row.kind == "incident"]
    last = {row.cells[FieldName("day")][0]: row.cells[FieldName("last")][0] for row in rows if row.kind == model.SERIES}
    counted = [f"{day.replace('-', '')}-{n:04}" for day, upto in last.items() for n in range(1, upto + 1)]
    require(2, sorted(given) == sorted(counted), f"numbers {sorted(given)}, counted {last}")


def _as_declared(item: model.Cells) -> None:
    """Check what an inbox item says of who decides, and leave it out of what is compared with the model."""
    about = model.values(model.ITEM, item)
    asks = KINDS[about["subject_kind"]].fields[FieldName(about["field"])].asks
    declared = None if asks is None else ([role.value for role in asks.roles], asks.safe_because)
    require(3, (about["roles"], about["safe_because"]) == declared, f"asks {about['roles']}, declared is {declared}")
    for field in DECLARED:
        del item[field]


def _version(device: SimDevice, record: RecordId) -> Seq | None:
    """The row's own version: the one beside it is 0 while rows are not trusted."""
    raw = device.tables.row(record)
    return None if raw is None else decode_row(raw).v


def _plain(row: bytes | None) -> object:
    return None if row is None else msgspec.msgpack.decode(row)
