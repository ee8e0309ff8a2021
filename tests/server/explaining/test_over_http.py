"""A history and its explanation as a program gets them."""

import httpx
import pytest

from schemas.ids import named_record_id
from schemas.kinds import CustodyBooking
from tests.server.api import refusal
from tests.server.disputes import BOOKING, Disputes
from tests.server.running import NOW


async def test_an_explanation_is_given_as_words_and_as_data(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """Of one field, or of all of which anything was said; what cannot be is named."""
    await disputes.over_time()
    path = f"/v1/records/{BOOKING}/explanation"
    one = (await http.get(path, params={"field": "relevant_time"})).json()
    (field,) = one["fields"]
    assert field["history"]["stands"] == "desk-b/1"
    assert field["words"][0].startswith("relevant time of this custody-booking: 2023-11-14T22:10:00Z. DESK-B on device")
    every = (await http.get(path)).json()
    assert [each["history"]["field"] for each in every["fields"]] == [
        "suite",
        "detainee",
        "arrested_at",
        "relevant_time",
    ]
    assert refusal(await http.get(path, params={"field": "colour"}), 422, "field='colour': a custody-booking has suite")
    refusal(await http.get(f"/v1/records/{named_record_id('nobody')}/explanation"), 404)
    refusal(await http.get("/v1/records/x/explanation"), 404)


async def test_a_history_has_every_op_with_its_result(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """Refused ones too, both times, what each did; and pages leave nothing out."""
    item = await disputes.over_time()
    late = disputes.late("desk-c")
    late.write(
        BOOKING, CustodyBooking, create=True, suite="perry-barr", detainee="Ann Example", arrested_at=NOW, why="Again."
    )
    await late.push()
    path = f"/v1/records/{BOOKING}/history"
    made, first, second, refused = (await http.get(path)).json()["ops"]
    assert (made["op"], made["create"], made["acts"], made["status"]) == ("desk-a/2", True, [], "durable")
    assert (first["author"], first["changes"]) == ("DESK-B", {"relevant_time": NOW - 200_000})
    assert first["recorded_at"] > first["clock"] > first["wall"] > first["occurred_at"]
    assert second["acts"] == [
        {
            "record": BOOKING,
            "field": "relevant_time",
            "stands": "desk-b/1",
            "met": ["desk-b/1"],
            "item": item,
        }
    ]
    assert second["stands"] == {"relevant_time": "desk-b/1"}
    assert (refused["status"], refused["code"], refused["why"]) == ("refused", "op_record_exists", "Again.")
    paged: list[int] = []
    after: int | None = 0
    while after is not None:
        page = (await http.get(path, params={"after": after, "limit": 1})).json()
        paged += [op["place"] for op in page["ops"]]
        after = page["next"]
    assert paged == [op["place"] for op in (made, first, second, refused)]
    assert paged == sorted(set(paged))


@pytest.mark.parametrize(
    ("query", "words"), [("limit=0", "limit='0'"), ("after=x", "after='x'"), ("after=-1", "after='-1'")]
)
async def test_a_query_of_a_history_that_cannot_be_is_refused(http: httpx.AsyncClient, query: str, words: str) -> None:
    """The parameter at fault is named; a record that is not there is told as that."""
    path = f"/v1/records/{named_record_id('nobody')}/history"
    refusal(await http.get(f"{path}?{query}"), 422, words)
    refusal(await http.get(path), 404)
