"""What is aimed at, and how far a run is from it: each result beside its floor, its best peer and its target.

A target is a ratio within one run wherever it can be: times change with the machine. A peer counts as durable when
nothing that it had acknowledged was gone behind `kill -9`; that its acknowledgement waits for the disk is asked of ours
alone.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from loadtest.bench.outcome import Outcome
from loadtest.bench.suite import Peer, Run

RELAY: Final = "Node ws"
"""The peer against which bursts are held: it relays, and keeps nothing."""
_THIRD: Final = 1 / 3


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is aimed at.

    Attributes:
        part: of the run.
        figure: of that part, beside which it is shown.
        words: of what the value is a ratio; "" when it is none.
        bound: how much.
        least: whether it is the least that is wanted, and not the most.
        unit: behind a value.
        value: found in a run; None when something that it needs is not there.
    """

    part: str
    figure: str
    words: str
    bound: float
    least: bool
    unit: str = ""
    value: Callable[[Run], float | None]

    def met(self, run: Run) -> bool | None:
        """Whether a run reaches it; None when the run does not say."""
        value = self.value(run)
        if value is None:
            return None
        return value >= self.bound if self.least else value <= self.bound


def figure(run: Run, part: str, name: str) -> float | None:
    """The median of a figure, or a ratio, of one part of a run; None when it is not there."""
    outcome = run.outcomes.get(part)
    if outcome is None:
        return None
    if name in outcome.ratios:
        return outcome.ratios[name]
    spread = outcome.spreads.get(name)
    return None if spread is None else spread.median


def best(
    run: Run, part: str, name: str, *, most: bool, among: Callable[[Peer], bool] = lambda _: True
) -> tuple[str, float] | None:
    """(peer, value) of the peer that did best in one figure of a job of the same size; None when none did it.

    Args:
        run: the run.
        part, name: of which part, which figure.
        most: whether the greatest value is the best.
        among: which peers count.
    """
    outcome = run.outcomes.get(part)
    if outcome is None:
        return None
    found = [
        (row.figures[name], row.peer)
        for row in run.peers
        if row.job == outcome.job and name in row.figures and same_size(row, outcome) and among(row)
    ]
    if not found:
        return None
    value, peer = max(found) if most else min(found)
    return peer, value


def same_size(row: Peer, outcome: Outcome) -> bool:
    """Whether a peer did as much as was done here: half of the work takes half of the time.

    What a connection costs while nothing is said on it does not depend on how many there are.
    """
    counts = () if outcome.job == "idle" else ("devices", "edits", "records")
    both = [each for each in counts if each in row.size and each in outcome.size]
    return all(row.size[each] == outcome.size[each] for each in both)


def durable(run: Run) -> frozenset[str]:
    """The peers that had lost nothing behind `kill -9`."""
    return frozenset(row.peer for row in run.peers if row.job == "ack" and row.lost_pct == 0)


def of_peer(run: Run, part: str, name: str, peer: tuple[str, float] | None) -> float | None:
    """A figure of ours in units of a peer's."""
    ours = figure(run, part, name)
    return None if ours is None or peer is None or not peer[1] else ours / peer[1]


def _bursts(run: Run, part: str) -> float | None:
    relay = best(run, part, "burst_per_s", most=True, among=lambda row: row.peer.startswith(RELAY))
    return of_peer(run, part, "burst_per_s", relay)


def _ack(run: Run, *, kept: bool) -> float | None:
    known = durable(run)
    peer = best(run, "ack", "edits_per_s", most=True, among=lambda row: (row.peer in known) == kept)
    return of_peer(run, "ack", "edits_per_s", peer)


def _of(part: str, name: str) -> Callable[[Run], float | None]:
    return lambda run: figure(run, part, name)


def _beside(part: str, name: str, *, most: bool) -> Callable[[Run], float | None]:
    return lambda run: of_peer(run, part, name, best(run, part, name, most=most))


TARGETS: Final = (
    Target(
        part="ack",
        figure="edits_per_s",
        words="of the best durable peer",
        bound=1.5,
        least=True,
        value=lambda run: _ack(run, kept=True),
    ),
    Target(
        part="ack",
        figure="edits_per_s",
        words="of the best peer that is not",
        bound=1.0,
        least=True,
        value=lambda run: _ack(run, kept=False),
    ),
    *(
        Target(
            part=f"fanout-{devices}",
            figure="single_per_s",
            words="of the floor",
            bound=0.8,
            least=True,
            value=_of(f"fanout-{devices}", "of_floor"),
        )
        for devices in (500, 2_000)
    ),
    *(
        Target(
            part=f"fanout-{devices}",
            figure="burst_per_s",
            words=f"of {RELAY}",
            bound=4.0,
            least=True,
            value=lambda run, devices=devices: _bursts(run, f"fanout-{devices}"),  # type: ignore[misc]
        )
        for devices in (500, 2_000)
    ),
    Target(
        part="bootstrap",
        figure="records_per_s",
        words="of the best peer",
        bound=1.0,
        least=True,
        value=_beside("bootstrap", "records_per_s", most=True),
    ),
    Target(
        part="storm",
        figure="equal_s",
        words="of the best peer",
        bound=0.5,
        least=False,
        value=_beside("storm", "equal_s", most=False),
    ),
    Target(
        part="storm",
        figure="durable_s",
        words="of the best peer",
        bound=0.5,
        least=False,
        value=_beside("storm", "durable_s", most=False),
    ),
    Target(
        part="idle",
        figure="device_kb",
        words="",
        bound=24,
        least=False,
        unit=" kB",
        value=_of("idle", "device_kb"),
    ),
    Target(
        part="force",
        figure="ack_p99_ms",
        words="",
        bound=100,
        least=False,
        unit=" ms",
        value=_of("force", "ack_p99_ms"),
    ),
    Target(
        part="force",
        figure="brief_p99_ms",
        words="",
        bound=1_000,
        least=False,
        unit=" ms",
        value=_of("force", "brief_p99_ms"),
    ),
    Target(part="force", figure="lost", words="", bound=0, least=False, value=_of("force", "lost")),
    Target(
        part="wire",
        figure="edit_bytes",
        words="of a JSON patch",
        bound=_THIRD,
        least=False,
        value=_of("wire", "of_json_patch"),
    ),
    Target(
        part="stalled",
        figure="meanwhile_p99_ms",
        words="of before",
        bound=1.25,
        least=False,
        value=_of("stalled", "slower"),
    ),
    Target(
        part="replica",
        figure="edit_p99_ms",
        words="",
        bound=10,
        least=False,
        unit=" ms",
        value=_of("replica", "edit_p99_ms"),
    ),
)
