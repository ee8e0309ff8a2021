"""Refused ops mended or withdrawn by their author, and ops issued again under new numbers.

An op is never altered: the server may have its bytes under its number. What must change gets a new number, and the old
op points to it. What named the old op, its successors on the same record, must name the new one: so they are issued
again too, in their order, and the record's ops stay first in, first out. Their clock readings stay, though a mended
op's is of the moment of mending: of one device's ops on a record the later number counts as later (`sync.merge`).

An op is only issued again when the server can no longer take it in under its old number: it was refused, or its number
is another op's, or it was sent to wait behind such a one. So no change is ever made twice.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec

from schemas.codec import decode_op, encode, reread_op
from schemas.errors import FrameError, UsageError
from schemas.ids import FieldName, Millis, OpId, OpNumber, RecordId, op_id, split_op_id
from schemas.kinds import kind_named
from schemas.limits import PAGE_ROWS_MAX, REASON_CHARS_MAX, SEEN_OPS_MAX
from schemas.ops import Doubt, Op
from sync.evidence.chain import ChainHead
from sync.outbox import ENDED, UNSENT, OpEvent, OpState, Untaken, next_state
from sync.replica.facts import Dependants, Outcome, WriteFacts
from sync.replica.ownops import OwnOps
from sync.replica.tables import StoredOp, Tables

_NONE: Final = Doubt(0)
_ANSWERED: Final = frozenset({OpState.WAITING, OpState.HELD})
"""States of ops about which the server has spoken, and which it has not taken in."""
NUMBER_TAKEN: Final = "op_reused"
"""The refusal that says so: a copy of this device, or this one before it was set back, used the number."""


class Mending:
    """The transactions that give a change another number, over the outbox."""

    def __init__(self, tables: Tables, own: OwnOps) -> None:
        """Bind them."""
        self._tables = tables
        self._own = own

    # --- by the officer ----------------------------------------------------------------------------------------------

    def dependants(self, n: OpNumber) -> Dependants:
        """See `Replica.dependants`."""
        kept = self._held(n)
        return Dependants(tuple(self._behind(kept)), self._makes_record(kept))

    def mend(
        self,
        n: OpNumber,
        changes: Mapping[FieldName, Any],
        facts: WriteFacts,
        *,
        without: Collection[FieldName],
        occurred_at: Millis | None,
        outcome: Outcome,
    ) -> Op:
        """See `Replica.mend`."""
        kept = self._held(n)
        old = reread_op(kept.body)
        spec = kind_named(kept.kind)
        if spec is None:
            raise UsageError(
                f"op {n} is about a {kept.kind!r}, which this program does not know: update it, or withdraw"
            )
        strange = sorted(set(without) - old.changes.keys())
        if strange:
            raise UsageError(f"op {n} changes no {', '.join(strange)}; it changes {', '.join(old.changes)}")
        if both := sorted(set(without) & changes.keys()):
            raise UsageError(f"{', '.join(both)} cannot be left out of op {n} and changed at once")
        values = {name: value for name, value in (old.changes | dict(changes)).items() if name not in without}
        if not values:
            raise UsageError(f"nothing is left of op {n}: withdraw it instead")
        behind = self._behind(kept)
        left = {n, *(op.n for op in behind)}
        new = self._own.write(
            kept.record,
            spec,
            values,
            msgspec.structs.replace(
                facts, occurred_at=old.occurred_at if occurred_at is None else occurred_at, why=facts.why or old.why
            ),
            [op for op in self._tables.pending_ops(kept.record) if op.n not in left],
            # Where somebody else has made the record meanwhile, what it says becomes a change to that one.
            create=old.create and (spec.named is not None or self._tables.row(kept.record) is None),
            correct=old.correct,
            replaces=n,
        )
        self._tables.put_op(
            msgspec.structs.replace(kept, state=next_state(kept.state, OpEvent.MENDED), became=new.n, why=facts.why)
        )
        run = _Run(self._tables, self._own, outcome)
        run.mended(old, new)
        run.issue(behind, OpEvent.ISSUED_AGAIN, _NONE)
        outcome.touched.add(kept.record)
        return new

    def withdraw(self, n: OpNumber, why: str, outcome: Outcome) -> None:
        """See `Replica.withdraw`."""
        kept = self._held(n)
        if not why.strip() or len(why) > REASON_CHARS_MAX:
            raise UsageError(f"say why op {n} is withdrawn, in at most {REASON_CHARS_MAX} characters")
        behind = self._behind(kept)
        go_too = behind if self._makes_record(kept) else []
        for op in (kept, *go_too):
            state = next_state(op.state, OpEvent.WITHDRAWN)
            self._tables.put_op(msgspec.structs.replace(op, state=state, why=why))
            outcome.withdrawn.append(op.n)
        if not go_too:
            _Run(self._tables, self._own, outcome).issue(behind, OpEvent.ISSUED_AGAIN, _NONE)
        outcome.touched.add(kept.record)

    def _held(self, n: OpNumber) -> StoredOp:
        kept = self._tables.op(n)
        if kept is None:
            raise UsageError(f"this device has made no op {n}")
        if kept.state is not OpState.HELD:
            instead = f": op {kept.became} stands in its place" if kept.became else ""
            raise UsageError(f"op {n} is {kept.state.value}{instead}; only a refused op is mended or withdrawn")
        return kept

    def _makes_record(self, kept: StoredOp) -> bool:
        """Whether there is no such record without the op."""
        return reread_op(kept.body).create and kept.code != "op_record_exists" and self._tables.row(kept.record) is None

    # --- by itself ---------------------------------------------------------------------------------------------------

    def number_taken(self, kept: StoredOp, event: OpEvent, outcome: Outcome) -> None:
        """Issue an op again, and what builds on it: the server holds another op of its number.

        Args:
            kept: the op.
            event: how that became known.
            outcome: of this transaction.
        """
        run = _Run(self._tables, self._own, outcome)
        run.issue([kept, *self._behind(kept)], event, Doubt.RENUMBERED)

    def go_on_from(self, server: ChainHead, outcome: Outcome) -> None:
        """Issue again what this replica made beyond the chain that the server holds: it stands behind other links.

        The replica was set back or copied. What the server has of this seat stands; numbers and links go on from there.
        """
        beyond: dict[RecordId, list[StoredOp]] = {}
        after = server.n
        while ops := self._tables.ops_in(UNSENT, after, PAGE_ROWS_MAX):
            for op in ops:
                beyond.setdefault(op.record, []).append(op)
            after = ops[-1].n
        self._own.chain.take_up(server)
        for ops in beyond.values():
            _Run(self._tables, self._own, outcome).issue(ops, OpEvent.ISSUED_AGAIN, Doubt.RENUMBERED)

    def free_held(self, outcome: Outcome) -> None:
        """Issue again what an older program has held because its number was taken."""
        for kept in self._tables.ops_in([OpState.HELD], OpNumber(0), PAGE_ROWS_MAX):
            # One that builds on an earlier one of them has gone on with that.
            if kept.code == NUMBER_TAKEN and kept.n not in outcome.reissued:
                self.number_taken(kept, OpEvent.ISSUED_AGAIN, outcome)

    def follow(self, kept: StoredOp, outcome: Outcome) -> None:
        """Issue an op that waits again, when what it builds on has another number or is withdrawn."""
        op = reread_op(kept.body)
        run = _Run(self._tables, self._own, outcome)
        ended = run.ended_before(op)
        if ended is None:
            return
        stands = self._tables.op(ended.became)
        doubt = _NONE if stands is None else Doubt(reread_op(stands.body).doubt) & Doubt.RENUMBERED
        run.issue([kept, *self._behind(kept)], OpEvent.ISSUED_AGAIN, doubt)

    def _behind(self, head: StoredOp) -> list[StoredOp]:
        """The pending ops that build on one that the server cannot take in, and so cannot be taken in themselves."""
        numbers, names = {head.n}, {op_id(self._own.device, head.n)}
        found = []
        for kept in self._tables.pending_ops(head.record):
            if kept.n <= head.n or kept.state is OpState.DURABLE:
                continue
            op = reread_op(kept.body)
            # An op of an older program does not tell which op of that number it means. Until the server has spoken it
            # may be taken in behind another one; should it be sent to wait, it follows then.
            sure = head.state is OpState.HELD or op.after_digest != b"" or kept.state in _ANSWERED
            seen = {name for saw in op.saw.values() for name in saw}
            if (op.after in numbers and sure) or (kept.state in _ANSWERED and not names.isdisjoint(seen)):
                numbers.add(kept.n)
                names.add(op.id)
                found.append(kept)
        return found


class _Run:
    """Ops of one record being issued again, in order."""

    def __init__(self, tables: Tables, own: OwnOps, outcome: Outcome) -> None:
        self._tables = tables
        self._own = own
        self._outcome = outcome
        self._also_seen: dict[FieldName, OpId] = {}
        """Field -> the mended op, where that changes a field which the refused one did not."""

    def mended(self, old: Op, new: Op) -> None:
        """The run begins behind an op that was mended."""
        self._also_seen = dict.fromkeys(new.changes.keys() - old.changes.keys(), new.id)

    def issue(self, ops: Collection[StoredOp], event: OpEvent, doubt: Doubt) -> None:
        """Issue these again, the first of them because of `event`. With the doubt, all else as it was."""
        for kept in ops:
            new = self._renewed(reread_op(kept.body), doubt)
            body = encode(new)
            again = StoredOp(n=new.n, record=kept.record, kind=kept.kind, state=OpState.QUEUED, body=body)
            try:
                decode_op(body)
            except FrameError as error:
                # Longer names of what it saw: it was as long as an op may be. No server could read it, and its author
                # can shorten it.
                again = msgspec.structs.replace(
                    again, state=OpState.HELD, code=error.spec.code, detail=error.detail, untaken=Untaken.EVER
                )
                self._outcome.held.append(new.n)
            self._own.keep(again, self._own.made(kept.n))
            ended = next_state(kept.state, event)
            self._tables.put_op(msgspec.structs.replace(kept, state=ended, became=new.n))
            self._outcome.reissued[kept.n] = new.n
            self._outcome.touched.add(kept.record)
            event = OpEvent.ISSUED_AGAIN

    def _renewed(self, op: Op, doubt: Doubt) -> Op:
        after = self._in_place_of(op.after)
        return msgspec.structs.replace(
            op,
            n=self._own.next_op,
            after=after,
            after_digest=self._own.digest(after) if after else b"",
            saw={name: self._renamed(op, name, seen) for name, seen in op.saw.items()},
            changes={name: self._renamed_in(op, name, value) for name, value in op.changes.items()},
            doubt=op.doubt | doubt,
            link=self._own.chain.head.link,
        )

    def _in_place_of(self, n: OpNumber) -> OpNumber:
        """The op that a later one waits for, now that op `n` may have ended."""
        while (kept := self._tables.op(n)) is not None and kept.state in ENDED:
            # Behind a withdrawn op comes what that one waited for.
            n = kept.became or (reread_op(kept.body).after if kept.body else OpNumber(0))
        return OpNumber(0) if kept is None else n

    def ended_before(self, op: Op) -> StoredOp | None:
        """An op on which this one builds and which has ended; None when there is none."""
        before = self._tables.op(op.after)
        if before is not None and before.state in ENDED:
            return before
        names = {name for saw in op.saw.values() for name in saw}
        return next((kept for name in sorted(names) if (kept := self._ended(op, name)) is not None), None)

    def _ended(self, by: Op, name: OpId) -> StoredOp | None:
        """The op of this device that `by` means with that name, if it has ended."""
        device, n = split_op_id(name)
        kept = self._tables.op(n) if device == self._own.device else None
        if kept is None or kept.state not in ENDED or kept.record != by.record:
            return None
        # An op made since then means the other op of that number, which a copy of this device made.
        return None if kept.became and kept.became < by.n else kept

    def _renamed(self, by: Op, field: FieldName, seen: tuple[OpId, ...]) -> tuple[OpId, ...]:
        names = {now for name in seen for now in self._now_named(by, field, name)}
        if field in self._also_seen:
            names.add(self._also_seen[field])
        # One too many is left out, and so counts as unseen: then people are asked, and nothing is lost.
        return tuple(sorted(names)[:SEEN_OPS_MAX])

    def _now_named(self, by: Op, field: FieldName, name: OpId) -> Iterator[OpId]:
        """What stands in the field where an op stood that may have ended."""
        kept = self._ended(by, name)
        if kept is None:
            yield name
            return
        new = self._tables.op(kept.became)
        if new is not None and field in reread_op(new.body).changes:
            yield from self._now_named(by, field, op_id(self._own.device, new.n))
            return
        # Whoever saw its value had, through it, seen what it was written over. Of what was destroyed nothing is known.
        for earlier in reread_op(kept.body).saw.get(field, ()) if kept.body else ():
            yield from self._now_named(by, field, earlier)

    def _renamed_in(self, by: Op, field: FieldName, value: Any) -> Any:  # noqa: ANN401  a plain value of any field
        """The value; entries that correct an entry of an op with another number point there."""
        return [self._pointing(by, field, entry) for entry in value] if isinstance(value, list) else value

    def _pointing(self, by: Op, field: FieldName, entry: Any) -> Any:  # noqa: ANN401  as above
        match entry:
            case {"corrects": [str(name), int(k)]}:
                now = list(self._now_named(by, field, OpId(name)))
                return {**entry, "corrects": [now[0], k]} if len(now) == 1 else entry
            case _:
                return entry
