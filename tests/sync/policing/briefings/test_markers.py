"""Warning markers at a moment: with their source, and expired ones shown as expired."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis
from schemas.kinds.common import Marker
from schemas.settings import DEFAULTS
from sync.policing.briefings.markers import UNKNOWN_SOURCE, Hold, ending, hold, warnings

NOW = Millis(1_790_000_000_000)
SOON = DEFAULTS.briefings.marker_warn_ms
MARKERS = st.builds(
    Marker,
    warning=st.sampled_from(["violent", "dog at address", "weapons"]),
    source=st.none() | st.just("PNC"),
    expires_at=st.none() | st.integers(NOW - SOON, NOW + 3 * SOON),
)


def marker(expires_at: int | None = None, warning: str = "violent", source: str | None = "Incident 7") -> Marker:
    """A warning about somebody."""
    return Marker(warning=warning, source=source, expires_at=None if expires_at is None else Millis(expires_at))


@given(markers=st.lists(MARKERS, max_size=8))
def test_none_is_ever_left_out(markers: list[Marker]) -> None:
    """However old: what is shown are all of them, each with how it stands, those that hold before those that do not."""
    shown = warnings(markers, DEFAULTS, NOW)
    assert sorted(map(repr, markers)) == sorted(repr(one.marker) for one in shown)
    expired = [one.hold == Hold.EXPIRED for one in shown]
    assert expired == sorted(expired)
    assert all(one.source for one in shown)


def test_it_expires_at_its_moment_and_is_told_before() -> None:
    """About to expire from the force's setting on; expired at the moment itself; one without an end holds."""
    assert hold(marker(), DEFAULTS, NOW) == Hold.CURRENT
    assert hold(marker(NOW + SOON + 1), DEFAULTS, NOW) == Hold.CURRENT
    assert hold(marker(NOW + SOON), DEFAULTS, NOW) == Hold.EXPIRING
    assert hold(marker(NOW + 1), DEFAULTS, NOW) == Hold.EXPIRING
    assert hold(marker(NOW), DEFAULTS, NOW) == Hold.EXPIRED


def test_where_it_comes_from_is_always_said() -> None:
    """Also that nobody recorded it."""
    assert [one.source for one in warnings([marker()], DEFAULTS, NOW)] == ["Incident 7"]
    assert [one.source for one in warnings([marker(source=None)], DEFAULTS, NOW)] == [UNKNOWN_SOURCE]


def test_those_about_to_expire_are_listed_the_first_to_end_first() -> None:
    """For whoever says whether they still hold; what has expired already is in no such list."""
    late, early = marker(NOW + 9), marker(NOW + 3)
    assert ending([late, marker(), early, marker(NOW - 1)], DEFAULTS, NOW) == (early, late)
