"""What is published of a position: a place that stands for all around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kinds.common import Position
from schemas.settings.powers import MapPoint, PowerSettings
from server.exporting.places import metres, published

POSITIONS = st.builds(
    Position,
    longitude=st.floats(-180, 180, allow_nan=False),
    latitude=st.floats(-90, 90, allow_nan=False),
)
NEAR_BIRMINGHAM = st.builds(
    Position, longitude=st.floats(-2.2, -1.5, allow_nan=False), latitude=st.floats(52.3, 52.7, allow_nan=False)
)
PARK = MapPoint(name="Cannon Hill Park", position=Position(longitude=-1.9027, latitude=52.4520))
STATION = MapPoint(name="New Street Station", position=Position(longitude=-1.8985, latitude=52.4778))


@given(position=POSITIONS, side=st.integers(100, 100_000))
def test_a_square_is_always_a_place_on_the_ground(position: Position, side: int) -> None:
    """Wherever it was, poles and date line included."""
    found = published(position, PowerSettings(grid_metres=side))
    assert found is not None
    assert -180 <= found.longitude <= 180
    assert -90 <= found.latitude <= 90


@given(position=NEAR_BIRMINGHAM, side=st.sampled_from([250, 500, 2_000]))
def test_a_square_hides_the_place_and_keeps_the_neighbourhood(position: Position, side: int) -> None:
    """What is published is no further off than half the diagonal, and all of one square become one place."""
    settings = PowerSettings(grid_metres=side)
    found = published(position, settings)
    assert found is not None
    assert metres(position, found) <= side * 0.7072 + 1
    assert published(found, settings) == found


def test_two_doors_of_one_square_cannot_be_told_apart() -> None:
    """The digits of a house do not come through."""
    one = Position(longitude=-1.898501, latitude=52.477801)
    other = Position(longitude=-1.898517, latitude=52.477809)
    assert published(one, PowerSettings()) == published(other, PowerSettings()) != one


def test_a_map_point_stands_for_what_is_nearest_to_it() -> None:
    """The nearest one; what is too far from all of them has no position; what is not said stays so."""
    settings = PowerSettings(map_points=(PARK, STATION), map_point_metres_max=2_000)
    assert published(Position(longitude=-1.90, latitude=52.476), settings) == STATION.position
    assert published(Position(longitude=-1.90, latitude=52.454), settings) == PARK.position
    assert published(Position(longitude=-1.51, latitude=52.408), settings) is None
    assert published(None, settings) is None


def test_the_distance_is_the_one_on_the_ground() -> None:
    """A degree of latitude is 111 km, and from park to station it is 2.9 km."""
    one = Position(longitude=-1.9, latitude=52.0)
    assert metres(one, Position(longitude=-1.9, latitude=53.0)) == pytest.approx(111_195)
    assert metres(PARK.position, STATION.position) == pytest.approx(2_883, abs=5)
