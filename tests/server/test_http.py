"""Every route of the HTTP side and every way it refuses; each answer is held against the OpenAPI description."""

import re

import httpx
import pytest

from schemas.errors import StoreError
from schemas.limits import PAGE_BYTES_MAX
from server.http.bodies import DRAFTS_MAX
from server.http.operations import BODY_BYTES_MAX, LIST_MAX
from server.http.routes import OPERATIONS
from tests.server.api import ID, briefing, client, described, incident, refusal
from tests.server.handheld import Handheld
from tests.server.running import Running


def filled(path: str) -> str:
    """A path with ids in place of its parameters."""
    names = {"record": ID.format(1), "item": ID.format(2), "alarm": ID.format(3), "device": "hh-1", "officer": "WM1"}
    names |= {"entry": "1", "n": "1", "seat": "hh-1-a"}
    names |= {"team": "response", "area": "birmingham", "webhook": "partner"}
    return re.sub(r"{(\w+)}", lambda found: names[found[1]], path)


# --- health and identity ---------------------------------------------------------------------------------------------


async def test_health_needs_no_token(server: Running) -> None:
    """A probe learns whether the server runs and whether it takes edits."""
    async with client(server, None) as http:
        assert (await http.get("/livez")).json()["status"] == "ok"
        ready = (await http.get("/readyz")).json()
    assert ready == {"status": "ok", "sockets": 0, "epoch": server.store.epoch}


async def test_a_server_whose_store_fails_is_not_ready_until_it_works_again(
    server: Running, http: httpx.AsyncClient
) -> None:
    """A failing commit shows in /readyz, leaves /livez alone, and the next good one ends it."""
    server.store.failing = StoreError("disk is full")
    failed = await http.post("/v1/briefings", json=briefing())
    assert "disk" not in refusal(failed, 503, "ask again")
    refusal(await http.get("/readyz"), 503)
    assert (await http.get("/livez")).status_code == 200
    server.store.failing = None
    assert (await http.post("/v1/briefings", json=briefing())).status_code == 201
    assert (await http.get("/readyz")).status_code == 200


async def test_a_stopping_server_is_not_ready(server: Running, http: httpx.AsyncClient) -> None:
    """From the goodbye on, a balancer sends nobody here."""
    await server.beatbook.say_goodbye(0)
    refusal(await http.get("/readyz"), 503)


# --- briefings -------------------------------------------------------------------------------------------------------


async def test_a_briefing_is_made_once_per_id(server: Running, http: httpx.AsyncClient) -> None:
    """The same call again makes nothing new, also when time has passed; another text changes the one that is there."""
    body = briefing(id=ID.format(1), urgent=True, classification="official-sensitive")
    first = await http.post("/v1/briefings", json=body)
    assert (first.status_code, first.json()["outcome"]) == (201, "created")
    server.clock.advance(60_000)
    again = await http.post("/v1/briefings", json=body)
    assert (again.status_code, again.json()) == (200, {"id": ID.format(1), "outcome": "same", "seq": 0})
    changed = await http.post("/v1/briefings", json={**body, "body": "Sheds and garages."})
    assert (changed.status_code, changed.json()["outcome"]) == (200, "changed")
    record = (await http.get(f"/v1/records/{ID.format(1)}")).json()
    assert record["values"]["body"] == "Sheds and garages."
    assert (record["scopes"], record["values"]["priority"]) == (["force:safety"], "officer-safety")
    assert record["stamps"]["title"]["author"] == "WM1"
    assert record["differing"] == {}
    assert len((await http.get("/v1/records?kind=briefing")).json()["records"]) == 1


async def test_a_briefing_reaches_a_connected_handheld(server: Running, http: httpx.AsyncClient) -> None:
    """What the control room issues is on its way when the call returns; an id is made when none is given."""
    server.enrol("hh-1", "area:birmingham")
    handheld = Handheld(server, "hh-1")
    await handheld.connect()
    made = (await http.post("/v1/briefings", json=briefing(audience=["area:birmingham"]))).json()
    await handheld.until(lambda: handheld.holds(made["id"]))
    handheld.disconnect()


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "truncated"),
        (b"{", 400, "truncated"),
        (b'{"title": "\xff"}', 400, "UTF-8"),
        (b'{"title": "\\ud800"}', 400, ""),
        (b"[" * 200_000 + b"]" * 200_000, 400, ""),
        (b"[]", 400, "Expected `object`"),
        (b"null", 400, "Expected `object`"),
    ],
)
async def test_a_body_that_is_not_json_is_refused(
    server: Running, http: httpx.AsyncClient, body: bytes, status: int, words: str
) -> None:
    """Whatever bytes come, the answer says where they went wrong."""
    refusal(await http.post("/v1/briefings", content=body), status, words)
    deep = b'{"records":[{"id":"' + ID.format(1).encode() + b'","kind":"incident","values":{"a":'
    refusal(await http.post("/v1/records", content=deep + b"[" * 50_000 + b"]" * 50_000 + b"}}]}"), 400)


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"title": 5}, 400, "$.title"),
        ({"title": ""}, 400, "`title` is empty"),
        ({"title": "x" * 201}, 400, "`title` is too long: give at most 200"),
        ({"body": None}, 400, "$.body"),
        ({"audience": []}, 400, "`audience` is empty"),
        ({"audience": ["Nowhere at all"]}, 400, "`audience[0]` has not its form: give a scope"),
        ({"audience": ["galaxy:far"]}, 422, "galaxy"),
        ({"audience": ["force"] * 33}, 400, "`audience` is too long: give at most 32"),
        ({"author": "WM2"}, 400, "author"),
        ({"id": "not-an-id"}, 400, "`id` has not its form: give a record's id"),
        ({"classification": "top-secret"}, 422, "classification"),
        ({"expires_at": -1}, 400, "$.expires_at"),
        ({"unknown": 1}, 400, "unknown"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(
    server: Running, http: httpx.AsyncClient, changes: dict[str, object], status: int, words: str
) -> None:
    """The caller is told which field, and nothing is made."""
    refusal(await http.post("/v1/briefings", json=briefing(**changes)), status, words)
    assert (await http.get("/v1/records?kind=briefing")).json()["records"] == []


async def test_a_missing_field_is_named(http: httpx.AsyncClient) -> None:
    """A briefing without a text is refused by name."""
    body = briefing()
    del body["body"]
    refusal(await http.post("/v1/briefings", json=body), 400, "body")


async def test_an_id_that_another_record_has_is_refused(http: httpx.AsyncClient) -> None:
    """A briefing never takes over an incident."""
    await http.post("/v1/records", json={"records": [incident(1)]})
    refusal(await http.post("/v1/briefings", json=briefing(id=ID.format(1))), 422, "op_kind_differs")


# --- records ---------------------------------------------------------------------------------------------------------


async def test_records_are_brought_to_values(server: Running, http: httpx.AsyncClient) -> None:
    """Drafts are made, changed or left alone, each told in order."""
    call = {"records": [incident(1), incident(2)]}
    first = (await http.post("/v1/records", json=call)).json()["records"]
    assert [(each["id"], each["outcome"]) for each in first] == [(ID.format(n), "created") for n in (1, 2)]
    call["records"] = [incident(2), incident(1, summary="Theft, solved"), incident(3)]
    again = (await http.post("/v1/records", json=call)).json()["records"]
    assert [each["outcome"] for each in again] == ["same", "changed", "created"]
    assert again[0]["seq"] == 0 < again[1]["seq"]


@pytest.mark.parametrize(
    ("record", "status", "words"),
    [
        ({"kind": "spaceship"}, 422, "no record kind 'spaceship'"),
        ({"values": {}}, 422, "op_field_missing"),
        ({"values": {"colour": "red"}}, 422, "op_field_unknown"),
        ({"id": "x"}, 400, "`records[0].id` has not its form: give a record's id"),
        ({"more": 1}, 400, "more"),
    ],
)
async def test_a_draft_that_cannot_be_is_refused_by_name(
    http: httpx.AsyncClient, record: dict[str, object], status: int, words: str
) -> None:
    """What is wrong with a draft is said with its record's id or place."""
    call = {"records": [{**incident(1), **record}]}
    refusal(await http.post("/v1/records", json=call), status, words)


@pytest.mark.parametrize("value", [-1, 2**53 + 1, 2**70, 1.5, "now", None, [1], {"a": 1}])
async def test_a_value_that_does_not_fit_its_field_is_refused(
    server: Running, http: httpx.AsyncClient, value: object
) -> None:
    """Numbers and shapes that a device could not read never reach the store."""
    call = {"records": [incident(1, opened_at=value)]}
    assert "opened_at" in refusal(await http.post("/v1/records", json=call), 422, ID.format(1))
    assert server.store.groups == []


@pytest.mark.parametrize("hidden", [2**70, 2**60, [[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]], {"": "x" * 60_000}])
async def test_what_no_device_could_read_is_not_committed(
    server: Running, http: httpx.AsyncClient, hidden: object
) -> None:
    """Not even inside a value whose own fields are sound."""
    draft = incident(1, log=[{"text": "Seen.", "hidden": hidden}])
    refusal(await http.post("/v1/records", json={"records": [draft]}), 422, ID.format(1))
    assert server.store.groups == []


async def test_a_record_may_stand_once_in_a_call(http: httpx.AsyncClient) -> None:
    """Two drafts of one record in a call have no order that anyone could rely on."""
    call = {"records": [incident(1), incident(1)]}
    refusal(await http.post("/v1/records", json=call), 422, "twice")


async def test_the_number_of_drafts_is_bounded(http: httpx.AsyncClient) -> None:
    """As many as the bound go in at once; one more is refused, and so is none."""
    call = {"records": [incident(n) for n in range(DRAFTS_MAX)]}
    assert len((await http.post("/v1/records", json=call)).json()["records"]) == DRAFTS_MAX
    call["records"] = [incident(n) for n in range(DRAFTS_MAX + 1)]
    refusal(await http.post("/v1/records", json=call), 400, f"`records` is too long: give at most {DRAFTS_MAX}")
    refusal(await http.post("/v1/records", json={"records": []}), 400, "`records` is empty")


async def test_a_body_that_is_too_long_is_refused(http: httpx.AsyncClient) -> None:
    """The server stops reading at the bound."""
    for path in ("/v1/briefings", "/v1/records"):
        refusal(await http.post(path, content=b" " * (BODY_BYTES_MAX + 1)), 413, str(BODY_BYTES_MAX))


async def test_records_are_paged_to_the_last(http: httpx.AsyncClient) -> None:
    """Following `next` gives every record of the kind once, in order; the last page says so."""
    drafts = [incident(n) for n in range(25)]
    await http.post("/v1/records", json={"records": drafts})
    await http.post("/v1/briefings", json=briefing())
    for limit in (1, 7, 25, 26):
        assert await listed(http, limit) == [draft["id"] for draft in drafts]


async def listed(http: httpx.AsyncClient, limit: int) -> list[str]:
    """Ids of all incidents, page by page."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await http.get("/v1/records", params={"kind": "incident", "limit": limit, "after": after})).json()
        assert len(page["records"]) <= limit
        found += [record["id"] for record in page["records"]]
        after = page["next"]
    return found


async def test_a_page_of_large_records_leaves_none_out(http: httpx.AsyncClient) -> None:
    """A page that ends before its limit, because the records are large, still tells where to go on."""
    drafts = [incident(n, summary="x" * 4_000) for n in range(2 * PAGE_BYTES_MAX // 4_000)]
    await http.post("/v1/records", json={"records": drafts})
    assert await listed(http, LIST_MAX) == [draft["id"] for draft in drafts]


async def test_records_are_listed_by_scope(http: httpx.AsyncClient) -> None:
    """Only those in the scope come; a scope that is none holds none."""
    await http.post("/v1/records", json={"records": [incident(1), incident(2, area="coventry")]})
    for scope, expected in (("area:coventry", [ID.format(2)]), ("no scope at all!", []), ("", [])):
        page = (await http.get("/v1/records", params={"kind": "incident", "scope": scope})).json()
        assert [record["id"] for record in page["records"]] == expected
        assert page["next"] is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "kind=''"),
        ("kind=spaceship", "spaceship"),
        ("kind=incident&limit=0", "limit='0'"),
        (f"kind=incident&limit={LIST_MAX + 1}", f"1 to {LIST_MAX}"),
        ("kind=incident&limit=-1", "limit"),
        ("kind=incident&limit=ten", "limit"),
        ("kind=incident&limit=", "limit"),
        ("kind=incident&limit=%C2%B2", "limit"),
        ("kind=incident&limit=" + "9" * 5_000, "limit"),
        ("kind=incident&after=x", "after='x'"),
    ],
)
async def test_a_query_that_cannot_be_is_refused(http: httpx.AsyncClient, query: str, words: str) -> None:
    """The parameter at fault is named with what it takes."""
    refusal(await http.get(f"/v1/records?{query}"), 422, words)


async def test_one_record_is_told_with_who_wrote_it(http: httpx.AsyncClient) -> None:
    """Values, attribution, entries of a log, and what was said differently."""
    await http.post("/v1/records", json={"records": [incident(1, log=[{"text": "Seen."}])]})
    record = (await http.get(f"/v1/records/{ID.format(1)}")).json()
    assert record["values"]["log"] == [{"text": "Seen."}]
    assert record["stamps"]["summary"]["op"].startswith("control-room/")
    assert [entry["author"] for entry in record["stamps"]["log"]] == ["WM1"]


@pytest.mark.parametrize("record", [ID.format(9), "x", "..%2F..%2Fetc", "%00"])
async def test_a_record_that_is_not_there_is_not_found(http: httpx.AsyncClient, record: str) -> None:
    """An id of whatever form is answered the same way."""
    refusal(await http.get(f"/v1/records/{record}"), 404)


# --- everything else -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nowhere", "/v1/records/", "/v1/sync", "/livez/x", "/%2e%2e/"])
async def test_a_path_that_is_none_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    """Also there the answer is a problem detail."""
    answer = await http.get(path)
    assert described("GET", path) is None
    refusal(answer, 404)


@pytest.mark.parametrize("path", sorted({operation.path for operation in OPERATIONS}))
async def test_another_method_is_refused_with_those_that_are_allowed(http: httpx.AsyncClient, path: str) -> None:
    """A 405 names every method of the path (RFC 9110 section 15.5.6)."""
    methods = {operation.method for operation in OPERATIONS if operation.path == path}
    answer = await http.delete(filled(path))
    refusal(answer, 405)
    allowed = {method.strip() for method in answer.headers["allow"].split(",")}
    assert allowed - {"HEAD"} == methods


async def test_a_head_request_is_answered_without_a_body(server: Running) -> None:
    """A probe may ask for the head only."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        answer = await http.head("/readyz")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_store_that_fails_under_a_read_is_told(server: Running, http: httpx.AsyncClient) -> None:
    """A read that fails is no empty result."""
    server.store.failing = StoreError("disk is gone")
    assert "disk" not in refusal(await http.get(f"/v1/records/{ID.format(1)}"), 503)


async def test_a_defect_is_told_as_a_problem_and_shows_nothing_of_the_inside(
    server: Running, http: httpx.AsyncClient
) -> None:
    """What nobody foresaw is a 500 without its text, and the server goes on."""
    server.store.failing = RuntimeError("inner text")
    assert "inner" not in refusal(await http.get(f"/v1/records/{ID.format(1)}"), 500)
    refusal(await http.post("/v1/briefings", json=briefing()), 503)
    server.store.failing = None
    assert (await http.post("/v1/briefings", json=briefing())).status_code == 201
