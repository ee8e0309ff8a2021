"""What a device holds of the server's: members, digests, pages, and what goes when a scope goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.locust.chain import Digest
from loadtest.locust.replica import Place, Replica
from loadtest.locust.wire import Message, ProtocolError
from tests.loadtest.locust.hearing import EPOCH, row

IDS = [f"019b796c-eba0-7000-8000-{number:012x}" for number in range(40)]


def plan(scope: str, seq: int = 1, **more: object) -> Message:
    """A plan `snapshot`."""
    return {"scope": scope, "gen": 1, "action": "snapshot", "seq": seq, "count": 0, **more}


def page(scope: str, *rows: Message, after: str = "", upto: str = "", last: bool = True, **more: object) -> Message:
    """A page."""
    told: Message = {"t": "snapshot", "scope": scope, "gen": 1, "at": 1, "after": after, "upto": upto}
    return {**told, "rows": list(rows), "last": last, **more}


def holding(*scopes: str) -> Replica:
    """A replica whose scopes have come, each with the first record."""
    made = Replica()
    made.take_welcome(EPOCH, [plan(scope) for scope in scopes])
    for scope in scopes:
        made.take_page(page(scope, row(IDS[0], 1)))
    return made


@given(st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 5))))
def test_a_kept_digest_is_that_of_the_members(steps: list[tuple[str, int]]) -> None:
    """Whatever came and went (version 0 stands for going), it is the sum over what is there."""
    place = Place(1, 1)
    for record, version in steps:
        if version:
            place.put(record, version)
        else:
            place.pop(record)
    anew = Digest()
    for record, version in place.members.items():
        anew.add(record, version)
    assert place.digest() == anew.value()


@given(st.sets(st.sampled_from(IDS)))
def test_ranges_cover_every_member_once(members: set[str]) -> None:
    """What REPAIR compares has neither holes nor overlaps."""
    place = Place(1, 1)
    for record in members:
        place.put(record, 1)
    ranges = place.ranges()
    assert (ranges[0]["after"], ranges[-1]["upto"]) == ("", "")
    assert [each["upto"] for each in ranges[:-1]] == [each["after"] for each in ranges[1:]]
    assert sum(each["count"] for each in ranges) == len(members)


def test_a_row_stays_as_long_as_any_scope_holds_it() -> None:
    """Leaving one scope is not leaving the device."""
    made = holding("area:dudley", "team:operations")
    assert made.drop("area:dudley") == 0
    assert IDS[0] in made.rows
    assert made.drop("team:operations") == 1
    assert made.rows == {}


def test_an_older_row_of_a_slower_scope_replaces_nothing() -> None:
    """Versions decide which copy is newer; membership is kept all the same."""
    made = holding("area:dudley", "team:operations")
    told: Message = {"scope": "area:dudley", "gen": 1, "from": 1, "to": 5, "rows": [row(IDS[0], 5)]}
    made.take_batch(told)
    made.take_batch({**told, "scope": "team:operations", "to": 4, "rows": [row(IDS[0], 4)]})
    assert made.rows[IDS[0]]["v"] == 5
    assert made.places["team:operations"].members[IDS[0]] == 4


def test_pages_follow_each_other_and_clear_their_stretch() -> None:
    """A record that a page leaves out of its stretch is gone; a page out of turn is a gap."""
    made = holding("area:dudley")
    made.places["area:dudley"].put(IDS[5], 1)
    made.take_plan({**plan("area:dudley", 1), "gen": 1})
    with pytest.raises(ProtocolError, match="gap"):
        made.take_page(page("area:dudley", after=IDS[3]))
    made.take_page(page("area:dudley", row(IDS[0], 1), upto=IDS[3], last=False))
    assert made.places["area:dudley"].after == IDS[3]
    made.take_page(page("area:dudley", row(IDS[7], 1), after=IDS[3]))
    assert set(made.places["area:dudley"].members) == {IDS[0], IDS[7]}
    assert made.places["area:dudley"].after is None


def test_a_snapshot_goes_on_where_it_was_cut() -> None:
    """The same plan again resumes behind the last page."""
    made = Replica()
    made.take_welcome(EPOCH, [plan("area:dudley")])
    made.take_page(page("area:dudley", row(IDS[0], 1), upto=IDS[3], last=False))
    assert made.positions() == [{"scope": "area:dudley", "gen": 1, "seq": 1, "after": IDS[3]}]
    made.take_welcome(EPOCH, [plan("area:dudley")])
    assert made.places["area:dudley"].after == IDS[3]
    made.take_welcome(EPOCH, [plan("area:dudley", seq=2)])
    assert made.places["area:dudley"].after == ""


def test_what_is_not_held_is_passed_over() -> None:
    """A message about another scope or generation changes nothing."""
    made = holding("area:dudley")
    assert made.take_batch({"scope": "area:walsall", "gen": 1, "from": 1, "to": 2}) is None
    assert made.take_batch({"scope": "area:dudley", "gen": 2, "from": 1, "to": 2}) is None
    with pytest.raises(ProtocolError, match="not_welcome"):
        made.take_plan({"scope": "area:walsall", "gen": 1, "action": "resume"})
