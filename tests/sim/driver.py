"""Two ways to drive the world without Hypothesis: by a seed, and through every crash point of one course of events.

Both are deterministic, so that a failure is a number to be written down, and a planted bug (`mutants`) is found by the
same numbers every time.
"""

import random
from collections.abc import Callable, Iterator
from typing import Final

from tests.sim.faults import PromiseBroken
from tests.sim.world import World

Numbers = Callable[[], int]
Move = Callable[[World, Numbers], None]

CALM: Final[dict[str, tuple[int, Move]]] = {
    "create": (6, lambda world, n: world.create(n(), n(), n())),
    "differ": (4, lambda world, n: world.differ(n(), n(), n())),
    "edit": (12, lambda world, n: world.edit(n(), n(), n())),
    "decide": (5, lambda world, n: world.decide(n(), n(), n())),
    "correct": (2, lambda world, n: world.correct(n(), n(), n())),
    "connect": (10, lambda world, n: world.connect(n())),
    "cut": (4, lambda world, n: world.cut(n(), n())),
    "grant": (2, lambda world, n: world.grant(n(), n())),
    "revoke": (2, lambda world, n: world.revoke(n(), n())),
    "skew": (2, lambda world, n: world.skew(n(), n() % 100)),
    "lazy": (2, lambda world, n: world.lazy(n())),
    "wait": (2, lambda world, n: world.wait(40_000 if n() % 5 == 0 else n() % 10_000)),
    "steps": (45, lambda world, n: world.steps([n() for _ in range(1 + n() % 12)])),
    "rest": (2, lambda world, _: world.come_to_rest()),
}
"""Move -> (how often, what it does); all but what costs a node its power or its disk."""
DISPUTES: Final[dict[str, tuple[int, Move]]] = CALM | {
    "create": (4, CALM["create"][1]),
    "differ": (20, CALM["differ"][1]),
    "decide": (16, CALM["decide"][1]),
    "correct": (5, CALM["correct"][1]),
    "rest": (4, CALM["rest"][1]),
}
"""The same moves, and people who hardly ever agree."""
ROAMING: Final[dict[str, tuple[int, Move]]] = CALM | {
    "create": (8, lambda world, n: world.create(n(), 0, n())),
    "differ": (1, CALM["differ"][1]),
    "edit": (16, CALM["edit"][1]),
    "grant": (4, CALM["grant"][1]),
    "revoke": (4, CALM["revoke"][1]),
}
"""The same moves, and nothing but briefings, which are in several scopes and change them."""
ROUGH: Final[dict[str, tuple[int, Move]]] = DISPUTES | {
    "crash_device": (2, lambda world, n: world.crash_device(n())),
    "crash_server": (1, lambda world, _: world.crash_server()),
    "arm": (3, lambda world, n: world.arm(n() % 30)),
    "back_up": (2, lambda world, _: world.back_up()),
    "restore": (2, lambda world, _: world.restore()),
}
"""Disputes among which nodes lose their power, and the server its memory."""


def drive(seed: int, length: int, among: dict[str, tuple[int, Move]], crash_at: int | None = None) -> World:
    """Live through one course of events and come to rest.

    Args:
        seed: which.
        length: how many moves.
        among: the moves to choose from.
        crash_at: whoever passes this crash point, counted from the start, loses its power there.

    Raises:
        PromiseBroken: an oracle was contradicted; its notes name the seed and the moves.
    """
    chance = random.Random(seed)
    names = chance.choices(list(among), [often for often, _ in among.values()], k=length)
    with World() as world:
        world.fuse.passed.clear()
        world.fuse.left = crash_at
        try:
            for name in names:
                among[name][1](world, lambda: chance.randrange(10_000))
            world.come_to_rest()
        except PromiseBroken as broken:
            broken.add_note(f"seed {seed}, {length} moves, crash at {crash_at}")
            raise
    return world


def crash_everywhere(seed: int, length: int, every: int = 1) -> Iterator[int]:
    """Live through the same calm events once per crash point in them, with the power cut there.

    Args:
        seed, length: as in `drive`.
        every: only each so-manieth point.

    Yields:
        each point survived.
    """
    points = len(drive(seed, length, CALM).fuse.passed)
    for point in range(0, points, every):
        drive(seed, length, CALM, crash_at=point)
        yield point
