"""A detainee is taken to another suite: their medical record goes along, whoever wrote what without sight of whom."""

from typing import Any

import pytest

from schemas.ids import FieldName, Millis, ScopeName
from tests.server.settle.desk import BOOKING, NOW, OLDBURY, Desk, name, op, record

HERE, THERE = ScopeName("suite:perry-barr:medical"), ScopeName("suite:oldbury:medical")
RIGHTS = frozenset({HERE, THERE, ScopeName(f"{HERE}:inbox"), OLDBURY, ScopeName("suite:perry-barr")})
SUITE, ALLERGIES = FieldName("suite"), FieldName("allergies")
MEDICAL = {"booking": record(1), "suite": "perry-barr", "medication": ["insulin"]}


def booking(n: int, **more: Any) -> bytes:  # noqa: ANN401  fields of Op
    """The op that makes the booking."""
    return op(n, 1, BOOKING, kind="custody-booking", create=True, **more)


def transfer(n: int, to: str = "oldbury", **more: Any) -> bytes:  # noqa: ANN401  fields of Op
    """The op that takes the person to another suite, by a desk that knows nothing of their health."""
    return op(n, 1, {"suite": to}, kind="custody-booking", **({"device": "hh-2"} | more))


def medical(n: int, **more: Any) -> bytes:  # noqa: ANN401  fields of Op
    """The op that makes the medical record, in the suite where its author believes the person to be."""
    return op(n, 2, dict(MEDICAL), kind="medical", create=True, **({"device": "hh-3"} | more))


@pytest.fixture
def desk() -> Desk:
    """A store without records."""
    return Desk()


def submit(desk: Desk, raw: bytes, device: str = "hh-1", **more: Any) -> None:  # noqa: ANN401  as Desk.submit
    """Commit one op, which is taken."""
    result = desk.one(raw, device=device, **({"scopes": RIGHTS} | more))
    assert (result.status, result.detail) == ("durable", "")


def test_a_transfer_takes_the_medical_record_along_in_the_same_commit(desk: Desk) -> None:
    """Its scope, its version and every replica of it change together with the booking's."""
    submit(desk, booking(1))
    submit(desk, medical(1), "hh-3")
    settled = desk.submit(transfer(1), device="hh-2", scopes=frozenset({ScopeName("suite:perry-barr")}), now=NOW + 5)
    assert {row.record for row in settled.rows} == {record(1), record(2)}
    assert desk.values(2)["suite"] == "oldbury"
    assert desk.members(THERE) == {record(2): settled.seq}
    assert desk.members(HERE) == {}
    assert {change.scope for change in settled.scopes} >= {HERE, THERE}
    assert desk.stamp(2, "suite").op == name("hh-2", 1)
    assert desk.lost() == []


@pytest.mark.parametrize("order", ["booking transfer medical", "booking medical transfer", "medical booking transfer"])
def test_the_order_of_arrival_does_not_decide_where_a_medical_record_is(desk: Desk, order: str) -> None:
    """Also when it was made later, at the suite that its author believed in; what each author said is accounted for."""
    ops = {
        "booking": (booking(1), "hh-1"),
        "transfer": (transfer(1, hlc=(NOW + 60_000, 0)), "hh-2"),
        "medical": (medical(1, hlc=(NOW + 120_000, 0)), "hh-3"),
    }
    for each in order.split():
        submit(desk, *ops[each])
    assert desk.values(2)["suite"] == desk.values(1)["suite"] == "oldbury"
    assert set(desk.members(THERE)) == {record(2)}
    assert desk.lost() == []


def test_a_medical_record_made_in_the_commit_that_moves_the_person_goes_along(desk: Desk) -> None:
    """A group of ops is one transaction: what it made a moment ago is moved by what follows."""
    submit(desk, booking(1))
    ops = [op(2, 2, dict(MEDICAL), kind="medical", create=True), transfer(3, device="hh-1")]
    settled = desk.submit(*ops, scopes=RIGHTS)
    assert [result.status for result in settled.results] == ["durable", "durable"]
    assert desk.values(2)["suite"] == "oldbury"
    assert HERE not in {change.scope for change in settled.scopes}
    assert desk.lost() == []


def test_what_is_asked_about_a_medical_record_goes_along_too(desk: Desk) -> None:
    """Those who may decide are the custody officers of the suite where the person is."""
    submit(desk, booking(1))
    submit(desk, medical(1), "hh-3")
    for device, value in (("hh-4", ["nuts"]), ("hh-5", ["latex"])):
        submit(desk, op(1, 2, {"allergies": value}, kind="medical", device=device, saw={ALLERGIES: ()}), device)
    submit(desk, transfer(1), "hh-2")
    item = desk.item(2, "allergies")
    assert item is not None
    assert item.places == (THERE,)
    assert desk.lost() == []


def test_a_medical_record_does_not_stay_where_somebody_puts_it_by_hand(desk: Desk) -> None:
    """It is where the person is: a suite written into it alone gives way to the booking's, and says to what."""
    submit(desk, booking(1))
    submit(desk, medical(1), "hh-3")
    submit(desk, op(2, 2, {"suite": "oldbury"}, kind="medical", device="hh-3", hlc=(NOW + 9_000, 0)), "hh-3")
    assert desk.values(2)["suite"] == "perry-barr"
    assert [act.stands for act in desk.acts("hh-3", 2)] == [name("hh-1", 1)]
    assert desk.lost() == []


def test_a_transfer_that_gives_way_to_a_later_one_takes_nothing_along(desk: Desk) -> None:
    """Two desks took the person to two suites without sight of each other: both records end at the later's."""
    submit(desk, booking(1))
    submit(desk, medical(1), "hh-3")
    submit(desk, transfer(1, hlc=(NOW + 90_000, 0)), "hh-2")
    submit(desk, transfer(1, "bloxwich", device="hh-6", hlc=(NOW + 30_000, 0)), "hh-6")
    assert desk.values(1)["suite"] == desk.values(2)["suite"] == "oldbury"
    assert desk.lost() == []


def test_a_medical_record_without_its_booking_stands_where_it_was_made(desk: Desk) -> None:
    """The booking is still on a device without signal; nothing is refused, and nothing guessed."""
    submit(desk, medical(1), "hh-3")
    assert desk.values(2)["suite"] == "perry-barr"
    assert desk.stamp(2, "suite").ms == Millis(NOW)
