"""What goes down and in which order: credit, lanes, heads, and the repair of ranges that differ."""

import msgspec
import pytest

from schemas import scopes, wire
from schemas.codec import decode_down, encode
from schemas.ids import Generation, OpNumber, ScopeName, Seq
from schemas.limits import MESSAGE_BYTES_MAX
from sync.session import Grant
from sync.session.steps import Send, WantChanges, WantPage, WantRanges
from tests.examples import AREA, SUITE, T0
from tests.sync.session.server_end import (
    BRIEFING_SCOPE,
    GEN,
    admission,
    asked,
    at,
    batch,
    ended_with,
    live,
    own,
    page,
    past_snapshots,
)


def test_nothing_is_read_without_credit_for_a_whole_message() -> None:
    """A device that acknowledges nothing costs no reads; its own answers still come."""
    one = live(credit=MESSAGE_BYTES_MAX)
    step = one.next_step()
    assert isinstance(step, WantPage)
    frame = one.page_read(step, [], "")
    assert frame is not None
    assert one.next_step() is None
    one.receive(encode(wire.Ping(id=5)), T0)
    assert own(one) == [wire.Pong(id=5, server_time=T0)]
    one.receive(encode(wire.Ack(scopes={BRIEFING_SCOPE: Seq(0)}, credit=len(frame))), T0)
    assert isinstance(one.next_step(), WantChanges)
    assert one.acked == {BRIEFING_SCOPE: 0}


def test_a_briefing_overtakes_the_pages_of_a_snapshot() -> None:
    """Between any two pages of an area, what came in the briefing lane meanwhile goes first; live changes next."""
    one = live(admission(area=at(9)), scopes=(wire.Position(scope=SUITE, gen=GEN, seq=Seq(0)),))
    page(one)
    batch(one, 0)
    first = page(one, upto="00000000-0000-8000-8000-000000000001")
    assert isinstance(first, wire.Snapshot)
    assert first.scope == AREA
    one.head_moved(SUITE, Seq(10))
    one.head_moved(BRIEFING_SCOPE, Seq(11))
    assert batch(one, 11).scope == BRIEFING_SCOPE
    assert batch(one, 10).scope == SUITE
    rest = page(one)
    assert isinstance(rest, wire.Snapshot)
    assert (rest.scope, rest.last) == (AREA, True)


def test_officer_safety_overtakes_briefings_and_snapshots() -> None:
    """Whatever waits for the device, live or from the beginning: what its safety hangs on is read next."""
    safety = scopes.safety(AREA)
    grants = admission(area=at(9), briefing=at(8)).grants
    admitted = msgspec.structs.replace(admission(), grants={**grants, safety: Grant(GEN, at(3))})
    one = live(admitted)
    whole = page(one)
    assert isinstance(whole, wire.Snapshot)
    assert whole.scope == safety, "its snapshot comes before every other"
    batch(one, 3)
    page(one)
    one.head_moved(BRIEFING_SCOPE, Seq(10))
    one.head_moved(SUITE, Seq(11))
    one.head_moved(safety, Seq(12))
    assert batch(one, 12).scope == safety
    assert batch(one, 10).scope == BRIEFING_SCOPE


def test_scopes_of_one_lane_take_turns() -> None:
    """A scope that changes all the time does not keep another of its lane waiting."""
    one = live()
    past_snapshots(one)
    one.head_moved(AREA, Seq(1))
    one.head_moved(SUITE, Seq(2))
    assert batch(one, 1).scope == AREA
    one.head_moved(AREA, Seq(3))
    assert batch(one, 2).scope == SUITE
    assert batch(one, 3).scope == AREA


def test_results_go_out_before_the_batch_that_holds_them() -> None:
    """What the shell tells first is sent first, ahead of every read."""
    one = live()
    past_snapshots(one)
    one.committed((wire.Result(n=OpNumber(1), status="durable", seq=Seq(4), scopes=(AREA,)),), 10)
    one.head_moved(AREA, Seq(4))
    step = one.next_step()
    assert isinstance(step, Send)
    assert isinstance(decode_down(step.frame), wire.Results)
    assert batch(one, 4).scope == AREA


def test_a_head_that_does_not_move_makes_no_work() -> None:
    """The same commit told twice, an older one, a scope that is not held."""
    one = live(admission(area=at(5)), scopes=(wire.Position(scope=AREA, gen=GEN, seq=Seq(5)),))
    assert one.head_moved(AREA, Seq(5)) is False
    assert one.head_moved(AREA, Seq(4)) is False
    assert one.head_moved(ScopeName("area:elsewhere"), Seq(9)) is False
    assert one.head_moved(AREA, Seq(6)) is True


def test_many_commits_are_one_batch() -> None:
    """While a device is slow its position is all that is kept: what it missed is read once."""
    one = live(credit=MESSAGE_BYTES_MAX)
    past_snapshots(one)
    one.receive(encode(wire.Ack(credit=MESSAGE_BYTES_MAX)), T0)
    past_snapshots(one)
    one.receive(encode(wire.Ack(credit=MESSAGE_BYTES_MAX)), T0)
    past_snapshots(one)
    for seq in range(1, 200):
        one.head_moved(AREA, Seq(seq))
    assert one.waiting == 0
    one.receive(encode(wire.Ack(credit=MESSAGE_BYTES_MAX)), T0)
    assert batch(one, 199).frm == 0
    past_snapshots(one)


def test_a_log_that_was_begun_is_read_to_its_end() -> None:
    """A recent commit's frame does not fit a device that is between two positions."""
    one = live(admission(area=at(9)), scopes=(wire.Position(scope=AREA, gen=GEN, seq=Seq(3)),))
    page(one)
    batch(one, 0)
    assert one.next_step() == WantChanges(AREA, GEN, Seq(3), log=True)
    batch(one, 9, ended=False)
    assert one.next_step() == WantChanges(AREA, GEN, Seq(9), log=True)
    batch(one, 12, ended=True)
    one.head_moved(AREA, Seq(13))
    assert one.next_step() == WantChanges(AREA, GEN, Seq(12), log=False)


# --- repair ----------------------------------------------------------------------------------------------------------


def test_only_the_ranges_that_differ_are_sent_and_then_confirmed() -> None:
    """The others are not read at all; an empty batch with the digest ends the repair; it is counted."""
    one = live()
    past_snapshots(one)
    cuts = [f"00000000-0000-8000-8000-00000000000{number}" for number in (1, 2)]
    repair, ours = asked(*cuts, spoilt=1)
    one.receive(encode(repair), T0)
    step = one.next_step()
    assert step == WantRanges(AREA, repair.ranges)
    assert isinstance(step, WantRanges)
    one.ranges_read(step, ours)
    assert one.next_step() == WantPage(AREA, cuts[0], cuts[1], GEN)
    sent = page(one)
    assert isinstance(sent, wire.Snapshot)
    assert (sent.after, sent.upto, sent.last, sent.repair, sent.at) == (cuts[0], cuts[1], True, True, 0)
    assert one.next_step() == WantChanges(AREA, GEN, Seq(0), log=True)
    batch(one, 0)
    assert one.next_step() is None
    assert one.repairs == 1


def test_a_long_range_is_repaired_in_pages() -> None:
    """Each page says which stretch it covers, and only the last of all says so."""
    one = live()
    past_snapshots(one)
    middle = "00000000-0000-8000-8000-000000000001"
    repair, ours = asked(spoilt=0)
    one.receive(encode(repair), T0)
    step = one.next_step()
    assert isinstance(step, WantRanges)
    one.ranges_read(step, ours)
    first, second = page(one, upto=middle), page(one)
    assert isinstance(first, wire.Snapshot)
    assert isinstance(second, wire.Snapshot)
    assert [(each.after, each.upto, each.last) for each in (first, second)] == [("", middle, False), (middle, "", True)]


def test_a_repair_where_nothing_differs_is_confirmed_at_once() -> None:
    """The device then knows that its records were right and its digest was not."""
    one = live()
    past_snapshots(one)
    repair, ours = asked(spoilt=9)
    one.receive(encode(repair), T0)
    step = one.next_step()
    assert isinstance(step, WantRanges)
    one.ranges_read(step, ours)
    assert isinstance(one.next_step(), WantChanges)


def test_live_changes_go_before_a_repair() -> None:
    """A repair is bulk: it compares, and sends, when nothing else waits."""
    one = live()
    past_snapshots(one)
    one.receive(encode(asked(spoilt=0)[0]), T0)
    one.head_moved(AREA, Seq(1))
    one.head_moved(SUITE, Seq(2))
    assert {batch(one, 1).scope, batch(one, 2).scope} == {AREA, SUITE}
    assert isinstance(one.next_step(), WantRanges)


@pytest.mark.parametrize("when", ["inside a snapshot", "of another generation"])
def test_a_repair_that_makes_no_sense_is_passed_over(when: str) -> None:
    """What it would compare is on its way anyway."""
    one = live()
    repair, _ = asked(spoilt=0)
    if when == "of another generation":
        past_snapshots(one)
        repair = msgspec.structs.replace(repair, gen=Generation(9))
    one.receive(encode(repair), T0)
    past_snapshots(one)
    assert (one.next_step(), one.repairs, ended_with(one)) == (None, 0, None)
