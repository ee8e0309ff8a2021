"""What each handheld was told: the demo's own record, kept apart from everything it checks."""

from collections import Counter
from typing import Final

import msgspec

from schemas.ids import DeviceId, OpId, RecordId


class LedgerLine(msgspec.Struct):
    """One change that an officer made.

    Attributes:
        device, op, record: who, which op, on what.
        marker: text that stands in exactly one entry of the record's log because of it; None for a change of a field.
        durable: whether the handheld was told that it is on the server's disk.
        with_signal: whether there was signal when it was made.
    """

    device: DeviceId
    op: OpId
    record: RecordId
    marker: str | None
    durable: bool
    with_signal: bool


class Ledger:
    """Every change made and every briefing pushed."""

    def __init__(self) -> None:
        """Start empty."""
        self.lines: dict[OpId, LedgerLine] = {}
        self.briefings: dict[RecordId, tuple[float, frozenset[DeviceId]]] = {}
        """Briefing -> (when it was pushed, who had signal and was connected then)."""
        self.briefing_ms: list[float] = []
        self.catchup_ms: list[float] = []
        self.got: dict[DeviceId, set[RecordId]] = {}

    def made(self, line: LedgerLine) -> None:
        """An officer's change was accepted by the handheld."""
        self.lines[line.op] = line

    def told_durable(self, op: OpId) -> None:
        """The handheld said that the op is on the server's disk; what it wrote by itself is in no line."""
        if op in self.lines:
            self.lines[op].durable = True

    def briefing_came(self, device: DeviceId, record: RecordId, at_s: float) -> None:
        """A briefing stands on a handheld. Its latency counts for those who had signal when it was pushed."""
        if record in self.got.setdefault(device, set()):
            return
        self.got[device].add(record)
        pushed = self.briefings.get(record)
        if pushed is not None and device in pushed[1]:
            self.briefing_ms.append((at_s - pushed[0]) * 1_000)

    def count(self) -> Counter[str]:
        """How many ops were made, said durable, made without signal."""
        lines = self.lines.values()
        return Counter(
            made=len(self.lines),
            durable=sum(line.durable for line in lines),
            without_signal=sum(not line.with_signal for line in lines),
        )


_HUNDRED: Final = 100


def percentile(values: list[float], share: int) -> float | None:
    """The nearest-rank percentile, rounded to a tenth; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    rank = max(1, -(-share * len(ordered) // _HUNDRED))
    return round(ordered[rank - 1], 1)
