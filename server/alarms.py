"""What looks wrong and a person must look at, as the journal keeps it.

An alarm is evidence: it is a leaf of the log like every other entry, so whoever has reason to make one disappear must
break the log. What devices say of themselves raises them (`server.pump`), and what a commit finds out (`server.forks`).
"""

from typing import Final

import msgspec

from schemas.ids import DeviceId, Millis, OpNumber
from server.logbook import ALARM, Entry

CHAIN_DIFFERS: Final = "chain_differs"
"""The replica was altered, copied or set back: its op chain is not the one that the server holds."""
_ENCODER: Final = msgspec.msgpack.Encoder()


class Alarm(msgspec.Struct, frozen=True):
    """Something that a person must look at.

    Attributes:
        code: what: `chain_differs`, `reads_missing`, `witness_conflict`, `administration_recovered`.
        seat: whose.
        detail: in words.
        at: when it was noticed (ms since 1970).
    """

    code: str
    seat: DeviceId
    detail: str
    at: Millis


def entry(alarm: Alarm) -> Entry:
    """An alarm for the journal: one for each moment."""
    return Entry(ALARM, f"{alarm.code}:{alarm.seat}:{alarm.at}", _ENCODER.encode(alarm))


def entry_on_chain(alarm: Alarm, upto: OpNumber) -> Entry:
    """An alarm about a seat's chain for the journal: one for each op at which the chain stood.

    A copy that goes on pushing finds the chain where it was, and fills no journal.
    """
    return Entry(ALARM, f"{alarm.code}:{alarm.seat}/{upto}", _ENCODER.encode(alarm))
