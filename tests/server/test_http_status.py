"""A victim follows their own report with a token that an officer gave them, and learns of nothing else."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from schemas.codec import decode_row, encode
from schemas.errors import UsageError
from schemas.ids import OfficerId, RecordId, ScopeName, Seq
from schemas.roles import Role
from server.commits import Submission
from server.http.callers import TooFastError
from server.http.status import DAYS, FORM_BYTES_MAX, LOOKS, UNKNOWN, StatusDesk
from server.logbook import ACT
from server.office import Draft
from server.public_status import DAY_MS, ENDED, Ended
from server.registry import acts as a
from sync import merge
from sync.policing import public
from tests.examples import HANDHELD, op
from tests.server.api import ID, client, incident, refusal
from tests.server.people import Caller, program
from tests.server.running import NOW, Running

RECORD = RecordId(ID.format(1))
ISSUE = f"/v1/incidents/{RECORD}/status-token"
END = f"{ISSUE}/revocation"
STATUS = "/v1/public/status"
PLACES = (ScopeName("area:birmingham"),)
AVA, BEN = "Ava Linden", "Ben Marsh <b>"
PEOPLE = [{"part": "victim", "name": AVA}, {"part": "victim", "name": BEN}, {"part": "accused", "name": "Sheldon"}]


def drafted(number: int = 1, **values: object) -> dict[str, Any]:
    """An incident with two victims."""
    return incident(number, people=PEOPLE, location="12 Elm Row", **values)


@pytest.fixture
async def made(server: Running, caller: Caller) -> Running:
    """The server, with one incident in it."""
    await bring(server, drafted())
    return server


async def bring(server: Running, draft: dict[str, Any]) -> None:
    """Make an incident, or change it, as an import does: what an officer must have asked first is tested elsewhere."""
    found = Draft(record=RecordId(draft["id"]), kind=draft["kind"], values=draft["values"])
    await server.beatbook.office.bring([found], OfficerId("WM1"))


async def write(server: Running, n: int, **changes: object) -> None:
    """An officer's n-th change to the incident, from a handheld."""
    said = encode(op(n, RECORD, "incident", changes, base=Seq(1)))
    (settled,) = await server.store.commit([Submission(HANDHELD, frozenset({PLACES[0]}), (said,))], server.clock.now)
    assert [one.status for one in settled.results] == ["durable"]


async def post(server: Running, caller: Caller, path: str, **body: object) -> httpx.Response:
    """What somebody is answered who posts."""
    async with client(server, caller) as http:
        return await http.post(path, json=body)


async def issue(server: Running, caller: Caller, person: str = AVA, **body: object) -> str:
    """A token."""
    answer = await post(server, caller, ISSUE, person=person, why="to keep them informed", **body)
    assert answer.status_code == 201, answer.text
    token: str = answer.json()["token"]
    return token


async def look(server: Running, token: str | None) -> httpx.Response:
    """What whoever bears a token is answered."""
    async with client(server, None) as http:
        return await http.get(STATUS, headers={} if token is None else {"Authorization": f"Bearer {token}"})


async def test_victim_tracks_their_incident(made: Running, caller: Caller) -> None:
    """The seed row: from the report over the decision to having been told, by nothing but the token."""
    token = await issue(made, caller)
    opened = 1_700_000_000_000
    first = (await look(made, token)).json()
    assert first == {
        "reference": first["reference"],
        "reported_at": opened,
        "stands": "We have your report.",
        "decided": public.UNDECIDED,
        "told_at": None,
        "next_update_at": opened + DAY_MS,
        "contact": "Birmingham",
    }
    crime = {"crime": "burglary", "type": "burglary", "offence": "Broke in", "by": "WM1", "decided_at": NOW}
    told = {"person": AVA, "outcome": "recorded", "told_at": NOW + 1}
    await write(made, 1, status="attended", crimes=[crime])
    assert (await look(made, token)).json()["next_update_at"] == NOW + 3 * DAY_MS
    await write(made, 2, victims_told=[told])
    after = (await look(made, token)).json()
    assert after["stands"] == "Officers have attended, and are still dealing with your report."
    assert (after["decided"], after["told_at"], after["next_update_at"]) == (public.RECORDED, NOW + 1, None)


async def test_it_shows_the_areas_public_name(made: Running, caller: Caller) -> None:
    """As the organisation has it, once it has it."""
    unit = a.UnitAdded(
        by=a.SERVER, at=NOW, unit="birmingham", title="Birmingham Local Policing Area", places=PLACES, start=NOW
    )
    await made.beatbook.authority.ledger.perform(unit)
    assert (await look(made, await issue(made, caller))).json()["contact"] == "Birmingham Local Policing Area"


async def test_that_it_was_given_out_is_in_the_log_first(made: Running, caller: Caller) -> None:
    """Who gave it, to whom, what for, and its hash; the token itself and the name are kept nowhere beside."""
    token = await issue(made, caller)
    acts = [a.decode(each.body) for each in await made.store.journal(ACT, 0, 500) if each.body is not None]
    (act,) = [each for each in acts if isinstance(each, a.DisclosedAt)]
    assert (act.by, act.seat, act.record, act.recipients) == ("WM1", caller.seat, RECORD, (AVA,))
    assert act.why == "to keep them informed"
    kept = await made.store.secrets("status-token")
    assert act.export.hex() in "".join(kept)
    for name, raw in kept.items():
        assert token.encode() not in name.encode() + raw
        assert AVA.encode() not in raw


async def test_what_cannot_be_logged_is_not_given_out(made: Running, caller: Caller) -> None:
    """A store that fails gives no token, and keeps none."""
    made.store.failing = OSError("disk is gone")
    answer = await post(made, caller, ISSUE, person=AVA, why="to keep them informed")
    assert answer.status_code >= 500
    made.store.failing = None
    assert await made.store.secrets("status-token") == {}


async def test_each_victim_sees_their_own(made: Running, caller: Caller) -> None:
    """A crime against one is not told to the other."""
    crime = {"crime": "theft", "type": "theft", "offence": "Took it", "victim": BEN, "by": "WM1", "decided_at": NOW}
    await write(made, 1, crimes=[crime])
    ava, ben = await issue(made, caller), await issue(made, caller, BEN)
    assert (await look(made, ava)).json()["decided"] == public.UNDECIDED
    assert (await look(made, ben)).json()["decided"] == public.RECORDED


async def test_unknown_expired_and_ended_tokens_are_answered_alike(made: Running, caller: Caller) -> None:
    """Nobody learns that there was one: same status, same words, for whatever is wrong."""
    short, ended = await issue(made, caller, days=1), await issue(made, caller)
    assert (await look(made, short)).status_code == 200
    made.clock.advance(DAY_MS - 1)
    assert (await look(made, short)).status_code == 200
    made.clock.advance(1)
    expired = await look(made, short)
    assert (await look(made, ended)).status_code == 200
    done = await post(made, caller, END, why="moved away")
    assert done.json() == {"ended": 1}
    others = [await look(made, each) for each in (ended, "A" * 43, "short", "A" * 300, "-", None)]
    assert {(each.status_code, each.text) for each in [expired, *others]} == {(404, expired.text)}
    assert UNKNOWN in refusal(expired, 404)


async def test_ending_is_logged_and_ends_every_token_of_the_incident_alone(made: Running, caller: Caller) -> None:
    """By whom and why; another incident's tokens go on; ending none is no entry."""
    await bring(made, drafted(2))
    other = await post(made, caller, ISSUE.replace(RECORD, ID.format(2)), person=AVA, why="informed")
    await issue(made, caller)
    await issue(made, caller, BEN)
    assert (await post(made, caller, END, why="a mistake")).json() == {"ended": 2}
    assert (await post(made, caller, END, why="again")).json() == {"ended": 0}
    (entry,) = await made.store.journal(ENDED, 0, 10)
    assert entry.body is not None
    said = msgspec.msgpack.decode(entry.body, type=Ended)
    assert (said.record, said.by, said.seat, said.count, said.why) == (RECORD, "WM1", caller.seat, 2, "a mistake")
    assert (await look(made, other.json()["token"])).status_code == 200


async def test_tokens_given_out_at_once_are_all_ended(made: Running, caller: Caller) -> None:
    """Two officers at the same moment lose none of the incident's list."""
    tokens = await asyncio.gather(*(issue(made, caller, person) for person in (AVA, BEN, AVA)))
    assert len(set(tokens)) == 3
    assert (await post(made, caller, END, why="all")).json() == {"ended": 3}
    assert [(await look(made, each)).status_code for each in tokens] == [404] * 3


async def test_what_has_expired_is_forgotten_when_another_is_given_out(made: Running, caller: Caller) -> None:
    """What is kept does not grow for ever."""
    await issue(made, caller, days=1)
    made.clock.advance(DAY_MS)
    await issue(made, caller)
    assert len(await made.store.secrets("status-token/")) == 1


@pytest.mark.parametrize("person", ["Sheldon", "Nobody Here"])
async def test_only_a_victim_is_given_one(made: Running, caller: Caller, person: str) -> None:
    """Not the accused, and nobody of whom the incident knows nothing."""
    answer = await post(made, caller, ISSUE, person=person, why="informed")
    refusal(answer, 422, "no victim of that name")


async def test_what_is_closed_in_a_compartment_is_shown_to_nobody(made: Running, caller: Caller) -> None:
    """A token of before shows nothing from then on, and none is given out."""
    token = await issue(made, caller)
    await write(made, 1, compartment="larch")
    assert (await look(made, token)).status_code == 404
    state = merge.from_row(decode_row(await made.store.record(RECORD) or b""))
    tokens = StatusDesk(made.beatbook).tokens
    with pytest.raises(UsageError, match="in a compartment"):
        await tokens.issue(state, AVA, by=OfficerId("WM5"), seat=caller.seat, why="informed", days=1)


async def test_only_an_incident_has_progress_to_show(made: Running, caller: Caller) -> None:
    """A briefing has no victims, whoever asks."""
    record = await made.brief()
    path = ISSUE.replace(RECORD, record)
    refusal(await post(made, caller, path, person=AVA, why="informed"), 422, "is no incident")


async def test_an_officer_gives_out_only_what_they_may_see(made: Running) -> None:
    """Of an incident elsewhere there is nothing, to give out or to end."""
    stranger = await program(made, "WM7", [Role.OFFICER], ["area:coventry"])
    for path, body in ((ISSUE, {"person": AVA, "why": "x"}), (END, {"why": "x"})):
        refusal(await post(made, stranger, path, **body), 404, "there is no incident")


async def test_nothing_but_the_allowed_is_shown(made: Running, caller: Caller) -> None:
    """No other person, no place, no officer."""
    text = (await look(made, await issue(made, caller))).text
    assert not [word for word in (AVA, "Ben", "Sheldon", "Elm", "Theft", "WM1") if word in text]


async def test_the_token_is_not_taken_from_an_address(made: Running, caller: Caller) -> None:
    """Addresses are written to logs: a good one there is refused."""
    token = await issue(made, caller)
    async with client(made, None) as http:
        refusal(await http.get(STATUS, params={"token": token}), 400, "take this one out of use")


async def test_trying_is_slow(made: Running, caller: Caller) -> None:
    """An address has so many looks and then waits; another address is not kept waiting, and a good token waits too."""
    token = await issue(made, caller)
    seconds = [0.0]
    desk = StatusDesk(made.beatbook, clock=lambda: seconds[0])
    for _ in range(int(LOOKS.burst)):
        assert await desk.show("A" * 43, "192.0.2.7") is None
    with pytest.raises(TooFastError) as refused:
        await desk.show(token, "192.0.2.7")
    assert refused.value.retry_after_ms == 1_000 / LOOKS.per_s
    assert await desk.show(token, "192.0.2.8") is not None
    seconds[0] += 1 / LOOKS.per_s
    assert await desk.show(token, "192.0.2.7") is not None


async def test_over_http_too_many_looks_are_told_when_to_come_back(made: Running) -> None:
    """429 with Retry-After, on the page as well."""
    answers = [await look(made, "A" * 43) for _ in range(3 * int(LOOKS.burst))]
    slowed = [each for each in answers if each.status_code == 429]
    assert slowed
    assert int(slowed[0].headers["retry-after"]) >= 1


async def test_an_auditor_finds_to_whom_it_was_given(made: Running, caller: Caller) -> None:
    """A search of the log tells the disclosure with its recipient, and goes on where tokens have been ended."""
    await issue(made, caller)
    await post(made, caller, END, why="moved away")
    await issue(made, caller, BEN)
    auditor = await program(made, "WM6", [Role.AUDITOR], [])
    found = await post(made, auditor, "/v1/log/searches", why="an audit", query={"record": RECORD})
    assert found.status_code == 200, found.text
    disclosed = [each for each in found.json()["events"] if each["kind"] == "disclosure"]
    assert [(each["officer"], each["recipients"]) for each in disclosed] == [("WM1", [AVA]), ("WM1", [BEN])]


# --- the page --------------------------------------------------------------------------------------------------------


async def ask_page(server: Running, **form: str) -> httpx.Response:
    """What a browser is answered that sends the form."""
    headers = {"Origin": server.url, "Content-Type": "application/x-www-form-urlencoded"}
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        return await http.post("/status", data=form, headers=headers)


async def test_the_page_asks_for_the_token_and_runs_nothing(server: Running) -> None:
    """No script, nothing from elsewhere, nothing that a browser remembers; its form may be sent with its origin."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        page = await http.get("/status")
    assert page.status_code == 200
    assert '<form method="post" action="/status">' in page.text
    assert 'autocomplete="off"' in page.text
    assert not [word for word in ("<script", "<style", "style=", "http:", "https:", " on") if f"{word}=" in page.text]
    assert "<script" not in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"


async def test_the_page_shows_the_same_in_words(made: Running, caller: Caller) -> None:
    """Days as a clock in London shows them; what there is nothing to say of is left out."""
    page = await ask_page(made, token=f" {await issue(made, caller)} ")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for words in ("<dd>14 November 2023</dd>", "<dd>15 November 2023</dd>", public.UNDECIDED, "<dd>Birmingham</dd>"):
        assert words in page.text
    assert "We told you why" not in page.text
    assert not [word for word in (AVA, "Ben", "Sheldon", "Elm", "<form") if word in page.text]


async def test_what_others_have_named_is_text_on_the_page(made: Running, caller: Caller) -> None:
    """An area that is called like a tag is shown as it is called."""
    unit = a.UnitAdded(
        by=a.SERVER, at=NOW, unit="birmingham", title="<script>x</script> & Co", places=PLACES, start=NOW
    )
    await made.beatbook.authority.ledger.perform(unit)
    page = await ask_page(made, token=await issue(made, caller))
    assert "<dd>&lt;script&gt;x&lt;/script&gt; &amp; Co</dd>" in page.text
    assert "<script" not in page.text


async def test_the_page_tells_in_words_what_is_wrong(made: Running) -> None:
    """A wrong token: the form again; too many: come back later; too long: refused."""
    wrong = await ask_page(made, token="A" * 43)
    assert (wrong.status_code, "There is no report to show" in wrong.text, "<form" in wrong.text) == (404, True, True)
    assert (await ask_page(made)).status_code == 404
    assert (await ask_page(made, token="A" * FORM_BYTES_MAX)).status_code == 413
    answers = [await ask_page(made, token="A" * 43) for _ in range(3 * int(LOOKS.burst))]
    slowed = next(each for each in answers if each.status_code == 429)
    assert "Please come back in a few minutes" in slowed.text


async def test_without_saying_otherwise_it_holds_for_three_months(made: Running, caller: Caller) -> None:
    """And never for longer than a year."""
    answer = await post(made, caller, ISSUE, person=AVA, why="informed")
    assert answer.json()["until"] == NOW + DAYS * DAY_MS
    assert (await post(made, caller, ISSUE, person=AVA, why="informed", days=366)).status_code == 400
