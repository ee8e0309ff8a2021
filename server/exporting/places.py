"""Positions as they are published: never where it was, but a place that stands for all around it.

As data.police.uk does it: the nearest of a list of map points, and no position where that is too far away. A force
without such a list has the middle of a square of a grid.
"""

import math
from typing import Final

from schemas.kinds.common import Position
from schemas.settings.powers import PowerSettings

METRES_A_DEGREE: Final = 111_195.0
"""Of latitude, on a sphere of 6,371 km."""
_NARROWEST: Final = 0.01
"""Nearer to a pole than this cosine a degree of longitude is counted as one of that cosine."""


def published(position: Position | None, settings: PowerSettings) -> Position | None:
    """What is published of a position; None for nothing.

    Two positions in one square, or nearest to one map point, become the same place, to the last digit.

    Args:
        position: where it was; None where that is not said.
        settings: the force's.
    """
    if position is None:
        return None
    if not settings.map_points:
        return _middle_of_square(position, settings.grid_metres)
    # By distance, then in the order of the list: the answer must not hang on how it is computed.
    nearest = min(settings.map_points, key=lambda point: metres(position, point.position))
    return nearest.position if metres(position, nearest.position) <= settings.map_point_metres_max else None


def metres(one: Position, other: Position) -> float:
    """The distance between two places on a sphere, in metres (haversine)."""
    north, south = math.radians(one.latitude), math.radians(other.latitude)
    east = math.radians(other.longitude - one.longitude)
    half = math.sin((south - north) / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(east / 2) ** 2
    return 2 * METRES_A_DEGREE * math.degrees(math.asin(min(1.0, math.sqrt(half))))


def _middle_of_square(position: Position, side_metres: int) -> Position:
    step = side_metres / METRES_A_DEGREE
    latitude = _middle(position.latitude, step, 90)
    # By the middle's latitude, which is the same for the whole row of squares.
    narrow = max(math.cos(math.radians(latitude)), _NARROWEST)
    return Position(longitude=_middle(position.longitude, step / narrow, 180), latitude=latitude)


def _middle(degrees: float, step: float, limit: int) -> float:
    middle = (math.floor(degrees / step) + 0.5) * step
    return round(min(max(middle, -limit), limit), 6)
