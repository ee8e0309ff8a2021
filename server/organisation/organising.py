"""An organisation's files compared with a running server, and brought into it: all of it, or nothing.

Every act is first tried on a copy of the registry, so that what it refuses is told with the line that asks for it. Then
acts and cells are handed in together; where cells are so many that the store takes several transactions, the acts come
with the last, and the same call after a power cut does the rest. Whoever asks is the author of each: an administrator,
or `server` where the server's own configuration names the files.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from schemas.codec import decode_row
from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Millis, OfficerId
from schemas.kinds import Resource, spec_of
from schemas.limits import PAGE_ROWS_MAX
from schemas.ops import Op
from server.authority.ledger import Ledger
from server.falling_due import AUTHOR
from server.organisation.cells import CellChange, cell_changes
from server.organisation.checking import require_sound
from server.organisation.definition import SHOWN_MAX, OrganisationError, OrganisationTold, Problem
from server.organisation.planning import Changes, Step, changes_of
from server.organisation.reading import read_organisation
from server.redaction import Particulars
from server.registry import Registry
from server.registry.acts import SERVER, SpanEnded
from server.rule_writer import RuleWriter, check_durable
from server.store import Store
from sync import merge

_log = logging.getLogger(__name__)
_SPEC: Final = spec_of(Resource)
_TOLD_BY: Final = "`beatbook organisation {way} {path}` tells what"


class Plan(msgspec.Struct, frozen=True):
    """What the files would change, or have changed.

    Attributes:
        changes: of the registry.
        cells: of the records.
    """

    changes: Changes
    cells: tuple[CellChange, ...]

    @property
    def steps(self) -> tuple[Step | CellChange, ...]:
        """All of it, in the order in which it is done."""
        return (*self.changes.steps, *self.cells)


class Organising:
    """Compares and applies organisations at one running server."""

    def __init__(self, store: Store, ledger: Ledger, writer: RuleWriter, now: Callable[[], Millis]) -> None:
        """Bind it: records are read in the store, acts go through the ledger, ops are made by the writer."""
        self._store = store
        self._ledger = ledger
        self._writer = writer
        self._now = now

    async def plan(self, organisation: OrganisationTold, by: str) -> Plan:
        """What would change. Nothing does.

        Args:
            organisation: what the files say.
            by: who asks: nobody changes their own rights.

        Raises:
            OrganisationError: it cannot be done as it is; with every problem that was found.
            StoreError: the store failed.
        """
        trial = await self._ledger.trial()
        # A whole force takes a second to compare: the sockets are not kept waiting for it.
        changes = await asyncio.to_thread(_compared, trial, organisation, by, self._now())
        cells = [] if organisation.cells is None else await self._cells(organisation)
        return Plan(changes, tuple(cells))

    async def apply(self, organisation: OrganisationTold, by: str, seat: DeviceId | None = None) -> Plan:
        """Do it, all or nothing; what sessions hold follows at once. The same again changes nothing.

        Args:
            organisation: what the files say.
            by: who does it: an officer, or `server`.
            seat: where they are; None for nowhere.

        Returns:
            What was changed.

        Raises:
            OrganisationError: it cannot be done as it is. Nothing was done.
            UsageError: somebody else has changed something meanwhile; the same call again says what is left.
            StoreError: the store failed; the same call again is safe.
        """
        plan = await self.plan(organisation, by)
        if not plan.steps:
            return plan
        author = AUTHOR if by == SERVER else OfficerId(by)
        ops = [self._op(cell, author, seat) for cell in plan.cells]
        await self._ledger.perform(*(step.act for step in plan.changes.steps), ops=ops)
        for op in ops:
            kept = await self._store.op(op.device, op.n)
            assert kept is not None, "it was committed"
            check_durable(op, kept.result)
        return plan

    def _op(self, cell: CellChange, author: OfficerId, seat: DeviceId | None) -> Op:
        return self._writer.draft(cell.record, _SPEC, cell.state, cell.changes, author, seat)

    async def _cells(self, organisation: OrganisationTold) -> list[CellChange]:
        states: list[merge.RecordState] = []
        after = ""
        while rows := await self._store.records(_SPEC.name, None, after, PAGE_ROWS_MAX):
            states += [merge.from_row(decode_row(row)) for row in rows]
            after = states[-1].id
        return cell_changes(organisation.force, organisation.cells or (), states)


def _compared(trial: Registry, organisation: OrganisationTold, by: str, now: Millis) -> Changes:
    """What would change a registry of one's own, once it has been tried there.

    Raises:
        OrganisationError: it cannot be done as it is.
    """
    require_sound(organisation)
    changes = changes_of(trial, organisation, by, now)
    _try(trial, changes, by)
    return changes


def _try(trial: Registry, changes: Changes, by: str) -> None:
    """Do the acts on a registry of one's own.

    Raises:
        OrganisationError: the first that cannot be, with where it stands.
    """
    for step in changes.steps:
        # What is done to somebody's own rights, somebody else does: then two know of it.
        ended = trial.spans.get(step.act.span) if isinstance(step.act, SpanEnded) else None
        whose = getattr(step.act if ended is None else ended.act, "officer", None)
        if whose == by:
            wrong = f"{step.what}: nobody changes their own rights; another administrator applies this"
            raise OrganisationError([Problem(step.where, wrong)])
        try:
            trial.check(step.act)
        except UsageError as error:
            raise OrganisationError([Problem(step.where, str(error))]) from None
        trial.apply(step.act)


async def organise(organising: Organising, path: Path) -> bool:
    """Have the server's own files applied, and say in the log what came of it. Bad files change nothing.

    Args:
        organising: at which server.
        path: the TOML file.

    Returns:
        Whether the server is as the files say.
    """
    try:
        organisation = await asyncio.to_thread(read_organisation, path)
        plan = await organising.apply(organisation, SERVER)
    except OrganisationError as error:
        # Where, and not what: that quotes a line of a table of officers.
        for one in error.problems[:SHOWN_MAX]:
            _log.error("the organisation was not changed, it stays as it was: %s: %s", one.where, Particulars(one.what))
        _log.error("the organisation: %d problems; %s", len(error.problems), _TOLD_BY.format(way="check", path=path))
        return False
    except (UsageError, StoreError) as error:
        _log.error("the organisation was not changed, it stays as it was: %s", error)
        return False
    for note in plan.changes.notes:
        _log.warning("the organisation: %s: not as it is here, which is kept: %s", note.where, Particulars(note.what))
    if plan.changes.notes:
        _log.warning("the organisation: %s", _TOLD_BY.format(way="plan", path=path))
    _log.info("the organisation's files were read: %d changes", len(plan.steps))
    return True
