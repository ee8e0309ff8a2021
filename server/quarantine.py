"""Edits in quarantine: what a device could not send any more, sealed to the server, until somebody decides about it.

An officer's right to a record ended while edits to it were unsent, or they wrote while their replica was shut. Whoever
may see the record lists such edits, opens one (a consultation, which is logged before anything is told), and adopts it
or discards it, with a reason. What was sealed stays in the journal whatever is decided, until its record is erased
(`server.filing`).

Nobody is asked about an edit that was taken in after all (its device sealed it before it was told so): it stands in its
record. Nor about a receipt: whether somebody had read a briefing is nobody else's to decide.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import msgspec

from schemas import scopes
from schemas.codec import decode_op, decode_row
from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, RecordId, ScopeName
from schemas.kinds import BriefingReceipt, CustodyBooking, Incident, kind_named, spec_of
from schemas.ops import Op
from server.authority import Authority
from server.commits import Submission
from server.filing import unsealed
from server.intake import SealedEdit
from server.logbook import OFFICE, QUARANTINE, Entry, KeptEntry
from server.office import Adoption, Office
from server.own_ops import Standing
from server.registry import held_roles, posted_at
from server.rule_writer import NotFoundError, SettledError
from server.store import Store
from sync import merge
from sync.device.drafts import Draft

OPENED: Final = "quarantine-opened"
SETTLED: Final = "quarantine-settled"
"""Sorts of journal entries."""
UNPLACED: Final = frozenset({scopes.inbox(scopes.FORCE)})
"""Who sees an edit of which nobody can tell where it belongs: somebody must."""
_PLACED: Final[Mapping[str, tuple[str, ...]]] = {
    spec_of(Incident).name: ("area", "team"),
    spec_of(CustodyBooking).name: ("suite",),
}
"""Kind of record -> the families of places whose people see all such records there. Of a kind with narrower scopes, as
what is medical, nothing follows from where its author works."""
_RECEIPT: Final = spec_of(BriefingReceipt).name
_COMPARTMENT: Final = FieldName("compartment")
_NOBODY: Final = OfficerId("")
_PAGE: Final = 200
_ENCODER: Final = msgspec.msgpack.Encoder()
_EDIT: Final = msgspec.msgpack.Decoder(SealedEdit)


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """An edit in quarantine, opened.

    Attributes:
        key: its name here.
        seat: where it was written.
        at: when it came (ms since 1970).
        author, occurred_at, why: as its author said; the author is "" where the edit cannot be read.
        kind, record: of what; the record is None for a new one.
        changes: field -> change, as in an op.
    """

    key: str
    seat: DeviceId
    at: Millis
    author: OfficerId
    occurred_at: Millis
    why: str
    kind: str
    record: RecordId | None
    changes: Mapping[FieldName, Any]


class Opened(msgspec.Struct, frozen=True):
    """That somebody has looked into an edit: who, when (ms since 1970), what for; where, if that was kept."""

    key: str
    by: OfficerId
    at: Millis
    why: str
    seat: DeviceId = OFFICE


class Settled(msgspec.Struct, frozen=True):
    """What was decided about an edit: who, when (ms since 1970), why; the op that it became, "" for none; where."""

    key: str
    by: OfficerId
    at: Millis
    why: str
    op: str
    seat: DeviceId = OFFICE


class Quarantine:
    """The quarantine of one running server."""

    def __init__(self, store: Store, office: Office, authority: Authority) -> None:
        """Bind the parts."""
        self._store = store
        self._office = office
        self._authority = authority
        self._one_at_a_time = asyncio.Lock()
        """Of decisions: the second about an edit sees the first."""

    async def waiting(self, seen: frozenset[ScopeName]) -> AsyncIterator[Edit]:
        """The edits about which nobody has decided, of records in these scopes, as they came.

        They are opened here to tell whose they are; a person gets no more than that they are there.
        """
        place = 0
        while page := await self._store.journal(QUARANTINE, place, _PAGE):
            place = page[-1].place
            for kept in page:
                if kept.body is None or await self._store.entry(SETTLED, kept.key) is not None:
                    continue
                edit = self._opened(kept)
                if edit.kind == _RECEIPT or seen.isdisjoint(await self._scopes(edit)) or await self._stands(kept):
                    continue
                yield edit

    async def look(self, key: str, by: OfficerId, why: str, standing: Standing) -> Edit:
        """An edit, for a person who looks into it; that is in the log before it is told.

        Raises:
            NotFoundError: there is none of that name, or they may not see it.
            StoreError: the log could not be kept; nothing is told.
        """
        edit = await self._found(key, standing.scopes)
        now = self._authority.now()
        opened = Opened(key, by, now, why, standing.seat or OFFICE)
        entry = Entry(OPENED, f"{key}:{by}:{now}", _ENCODER.encode(opened), edit.record)
        await self._keep(entry)
        return edit

    async def adopt(self, key: str, by: OfficerId, why: str, standing: Standing) -> OpId:
        """Write an edit into its record after all, in its author's name: the op it became.

        What its author might write then may be adopted by somebody who may see the record.

        Raises:
            NotFoundError, SettledError: there is none, or it is decided.
            UsageError: it cannot be written; the text says why. It stays in quarantine.
        """
        async with self._one_at_a_time:
            edit = await self._open_question(key, standing.scopes)
            if not edit.author:
                raise UsageError("this edit cannot be read by this program: leave it, or discard it")
            then = held_roles(self._authority.ledger.registry, edit.author, edit.occurred_at)
            right = msgspec.structs.replace(standing, roles=standing.roles.joined(then))
            adoption = Adoption(
                record=edit.record,
                kind=edit.kind,
                changes=edit.changes,
                author=edit.author,
                occurred_at=edit.occurred_at,
                why=f"{edit.why} {why}".strip(),
                seat=edit.seat,
            )
            op = await self._office.adopt(adoption, right)
            await self._settle(edit, by, why, op, standing)
        return op

    async def discard(self, key: str, by: OfficerId, why: str, standing: Standing) -> None:
        """Decide that an edit is not written into its record. It stays in the journal.

        Raises:
            NotFoundError, SettledError: there is none, or it is decided.
        """
        async with self._one_at_a_time:
            await self._settle(await self._open_question(key, standing.scopes), by, why, "", standing)

    async def _open_question(self, key: str, seen: frozenset[ScopeName]) -> Edit:
        edit = await self._found(key, seen)
        settled = await self._store.entry(SETTLED, key)
        if settled is not None:
            raise SettledError(f"edit {key} in quarantine is decided already")
        kept = await self._store.entry(QUARANTINE, key)
        if kept is not None and await self._stands(kept):
            raise SettledError(
                f"edit {key} in quarantine stands in its record: it had come before its author's right ended"
            )
        return edit

    async def _stands(self, kept: KeptEntry) -> bool:
        """Whether the edit is an op that was taken in, of which its device was not told before it sealed it."""
        edit = None if kept.body is None else unsealed(_EDIT.decode(kept.body), self._authority.keys)
        op = await self._store.op(edit.device, edit.n) if isinstance(edit, Op) else None
        return op is not None and op.result.status == "durable" and decode_op(op.body) == edit

    async def _found(self, key: str, seen: frozenset[ScopeName]) -> Edit:
        kept = await self._store.entry(QUARANTINE, key)
        edit = None if kept is None or kept.body is None else self._opened(kept)
        if edit is None or seen.isdisjoint(await self._scopes(edit)):
            raise NotFoundError(f"there is no edit {key!r} in quarantine")
        return edit

    async def _settle(self, edit: Edit, by: OfficerId, why: str, op: str, standing: Standing) -> None:
        settled = Settled(edit.key, by, self._authority.now(), why, op, standing.seat or OFFICE)
        await self._keep(Entry(SETTLED, edit.key, _ENCODER.encode(settled), edit.record))

    async def _keep(self, entry: Entry) -> None:
        await self._office.keep(Submission(OFFICE, frozenset(), (), entries=(entry,)))

    def _opened(self, kept: KeptEntry) -> Edit:
        sealed = _EDIT.decode(kept.body or b"")
        said = self._said(sealed)
        empty = Draft(
            seat=sealed.seat, kind="", record=None, changes={}, occurred_at=kept.at, author=_NOBODY, wall=kept.at
        )
        draft, why = (empty, "") if said is None else said
        return Edit(
            key=kept.key,
            seat=sealed.seat,
            at=kept.at,
            author=draft.author,
            occurred_at=draft.occurred_at,
            why=why,
            kind=draft.kind,
            record=draft.record,
            changes={FieldName(name): change for name, change in draft.changes.items()},
        )

    def _said(self, sealed: SealedEdit) -> tuple[Draft, str] | None:
        """What was sealed, an op or a draft, and the reason it gives; None where this program cannot read it."""
        op = unsealed(sealed, self._authority.keys)
        if not isinstance(op, Op):
            return None if op is None else (op, "")
        changes = {str(name): change for name, change in op.changes.items()}
        draft = Draft(
            seat=op.device,
            kind=op.kind,
            record=op.record,
            changes=changes,
            occurred_at=op.occurred_at,
            author=op.author,
            wall=op.wall,
        )
        return draft, op.why

    async def _scopes(self, edit: Edit) -> frozenset[ScopeName]:
        """Where the edit belongs: where its record is, or would be."""
        row = None if edit.record is None else await self._store.record(edit.record)
        if row is not None:
            return frozenset(merge.from_row(decode_row(row)).scopes())
        spec = kind_named(edit.kind)
        try:
            return UNPLACED if spec is None else frozenset(spec.build(edit.changes).scopes())
        except (msgspec.MsgspecError, UsageError, StoreError, TypeError, ValueError):
            return self._by_author(edit)

    def _by_author(self, edit: Edit) -> frozenset[ScopeName]:
        """Where an edit belongs that says too little of its record: where its author worked then."""
        registry = self._authority.ledger.registry
        closed = edit.changes.get(_COMPARTMENT)
        if closed is not None:
            known = isinstance(closed, str) and closed in registry.compartments
            return frozenset({scopes.compartment(closed)}) if known else UNPLACED
        families = _PLACED.get(edit.kind, ())
        places = posted_at(registry, edit.author, min(edit.occurred_at, edit.at))
        return UNPLACED | {place for place in places if place.partition(":")[0] in families}
