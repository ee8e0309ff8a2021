"""Why a value stands: the history of each kind of disagreement as data, and what of it an inspector reads."""

from schemas.ids import Millis, named_record_id
from schemas.kinds import CustodyBooking, Incident, Resource, Suspect
from server.escalation import missed
from server.falling_due import AUTHOR
from tests.server.disputes import BOOKING, CELL, MEDICAL
from tests.server.explaining.telling import INCIDENT, Case, fates, step
from tests.server.running import NOW


async def test_a_value_that_was_never_said_is_told_as_that(case: Case) -> None:
    """Nothing is invented; what it counts as is said."""
    told = await case.told(BOOKING, "status")
    assert (told.said, told.value, told.stands, told.steps) == (False, "arrived", "", ())
    words = await case.words(BOOKING, "status")
    assert words.startswith(
        "status of this custody-booking: nobody has said anything. It counts as arrived.\nThe rule is"
    )
    assert (await case.words(BOOKING, "offence")).startswith(
        "offence of this custody-booking: nobody has said anything.\n"
    )


async def test_latest_tells_the_chain_back_to_the_first_value(case: Case) -> None:
    """Each value with what replaced it, and whether the author of that had seen it."""
    case.a.write(BOOKING, CustodyBooking, detainee="Ann Sample")
    case.b.write(BOOKING, CustodyBooking, detainee="Anne Sample")
    await case.each(case.a, case.b)
    told = await case.told(BOOKING, "detainee")
    assert (told.value, told.stands) == ("Anne Sample", "desk-b/1")
    assert told.chain == ("desk-b/1", "desk-a/3", "desk-a/2")
    assert fates(told) == [
        ("said", "desk-a/2", "superseded"),
        ("said", "desk-a/3", "superseded"),
        ("said", "desk-b/1", "shown"),
    ]
    assert (step(told, "desk-a/2").by, step(told, "desk-a/2").seen_by) == (("desk-a/3",), ("desk-a/3", "desk-b/1"))
    assert (step(told, "desk-a/3").by, step(told, "desk-a/3").seen_by) == (("desk-b/1",), ())
    assert (step(told, "desk-b/1").over, step(told, "desk-b/1").unseen) == (("desk-a/3",), ("desk-a/3",))
    words = await case.words(BOOKING, "detainee")
    assert (
        "“Anne Sample”. DESK-B on device desk-b said so: it happened at 2023-11-14T22:12:25Z and was recorded" in words
    )
    assert "(desk-a/2), the first value." in words
    assert "It was replaced by DESK-A (desk-a/3), who had seen it." in words
    assert "It was replaced by DESK-B (desk-b/1), who had not seen it." in words


async def test_latest_tells_of_a_change_that_came_too_late_to_stand(case: Case) -> None:
    """It never stood; the one that did is named, with what its author had not seen."""
    case.a.write(BOOKING, CustodyBooking, detainee="Ann Sample")
    case.b.write(BOOKING, CustodyBooking, detainee="Anne Sample")
    await case.each(case.b, case.a)
    told = await case.told(BOOKING, "detainee")
    late = step(told, "desk-a/3")
    assert (late.fate, late.instead, late.met) == ("passed-over", "desk-b/1", ("desk-b/1",))
    words = await case.words(BOOKING, "detainee")
    assert "It never stood. What stood instead: “Anne Sample”, from DESK-B on device desk-b (desk-b/1)." in words


async def test_once_tells_what_waits_what_confirms_and_what_was_decided(case: Case) -> None:
    """From the question to the decision with its reason, and the entitled correction after it."""
    item = await case.over_time()
    confirming = case.late("desk-c", BOOKING)
    confirming.write(BOOKING, CustodyBooking, relevant_time=NOW - 200_000)
    await confirming.push()
    told = await case.told(BOOKING, "relevant_time")
    assert fates(told) == [
        ("said", "desk-b/1", "shown"),
        ("said", "desk-a/3", "waits"),
        ("said", "desk-c/1", "confirmed"),
    ]
    assert step(told, "desk-a/3").item == item
    (question,) = told.questions
    assert (question.state, question.roles, question.escalated) == ("open", ("custody-officer",), ())
    words = await case.words(BOOKING, "relevant_time")
    assert f"Inbox item {item} was opened at" in words
    assert "is not decided. It asks custody officer, by" in words
    assert "That stood already, so it changed nothing." in words

    case.clock.advance(31 * 60_000)
    await case.office.escalate(item, lambda about: missed(about, case.clock.now), AUTHOR)
    op = await case.decide(item, NOW - 100_000, "CCTV")
    told = await case.told(BOOKING, "relevant_time")
    assert (told.value, told.stands, told.chain) == (NOW - 100_000, op, (op, "desk-a/3", "desk-b/1"))
    decided = step(told, op)
    assert (decided.way, decided.fate, decided.item, decided.why) == ("decided", "shown", item, "CCTV")
    assert set(decided.over) == {"desk-a/3", "desk-b/1"}
    assert decided.unseen == ()
    assert [one.way for one in told.steps] == ["said", "said", "said", "asked", "decided"]
    words = await case.words(BOOKING, "relevant_time")
    assert "WM77 on device control-room decided so" in words
    assert "Asked as well, at" in words
    assert "and was decided by WM77 at" in words
    assert "The reason: “CCTV”." in words

    await case.b.pull(BOOKING)
    case.b.correct(BOOKING, CustodyBooking, "relevant_time", NOW - 50_000)
    await case.b.push()
    told = await case.told(BOOKING, "relevant_time")
    assert fates(told)[-1] == ("corrected", "desk-b/2", "shown")
    assert told.chain[:2] == ("desk-b/2", op)
    assert "DESK-B on device desk-b corrected it to that" in await case.words(BOOKING, "relevant_time")


async def test_highest_tells_what_stands_beside(case: Case) -> None:
    """A lowering that had not seen the raise is kept beside it."""
    case.a.write(BOOKING, CustodyBooking, risk="high")
    case.b.write(BOOKING, CustodyBooking, risk="standard")
    await case.each(case.a, case.b)
    told = await case.told(BOOKING, "risk")
    assert fates(told) == [("said", "desk-a/3", "shown"), ("said", "desk-b/1", "beside")]
    assert step(told, "desk-b/1").met == ("desk-a/3",)
    words = await case.words(BOOKING, "risk")
    assert "Its author had not seen what differed: high, from DESK-A on device desk-a (desk-a/3)." in words
    await case.share(BOOKING)
    case.b.write(BOOKING, CustodyBooking, risk="medium")
    await case.b.push()
    told = await case.told(BOOKING, "risk")
    assert [fate for *_, fate in fates(told)] == ["superseded", "superseded", "shown"]
    assert set(told.chain) == {"desk-b/2", "desk-b/1", "desk-a/3"}


async def test_grow_tells_every_entry(case: Case) -> None:
    """Each stands; none replaces another."""
    case.a.write(BOOKING, CustodyBooking, log=[{"text": "Meal."}, {"text": "Rest."}])
    case.b.write(BOOKING, CustodyBooking, log=[{"text": "Doctor called."}])
    await case.each(case.a, case.b)
    told = await case.told(BOOKING, "log")
    assert fates(told) == [("added", op, "shown") for op in ("desk-a/3", "desk-a/3", "desk-b/1")]
    words = await case.words(BOOKING, "log")
    assert words.startswith("log of this custody-booking: 3 entries.")
    assert "DESK-B on device desk-b added “Doctor called.”" in words


async def test_tags_tell_who_removed_what_and_what_stays_unseen(case: Case) -> None:
    """A removal with its author; a warning that was added unseen meanwhile stays, and it is said why."""
    violent, drugs = {"warning": "violent"}, {"warning": "drugs"}
    case.a.write(BOOKING, CustodyBooking, markers={"add": [violent, drugs]})
    await case.a.push()
    await case.share(BOOKING)
    case.a.write(BOOKING, CustodyBooking, markers={"remove": [violent, drugs]})
    case.b.write(BOOKING, CustodyBooking, markers={"add": [violent]})
    await case.each(case.b, case.a)
    told = await case.told(BOOKING, "markers")
    assert told.value == [violent]
    assert fates(told) == [
        ("added", "desk-a/3", "superseded"),
        ("added", "desk-a/3", "superseded"),
        ("added", "desk-b/1", "shown"),
        ("removed", "desk-a/4", "done"),
        ("removed", "desk-a/4", "done"),
    ]
    assert [one.by for one in told.steps[:3]] == [("desk-a/4",), ("desk-a/4",), ()]
    assert (told.steps[3].over, told.steps[3].met) == (("desk-a/3",), ("desk-b/1",))
    words = await case.words(BOOKING, "markers")
    assert "DESK-A on device desk-a added drugs" in words
    assert "It was taken away by DESK-A (desk-a/4), who had seen it." in words
    assert "DESK-A on device desk-a took violent away" in words
    assert "It stays all the same, because its author had not seen that it was added too: violent, from DESK-B" in words


async def test_state_tells_a_contested_ending_in_either_order(case: Case) -> None:
    """The closing, what it had not seen, who added that, and what is shown until somebody decides."""
    given = {"opened_at": NOW, "area": "birmingham", "category": "crime", "summary": "Fight"}
    for first in (False, True):
        record = named_record_id("incident", str(first))
        case.a.write(record, Incident, create=True, **given)  # type: ignore[arg-type]  # fields of the record
        await case.a.push()
        await case.share(record)
        closing = case.a.write(record, Incident, status="closed")
        arrest = case.b.write(record, Incident, arrests=[{"person": "Bo Example", "arrested_at": int(NOW)}])
        await case.each(*((case.a, case.b) if first else (case.b, case.a)))
        told = await case.told(record, "status")
        assert (told.value, told.stands, fates(told)) == ("attended", "", [("said", closing.id, "waits")])
        (question,) = told.questions
        (against,) = question.against
        assert (against.ending, against.entry, against.author, against.field) == (
            closing.id,
            arrest.id,
            "DESK-B",
            "arrests",
        )
        words = await case.words(record, "status")
        assert "attended. People differ, so this is the safe choice until somebody decides." in words
        assert f"had not seen what DESK-B added to arrests ({arrest.id})." in words
        op = await case.decide(question.item, "closed", "The arrest was at another address.")
        told = await case.told(record, "status")
        assert (told.value, told.stands) == ("closed", op)


async def test_a_question_that_no_change_of_the_field_led_to_is_told(case: Case) -> None:
    """A closing that was decided is contested by an arrest: no act names the item, and it is found all the same."""
    given = {"opened_at": NOW, "area": "birmingham", "category": "crime", "summary": "Fight"}
    case.a.write(INCIDENT, Incident, create=True, **given)  # type: ignore[arg-type]  # fields of the record
    await case.a.push()
    await case.share(INCIDENT)
    case.a.write(INCIDENT, Incident, status="closed")
    case.b.write(INCIDENT, Incident, arrests=[{"person": "Bo Example", "arrested_at": int(NOW)}])
    case.b.write(INCIDENT, Incident, arrests=[{"person": "Di Example", "arrested_at": int(NOW)}])
    waiting = case.b.hold_back()
    await case.each(case.a, case.b)
    (first,) = (await case.told(INCIDENT, "status")).questions
    await case.decide(first.item, "closed", "No further action.")
    case.b.send(waiting)
    await case.b.push()
    told = await case.told(INCIDENT, "status")
    assert [(question.state, len(question.against)) for question in told.questions] == [("decided", 0), ("open", 1)]


async def test_judged_tells_that_the_safe_choice_is_shown(case: Case) -> None:
    """Nobody's word stands while people differ; each of them waits."""
    await case.care("medication", ["aspirin"], ["insulin"])
    told = await case.told(MEDICAL, "medication")
    assert (told.value, told.stands, told.chain) == (["aspirin", "insulin"], "", ())
    assert [fate for *_, fate in fates(told)] == ["waits", "waits"]
    words = await case.words(MEDICAL, "medication")
    assert words.startswith("medication of this medical: aspirin and insulin. People differ")
    assert "care is given as if all of it were true." in words


async def test_claim_tells_who_holds_who_is_displaced_and_until_when(case: Case) -> None:
    """Held, displaced, given up, reserved, and a reservation whose time has passed."""
    await case.over_cell()
    told = await case.told(CELL, "hold")
    assert fates(told) == [("said", "desk-b/1", "shown"), ("said", "desk-a/3", "waits")]
    words = await case.words(CELL, "hold")
    assert "hold of this resource: held for booking-b. DESK-B on device desk-b said so" in words
    assert "DESK-A on device desk-a claimed it for booking-a" in words

    other = named_record_id("cell", "M2")
    until = case.clock.now + 3_600_000
    given = {"category": "cell", "name": "M2", "home": "suite:perry-barr", "hold": {"holder": "desk", "until": until}}
    case.a.write(other, Resource, create=True, **given)  # type: ignore[arg-type]  # fields of the record
    await case.a.push()
    words = await case.words(other, "hold")
    assert "reserved for desk until 2023-11-14T23:" in words
    assert "reserved it for desk until" in words
    assert "nobody has it now" not in words
    case.clock.now = Millis(until)
    assert "So nobody has it now." in await case.words(other, "hold")
    await case.a.pull(other)
    case.a.write(other, Resource, hold={"holder": "booking-z"})
    await case.a.push()
    await case.a.pull(other)
    case.a.write(other, Resource, hold=None)
    await case.a.push()
    told = await case.told(other, "hold")
    assert (told.value, len(told.chain)) == (None, 3)
    words = await case.words(other, "hold")
    assert "gave it up" in words
    assert "So nobody has it now." in words


async def test_the_claim_on_a_suspect_is_told_like_every_other(case: Case) -> None:
    """A kind of another module, without a word about it here."""
    record = named_record_id("suspect")
    case.a.write(record, Suspect, create=True, name="Cy Example", wanted_for="Robbery", area="birmingham")
    await case.a.push()
    await case.share(record)
    await case.differ(record, Suspect, "claimed", {"holder": "WM1"}, {"holder": "WM2"})
    words = await case.words(record, "claimed")
    assert "held for WM1" in words
    assert "so that two teams do not go in unaware." in words
