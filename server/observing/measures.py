"""What a running server counts of its own work. One `Measures` to a server; whoever does the work holds it.

Times are taken with `time.perf_counter`. Each is observed once for a group, a push or a turn of the loop, and never for
a delivery: 2,000 handhelds that are sent one commit are one observation.
"""

from collections import Counter
from collections.abc import Iterable
from time import perf_counter
from typing import Final

import msgspec

from schemas.wire import Result
from server.observing.counting import SIZES, Histogram
from server.observing.tracing import Spans

STAGES: Final = {
    "check": "decoding a push and verifying its signature",
    "wait": "the longest that a push of a group waited for the group before it",
    "commit": "asking the writer for a group, to its answer",
    "settle": "the writer's own: loading what a commit is about and deciding it",
    "write": "the writer's own: the statements of a commit",
    "sync": "the writer's own: ending the transaction, fsync included",
    "send": "from the first connection that has something to send in a turn of the loop until all is on the wire",
}
"""The stages of an op's way through the server, in order, and what each takes in."""


class Took(msgspec.Struct, frozen=True):
    """How long the writer worked on a group, by its own clock (seconds)."""

    settle: float = 0.0
    write: float = 0.0
    sync: float = 0.0


class Measures:
    """The figures of one server.

    Attributes:
        stages: seconds by stage, each once for a group, a push (`check`) or a turn of the loop (`send`).
        acks: seconds from the arrival of a push, checked, until its results are told; each push.
        group_ops: ops and journal entries of each group.
        results: ops by what became of them.
        refused_ops: ops by the error that refused them, or has them wait.
        failed_groups: groups that the store could not commit.
        refused_frames: frames from devices by the error that ended their connection.
        session_ends: sessions of devices by the error that they ended with; `gone` for none.
        turns: turns of the loop in which something was put on wires.
        wires: connections that something was put on the wire of, over all those turns.
        repairs: scopes in which a device's digest was not the server's.
        alarms: alarms about devices, by what they warn of; those from due times are counted by `server.timers`.
        requests: HTTP requests by (method, status).
        request_s: seconds of each HTTP request.
        loop_lag: seconds by which a heartbeat of the event loop came late.
        spans: who traces pushes and requests; None for nobody.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self.stages = {stage: Histogram() for stage in STAGES}
        self.acks = Histogram()
        self.group_ops = Histogram(SIZES)
        self.results: Counter[str] = Counter()
        self.refused_ops: Counter[str] = Counter()
        self.failed_groups = 0
        self.refused_frames: Counter[str] = Counter()
        self.session_ends: Counter[str] = Counter()
        self.turns = 0
        self.wires = 0
        self.repairs = 0
        self.alarms: Counter[str] = Counter()
        self.requests: Counter[tuple[str, int]] = Counter()
        self.request_s = Histogram()
        self.loop_lag = Histogram()
        self.spans: Spans | None = None

    def told(self, results: Iterable[Result], since: Iterable[float]) -> None:
        """A group's results were told; `since`: when each of its pushes had come."""
        for result in results:
            self.results[result.status] += 1
            if result.code:
                self.refused_ops[result.code] += 1
        now = perf_counter()
        for came in since:
            self.acks.observe(now - came)

    def took(self, took: Took) -> None:
        """The writer's own times of a group."""
        self.stages["settle"].observe(took.settle)
        self.stages["write"].observe(took.write)
        self.stages["sync"].observe(took.sync)
