"""Clocks as spans: no gaps, what counts stands over what does not, and when an amount is reached."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis
from sync.policing.custody.intervals import FOR_EVER, Clock, Span, Why, clock, span

START = Millis(100)


def away(start: int, end: int | None, *, counts: bool = False) -> Span:
    """A stay in hospital, or questioning in it."""
    why = Why.QUESTIONED_IN_HOSPITAL if counts else Why.HOSPITAL
    return span(Millis(start), None if end is None else Millis(end), why, counts=counts)


SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.one_of(st.none(), st.integers(1, 60)), st.booleans()).map(
        lambda one: away(one[0], None if one[1] is None else one[0] + one[1], counts=one[2])
    ),
    max_size=6,
)


@given(start=st.integers(0, 60), end=st.one_of(st.none(), st.integers(0, 120)), spans=SPANS, at=st.integers(0, 130))
def test_a_clock_counts_as_one_that_looks_at_every_ms(start: int, end: int | None, spans: list[Span], at: int) -> None:
    """The spans have no gap and give what a slow clock gives that asks of each moment whether it counts."""
    found = clock(Millis(start), None if end is None else Millis(end), spans)
    for one, other in zip(found.spans, found.spans[1:], strict=False):
        assert one.end == other.start
        assert (one.counts, one.why) != (other.counts, other.why)
    slow = 0
    for moment in range(start, min(at, FOR_EVER if end is None else end)):
        over = [one.counts for one in spans if one.start <= moment < one.until]
        slow += not over or any(over)
    assert found.counted_ms(Millis(at)) == slow


@given(start=st.integers(0, 60), spans=SPANS, amount=st.integers(0, 200))
def test_an_amount_is_reached_when_that_much_has_counted(start: int, spans: list[Span], amount: int) -> None:
    """And not a ms before; a clock that stands still for ever says that it never is."""
    found = clock(Millis(start), None, spans)
    at = found.reaches(amount)
    if at is None:
        assert found.counted_ms(FOR_EVER) < amount
        return
    assert found.counted_ms(at) == amount
    if amount:
        assert found.counted_ms(Millis(at - 1)) == amount - 1


def test_what_counted_before_counts() -> None:
    """Detention in an earlier record brings the limit nearer."""
    found = clock(START, None, [], carried_ms=40)
    assert found.counted_ms(START) == 40
    assert found.reaches(50) == START + 10
    assert found.reaches(30) == START


def test_a_clock_that_ended_before_it_started_counts_nothing() -> None:
    """Somebody was charged or released before the relevant time."""
    assert clock(START, START, [away(0, 500)]) == Clock()
    assert clock(START, Millis(50), [], carried_ms=3) == Clock(carried_ms=3)


def test_it_tells_whether_it_runs() -> None:
    """At the edges too: an end is no part of its span."""
    found = clock(START, Millis(400), [away(200, 300)])
    assert [found.running(Millis(at)) for at in (99, 100, 199, 200, 299, 300, 399, 400)] == [
        *(False, True, True, False, False, True, True, False)
    ]
    assert [one.why for one in found.told_at(Millis(250))] == [Why.DETAINED, Why.HOSPITAL]
