"""What the writer has just written, so that it need not look for it again.

Whoever edits a record edits it again soon, from the same seat. Looking for each op, chain and signed head of an edit,
opening its record and taking it apart was a fifth of the writer's work, and all of it was known: nobody else writes to
these tables. So this is a copy of what they hold and never ahead of them: it is told of a commit once that is on the
disk, and forgets everything when one fails, and when something is erased.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

import msgspec

from schemas.ids import DeviceId, OpNumber, RecordId
from server.logbook import OpKey
from sync.evidence.chain import ChainHead
from sync.merge import RecordState

SEATS_MAX: Final = 10_000
"""Seats whose numbers are remembered (some 400 bytes each): those of a whole force."""
RECORDS_BYTES_MAX: Final = 4 * 1024 * 1024
"""Encoded rows whose records are remembered, in bytes. Taken apart a record is some ten times its row: 40 MiB, for some
ten thousand records of the size of an incident with a handful of entries."""

_K = TypeVar("_K")
_V = TypeVar("_V")


class Seat(msgspec.Struct):
    """How far the tables go for one seat.

    Attributes:
        op: the highest number among its ops; 0 for none.
        covered: the highest number that a head of it has vouched for before its op came; 0 for none.
        chain: where its chain stands; None before its first head.
    """

    op: OpNumber
    covered: OpNumber
    chain: ChainHead | None

    def has_head(self, n: OpNumber) -> bool:
        """Whether the journal may have a head that ends with that number: it is written with the chain."""
        return self.chain is not None and n <= self.chain.n


class Recent(Generic[_K, _V]):
    """The things that were used last, as many as their sizes allow."""

    def __init__(self, size_max: int) -> None:
        """Begin with none; `size_max` is what their sizes may come to."""
        self._size_max = size_max
        self._size = 0
        self._kept: OrderedDict[_K, tuple[_V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: _K) -> _V | None:
        """The thing of that name, which then counts as used last."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: _K, value: _V, size: int = 1) -> None:
        """Keep a thing of that size; what was used longest ago gives way."""
        self.drop(key)
        self._kept[key] = (value, size)
        self._size += size
        while self._size > self._size_max:
            self.drop(next(iter(self._kept)))

    def drop(self, key: _K) -> None:
        """Keep that thing no longer."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._size -= found[1]

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()
        self._size = 0


class Remembered:
    """Seats and records as the tables hold them."""

    def __init__(self, records_bytes_max: int = RECORDS_BYTES_MAX, seats_max: int = SEATS_MAX) -> None:
        """Begin with nothing."""
        self.records: Recent[RecordId, RecordState] = Recent(records_bytes_max)
        self.seats: Recent[str, Seat] = Recent(seats_max)

    def forget(self) -> None:
        """Forget everything: the tables may hold something else now."""
        self.records.clear()
        self.seats.clear()

    def wrote_records(self, states: Mapping[RecordId, RecordState], sizes: Mapping[RecordId, int]) -> None:
        """Records were written.

        Args:
            states: each as it stands now.
            sizes: bytes of its encoded row.
        """
        for record, state in states.items():
            if is_as_read(state):
                self.records.put(record, state, sizes[record])
            else:
                self.records.drop(record)

    def wrote_seats(
        self, ops: Iterable[OpKey], covered: Iterable[tuple[DeviceId, OpNumber, bytes]], chains: Mapping[str, ChainHead]
    ) -> None:
        """Ops were kept, heads vouched for ops that have not come, chains went on."""
        for device, n in ops:
            known = self.seats.get(device)
            if known is not None:
                known.op = max(known.op, n)
        for device, n, _ in covered:
            known = self.seats.get(device)
            if known is not None:
                known.covered = max(known.covered, n)
        for name, chain in chains.items():
            known = self.seats.get(name)
            if known is not None:
                known.chain = chain


def is_as_read(state: RecordState) -> bool:
    """Whether a record in memory is what reading its row would give, to the last bit.

    What the rules write holds plain values that come back as others of the same meaning (a tuple as a list). What newer
    programs wrote may be readable once it is read again, and has its stamps at places that depend on the row.
    """
    return not (state.spec.by_rule or state.trust or state.beyond.cells)
