"""A rule about one record that speaks of another: the replica brings it what this device shows of that one."""

from collections.abc import Mapping

import pytest

from schemas.ids import FieldName, RecordId
from schemas.kinds import KINDS
from sync.policing.rulebook import RuleError
from tests.sync.replica.handhelds import FACTS, A, B, Handheld

CELL = {"category": "cell", "name": "M7", "home": "suite:perry-barr"}
CHILD = {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": 5, "juvenile": "under-18"}
WHY = {"at": 6, "what": "cell-for-child", "note": "No other secure room free."}


def _makes(
    handheld: Handheld, record: RecordId, kind: str, values: Mapping[str, object], *, create: bool = True
) -> None:
    changes = {FieldName(name): value for name, value in values.items()}
    handheld.replica.write(record, KINDS[kind], changes, FACTS, create=create)


def test_a_cell_for_a_child_is_asked_about_with_no_signal(handheld: Handheld) -> None:
    """The booking was written on this device and nobody else has it yet: its pending ops count."""
    _makes(handheld, A, "custody-booking", CHILD)
    _makes(handheld, B, "resource", CELL)
    with pytest.raises(RuleError) as refused:
        _makes(handheld, B, "resource", {"hold": {"holder": str(A)}}, create=False)
    assert [breach.rule for breach in refused.value.breaches] == ["custody-child-cell"]
    _makes(handheld, A, "custody-booking", {"care": [WHY]}, create=False)
    _makes(handheld, B, "resource", {"hold": {"holder": str(A)}}, create=False)
