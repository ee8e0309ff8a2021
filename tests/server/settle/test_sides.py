"""What one team or one area says is written by somebody of it: the server asks, whoever else may see the record."""

from typing import Any

import pytest

from schemas.ids import DeviceId, ScopeName
from schemas.roles import Role
from schemas.wire import Result
from server.commits import Submission
from server.roles import Roles
from tests.examples import LEAST
from tests.server.settle.desk import Desk, op

ASKING, LENDING = ScopeName("area:birmingham"), ScopeName("area:coventry")
RESPONSE, INVESTIGATION = ScopeName("team:response-a"), ScopeName("team:investigation-a")
SUPERVISOR = Roles(frozenset({Role.SUPERVISOR}))
OFFER = {"step": "offered", "giver": "response-a", "to": "investigation-a", "offered_at": 5, "at": 5, "why": "Done."}


def put(desk: Desk, raw: bytes, *holds: ScopeName, roles: Roles = SUPERVISOR, device: str = "hh-1") -> Result:
    """What became of an op of somebody who holds these scopes."""
    (result,) = desk.decide(Submission(DeviceId(device), frozenset(holds), (raw,), roles=roles)).results
    return result


def request(n: int, changes: dict[str, Any] | None = None, **more: Any) -> bytes:  # noqa: ANN401  fields of Op
    """An op on the request of Birmingham to Coventry."""
    made = LEAST["deployment-request"] if changes is None else changes
    return op(n, 1, made, kind="deployment-request", create=changes is None, **more)


@pytest.fixture
def desk() -> Desk:
    """A store with the request, made in Birmingham, and an incident that its response team offers."""
    desk = Desk()
    assert put(desk, request(1), ASKING).status == "durable"
    made = {**LEAST["incident"], "teams": {"add": ["response-a"]}, "passing": [OFFER]}
    assert put(desk, op(2, 2, made, create=True, saw={"teams": ()}), ASKING, RESPONSE).status == "durable"
    return desk


@pytest.mark.parametrize("changes", [{"status": "agreed"}, {"status": "refused"}, {"lent": [{"called": "Tango 4"}]}])
def test_only_the_lending_area_agrees_and_refuses(desk: Desk, changes: dict[str, Any]) -> None:
    """The area that asks sees the request and may end it; the yes is not its own to say."""
    saw = {"saw": {"status": ("hh-1/1",)}} if "status" in changes else {}
    refused = put(desk, request(3, changes, **saw), ASKING)
    assert (refused.status, refused.code) == ("refused", "op_not_entitled")
    assert "somebody of area:coventry" in refused.detail
    assert put(desk, request(4, changes, **saw), LENDING).status == "durable"


def test_either_area_ends_it_and_nothing_follows(desk: Desk) -> None:
    """An end needs nobody's leave; what is over is asked anew."""
    assert put(desk, request(3, {"status": "ended"}, saw={"status": ()}), ASKING).status == "durable"
    late = put(desk, request(4, {"status": "agreed"}, saw={"status": ("hh-1/3",)}, base=3), LENDING)
    assert (late.status, late.code) == ("refused", "op_transition")


def test_a_request_is_not_made_as_agreed(desk: Desk) -> None:
    """Whoever asks does not answer in the same breath."""
    made = {**LEAST["deployment-request"], "status": "agreed"}
    refused = put(desk, op(3, 9, made, kind="deployment-request", create=True), ASKING)
    assert (refused.status, refused.code) == ("refused", "op_not_entitled")
    assert desk.row(9) is None


def test_a_supervisor_of_the_asking_area_is_none_for_the_lending_one(desk: Desk) -> None:
    """Who sees both areas, and answers for the work of one, says yes for that one alone."""
    here = Roles(frozenset({Role.OFFICER}), {Role.SUPERVISOR: frozenset({ASKING})})
    there = Roles(frozenset({Role.OFFICER}), {Role.SUPERVISOR: frozenset({LENDING})})
    agreed = {"status": "agreed"}
    refused = put(desk, request(3, agreed, saw={"status": ()}), ASKING, LENDING, roles=here)
    assert (refused.status, refused.code) == ("refused", "op_not_entitled")
    assert put(desk, request(4, agreed, saw={"status": ()}), ASKING, LENDING, roles=there).status == "durable"


def test_hub_handover_of_response_and_investigation_is_accepted_by_the_receiver(desk: Desk) -> None:
    """Row: hub handover of response and investigation. The giver cannot accept for the other team, nor refuse."""

    def answer(n: int, step: str) -> bytes:
        return op(n, 2, {"passing": [OFFER | {"step": step, "at": 6}]})

    for n, step in ((3, "accepted"), (4, "refused")):
        refused = put(desk, answer(n, step), ASKING, RESPONSE)
        assert (refused.code, "somebody of team:investigation-a" in refused.detail) == ("op_not_entitled", True)
    taken_back = put(desk, answer(5, "withdrawn"), ASKING, INVESTIGATION)
    assert taken_back.code == "op_not_entitled"
    assert set(desk.members(INVESTIGATION)) == set(desk.members(RESPONSE))
    assert put(desk, answer(6, "accepted"), INVESTIGATION).status == "durable"
    assert desk.lost() == []


def test_a_unit_is_lent_by_those_it_belongs_to_and_given_back_by_either(desk: Desk) -> None:
    """While it is lent the other area sees it and says what it does; nobody lends what is only lent to them."""
    unit = {"category": "call-sign", "name": "Tango 4", "home": LENDING}
    assert put(desk, op(3, 3, unit, kind="resource", create=True), LENDING).status == "durable"
    loan = {"loan": {"area": "birmingham", "until": 9}}
    assert put(desk, op(4, 3, loan, kind="resource"), ASKING).code == "op_not_permitted"
    assert put(desk, op(5, 3, loan, kind="resource"), LENDING).status == "durable"
    assert set(desk.members(LENDING)) <= set(desk.members(ASKING))
    status = put(desk, op(6, 3, {"duty": {"code": 6, "at": 5}}, kind="resource"), ASKING)
    assert status.status == "durable"
    further = {"loan": {"area": "solihull", "until": 9}}
    assert put(desk, op(7, 3, further, kind="resource"), ASKING).code == "op_not_entitled"
    assert put(desk, op(8, 3, {"loan": None}, kind="resource"), ASKING).status == "durable"
    assert put(desk, op(9, 3, {"note": "x"}, kind="resource"), ASKING).code == "op_not_permitted"


def test_a_refused_side_waits_for_nothing(desk: Desk) -> None:
    """The server's own rules may write what one side says: a restore or an import is not stopped by it."""
    ruled = desk.decide(Submission(DeviceId("hh-1"), None, (request(3, {"status": "refused"}, saw={"status": ()}),)))
    assert [one.status for one in ruled.results] == ["durable"]
