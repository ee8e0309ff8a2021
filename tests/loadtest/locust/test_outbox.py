"""What a device writes bears what the page asks for, and goes up in order until it is answered."""

import msgpack
import pytest

from loadtest.locust.chain import Key, first_link
from loadtest.locust.outbox import GROWING, SIGHT, Outbox, Own
from loadtest.locust.wire import Message
from tests.loadtest.locust import paper
from tests.loadtest.locust.hearing import NOW, SEED, row

SEAT = "hh-0042"
RECORD = "019b796c-eba0-7000-8000-0000000000a1"


def box() -> Outbox:
    """An outbox in a session that has just begun."""
    made = Outbox(SEAT, Key(SEED))
    made.begin(0, {"n": 0, "link": first_link(SEAT).link})
    return made


def write(made: Outbox, changes: Message, base: Message | None = None, now: int = NOW) -> tuple[Own, Message]:
    """Write an op; it, and what it says."""
    change: Message = {"record": RECORD, "kind": "incident", "author": "WM20417", "occurred_at": now, "wall": now}
    own = made.write({**change, "changes": changes}, base, now, live=True)
    return own, msgpack.unpackb(own.body)


def entry(text: str = "Seen.") -> Message:
    """A log entry."""
    return {"log": [{"text": text}]}


def test_what_is_told_of_sight_is_what_the_page_declares() -> None:
    """Every field that the users change has its sight as the page's table of fields says."""
    for kind, told in paper.fields().items():
        for name, spec in told.items():
            if kind not in SIGHT or (kind, name) not in {(kind, each) for each in SIGHT[kind]}:
                continue
            own = [] if spec["policy"] in {"latest", "grow"} else [name]
            assert list(SIGHT[kind][name]) == own + spec.get("sees", []), (kind, name)
            for seen in SIGHT[kind][name]:
                assert (seen in GROWING) == (told[seen]["policy"] in {"grow", "tags"}), seen
    unlisted = {"incident": ("log", "deployments", "units"), "custody-booking": ("checks", "care")}
    for kind, names in unlisted.items():
        for name in names:
            spec = paper.fields()[kind][name]
            assert (spec["policy"] in {"latest", "grow"}, spec.get("sees")) == (True, None), name


@pytest.mark.parametrize(
    ("now", "seen", "hlc"), [(1000, None, (1000, 0)), (1000, (1000, 0), (1000, 1)), (1000, (5000, 2), (5000, 3))]
)
def test_the_clock_is_later_than_what_the_author_saw(
    now: int, seen: tuple[int, int] | None, hlc: tuple[int, int]
) -> None:
    """The page's own table of clock readings."""
    base = None
    if seen is not None:
        base = row(RECORD, 1)
        base["stamps"][0][2:4] = seen
    own, said = write(box(), entry(), base, now)
    assert (own.clock, tuple(said["hlc"])) == (hlc, hlc)


def test_ops_on_one_record_stand_or_fall_in_order() -> None:
    """Each names the pending one before it, and its hash; not one that is durable already."""
    made = box()
    first, said = write(made, entry())
    assert "after" not in said
    second, said = write(made, entry())
    assert (said["after"], said["after_digest"]) == (1, first.sha[:16])
    for own in (first, second):
        made.take_result({"n": own.n, "status": "durable", "seq": own.n})
    _, said = write(made, entry())
    assert "after" not in said


def test_sight_follows_own_pending_ops() -> None:
    """A state that one has changed oneself is what one sees, in the place of what one saw."""
    made, base = box(), row(RECORD, 3, status=["open", 0], arrests=[[{"name": "A"}, 0, 0]])
    _, said = write(made, {"status": "assigned"}, base)
    assert said["saw"] == {"status": ["desk-1/3"], "arrests": ["desk-1/3"], "abuse_victims": [], "assessments": []}
    assert said["base"] == 3
    _, said = write(made, {"status": "attended"}, base)
    assert said["saw"]["status"] == [f"{SEAT}/1"]


def test_a_push_is_signed_behind_its_last_op_and_offered_again_without_a_head() -> None:
    """One signature for all; what the server's chain holds already needs none."""
    made = box()
    own, _ = write(made, entry())
    write(made, entry())
    raw = made.push(1_000_000, 1.0)
    assert raw is not None
    pushed = msgpack.unpackb(raw)
    assert (len(pushed["ops"]), len(pushed["head"])) == (2, 64)
    assert made.push(1_000_000, 1.0) is None
    assert made.begin(2, {"n": 2, "link": made.head.link})
    raw = made.push(1_000_000, 2.0)
    assert raw is not None
    assert "head" not in msgpack.unpackb(raw)
    assert own.pushed_at == 2.0


def test_a_refused_op_is_given_up_with_what_was_built_on_it_and_told_of_later() -> None:
    """Nothing is pushed for ever, and the chain goes on behind it."""
    made = box()
    first, _ = write(made, entry())
    second, _ = write(made, entry())
    made.push(1_000_000, 1.0)
    made.take_result({"n": 1, "status": "refused", "code": "op_value_wrong"})
    made.take_result({"n": 2, "status": "waiting", "code": "op_value_wrong"})
    assert (first.state, second.state, made.unanswered) == ("withdrawn", "withdrawn", 0)
    own, said = write(made, entry())
    assert "after" not in said
    assert own.link.n == 3


def test_own_ops_that_were_never_sent_are_told_by_hash() -> None:
    """An op that ended before it was pushed leaves no hole in the chain."""
    made = box()
    first, _ = write(made, entry())
    made.take_result({"n": 1, "status": "refused", "code": "op_not_permitted"})
    made._unpushed.clear()
    write(made, entry())
    raw = made.push(1_000_000, 1.0)
    assert raw is not None
    assert msgpack.unpackb(raw)["unsent"] == [[1, first.sha]]


def test_another_chain_on_the_server_is_followed() -> None:
    """After another program used the seat, what the server has stands, and what was unanswered is given up."""
    made = box()
    own, _ = write(made, entry())
    assert not made.begin(9, {"n": 9, "link": b"\x09" * 32})
    assert (own.state, made.next_op, made.head.n) == ("withdrawn", 10, 9)
    _, said = write(made, entry())
    assert (said["n"], said["link"]) == (10, b"\x09" * 32)


def test_the_safe_head_is_before_the_first_unanswered_op() -> None:
    """Who goes on elsewhere goes on behind what the server is known to have."""
    made = box()
    first, _ = write(made, entry())
    write(made, entry())
    made.take_result({"n": 1, "status": "durable", "seq": 1})
    assert made.safe_head() == first.link


def test_an_op_that_waits_is_offered_again_with_the_next_row() -> None:
    """What its author saw has come: now the server may take it."""
    made = box()
    own, _ = write(made, entry())
    made.push(1_000_000, 1.0)
    made.take_result({"n": 1, "status": "waiting", "code": "op_saw_unknown"})
    assert made.push(1_000_000, 1.0) is None
    made.settle(RECORD, row(RECORD, 2))
    assert (own.state, made.push(1_000_000, 1.0) is None) == ("queued", False)


def test_an_op_that_waits_is_offered_again_in_the_next_session() -> None:
    """What it waits for may have come meanwhile, and the server has kept nothing of it."""
    made = box()
    own, _ = write(made, entry())
    made.push(1_000_000, 1.0)
    made.take_result({"n": 1, "status": "waiting", "code": "op_saw_unknown"})
    made.begin(1, {"n": 1, "link": own.link.link})
    raw = made.push(1_000_000, 2.0)
    assert raw is not None
    assert msgpack.unpackb(raw)["ops"] == [own.body]


def test_an_op_that_is_too_long_never_gets_a_number() -> None:
    """It would end every session anew."""
    made = box()
    with pytest.raises(ValueError, match="no more than"):
        write(made, entry("x" * 60_000))
    assert made.next_op == 1
