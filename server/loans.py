"""Units go back by themselves when the time of their loan has passed, or the request that they were lent under is over.

So the area that borrowed a unit commands it for its time and no longer: with the loan the record leaves its handhelds.
While the server is unreachable a unit stays in their sight, and the handhelds tell both areas that its time has passed
(`sync.policing.handing.deployment`). What the loans are stands in the records; the task is `server.falling_due`'s.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from schemas.ids import FieldName, Millis, RecordId, ScopeName
from schemas.kinds import DeploymentRequest, Resource, spec_of
from schemas.kinds.deployment import DeploymentStatus
from server.falling_due import AUTHOR, FallingDue, Part, Wait, wait_in_real_time
from server.rule_writer import RuleWriter
from server.store import Store
from sync.merge import RecordState

_log = logging.getLogger(__name__)
_LOAN: Final = FieldName("loan")
_UNIT: Final = spec_of(Resource)
_REQUEST: Final = spec_of(DeploymentRequest)
_OVER: Final = (DeploymentStatus.ENDED, DeploymentStatus.REFUSED)


class Loans(FallingDue):
    """The task that ends them."""

    def __init__(
        self, store: Store, office: RuleWriter, now: Callable[[], Millis], wait: Wait = wait_in_real_time
    ) -> None:
        """Bind it.

        Args:
            store: where the records are.
            office: writes that a unit is back.
            now: the server's clock (ms since 1970).
            wait: how time passes.
        """
        super().__init__(store, now, wait)
        self._office = office
        self._lent: dict[RecordId, RecordId] = {}
        """Unit -> the request that it is lent under; of units that are on loan."""
        self._over: set[RecordId] = set()
        """The requests that are over."""

    def _concerns(self, kind: str) -> bool:
        return kind in {_UNIT.name, _REQUEST.name}

    def _at_start(self, scopes: Iterable[ScopeName]) -> Iterable[Part]:  # noqa: ARG002  all of them
        # The requests first: a unit whose request is over goes back as soon as it is read.
        return [(_REQUEST.name, None), (_UNIT.name, None)]

    def _moved(self, scope: ScopeName) -> Iterable[Part]:
        return [(_REQUEST.name, scope), (_UNIT.name, scope)]

    def _next(self, state: RecordState) -> Millis | None:
        record = state.build()
        if isinstance(record, DeploymentRequest):
            self._note_request(state.id, record)
            return None
        if not isinstance(record, Resource) or record.loan is None:
            self._lent.pop(state.id, None)
            return None
        if record.loan.request is not None:
            self._lent[state.id] = record.loan.request
        return self._now() if record.loan.request in self._over else Millis(record.loan.until)

    def _note_request(self, name: RecordId, request: DeploymentRequest) -> None:
        if request.status not in _OVER:
            self._over.discard(name)
            return
        self._over.add(name)
        for unit, under in self._lent.items():
            if under == name:
                self._at(unit, self._now())

    async def _do(self, record: RecordId) -> None:
        # It is read anew: it may have been lent for longer since.
        row = await self._store.record(record)
        if row is None:
            return
        if await self._office.by_rule(record, _UNIT, self._back, AUTHOR):
            _log.info("unit %s is back from its loan", record)
        else:
            self._look_again(record, row)

    def _back(self, state: RecordState | None) -> Mapping[FieldName, Any]:
        unit = None if state is None else state.build()
        if not isinstance(unit, Resource) or unit.loan is None:
            return {}
        over = unit.loan.until <= self._now() or unit.loan.request in self._over
        return {_LOAN: None} if over else {}
