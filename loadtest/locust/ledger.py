"""The acknowledged edits of a run, and whether each of them is there afterwards.

Once the run is over, two devices that held nothing connect: one of the control room, which sees every area, and one
that is posted at every custody suite. Each acknowledged edit must be in a row that they are given: an entry of a
growing field by its own stamp, which nothing can take the place of; any other by its stamp, or by a later op of the
same device in that record.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from loadtest.locust.cast import Cast, CastError
from loadtest.locust.client import Contact, LinkError, sync_url
from loadtest.locust.enrolling import AUDIT_CONTROL, AUDIT_CUSTODY, signed_in
from loadtest.locust.outbox import GROWING, Own
from loadtest.locust.session import Device
from loadtest.locust.wire import Message

_CURRENT_S = 120.0

Entry = tuple[str, str, int, bool]
"""(record, seat, number, whether a stamp of its own must be there)."""


def entry(seat: str, own: Own) -> Entry:
    """What is noted of an acknowledged edit."""
    return own.record, seat, own.n, any(name in GROWING for name in own.fields)


@dataclass(frozen=True)
class Verdict:
    """What became of the acknowledged edits.

    Attributes:
        acked: how many there were.
        lost: those that are nowhere.
    """

    acked: int
    lost: list[Entry]


def judge(entries: Iterable[Entry], replicas: Iterable[dict[str, Message]]) -> Verdict:
    """Look each edit up in rows.

    Args:
        entries: the acknowledged edits.
        replicas: record -> row, of each device that looks.
    """
    holding = list(replicas)
    acked, lost = 0, list[Entry]()
    for each in entries:
        acked += 1
        if not any(_holds(rows.get(each[0]), each) for rows in holding):
            lost.append(each)
    return Verdict(acked, lost)


def _holds(row: Message | None, wanted: Entry) -> bool:
    _, seat, n, own_stamp = wanted
    if row is None:
        return False
    if any(stamp[0] == seat and stamp[1] == n for stamp in row["stamps"]):
        return True
    return not own_stamp and int(row.get("upto", {}).get(seat, 0)) >= n


def audit(cast: Cast, entries: Iterable[Entry]) -> Verdict:
    """Connect the two devices and look.

    Raises:
        CastError: the cast has none for it.
        CallError, LinkError: one of them could not come.
    """
    return judge(entries, list(_fresh(cast)))


def _fresh(cast: Cast) -> Iterator[dict[str, Message]]:
    for sort in (AUDIT_CONTROL, AUDIT_CUSTODY):
        numbers = cast.of(sort)
        if not numbers:
            raise CastError(f"the cast has no {sort} device to look with; run enrolling on it again")
        seat = cast.seats[numbers[0]]
        caller = signed_in(cast, seat)
        contact = Contact(sync_url(cast.server), ca_file=cast.ca_file)
        contact.device = Device(
            seat.seat,
            seat.officer,
            seat.signer(),
            contact,
            wall=lambda: time.time_ns() // 1_000_000,
            mono=time.monotonic,
        )
        contact.device.token = caller.token
        caller.close()
        contact.connect(_CURRENT_S)
        contact.leave()
        yield contact.device.replica.rows


__all__ = ["Entry", "LinkError", "Verdict", "audit", "entry", "judge"]
