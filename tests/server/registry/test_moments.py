"""The index of moments answers as a list of everything would."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis
from server.registry.moments import Moments

AT = st.integers(0, 20)
STEPS = st.lists(st.tuples(st.sampled_from(["add", "drop", "ask"]), AT, st.sampled_from("abc")), max_size=80)


@given(steps=STEPS)
def test_the_index_is_what_a_list_would_be(steps: list[tuple[str, int, str]]) -> None:
    """Whatever is added, taken back and asked in between."""
    moments: Moments[str] = Moments()
    kept: list[tuple[int, str]] = []
    for what, at, whom in steps:
        if what == "add":
            moments.add(Millis(at), whom)
            kept.append((at, whom))
        elif what == "drop" and (at, whom) in kept:
            moments.drop(Millis(at), whom)
            kept.remove((at, whom))
        elif what == "ask":
            assert moments.after(Millis(at)) == min((one for one, _ in kept if one > at), default=None)
            upto = at + len(whom) * 3
            expected = {who for one, who in kept if at < one <= upto}
            assert moments.between(Millis(at), Millis(upto)) == expected
            assert moments._empty == sum(not whom for whom in moments._whom.values())


def test_what_has_no_end_is_no_moment() -> None:
    """Until further notice is nothing to wait for."""
    moments: Moments[str] = Moments()
    moments.add(None, "a")
    moments.drop(None, "a")
    assert moments.after(Millis(0)) is None


def test_moments_that_concern_nobody_are_forgotten() -> None:
    """A force that ends every shift early does not carry all its old ends for ever."""
    moments: Moments[str] = Moments()
    for at in range(1_000):
        moments.add(Millis(at), "a")
    for at in range(999):
        moments.drop(Millis(at), "a")
    assert moments.after(Millis(0)) == 999
    assert len(moments._times) == len(moments._whom) == 1
