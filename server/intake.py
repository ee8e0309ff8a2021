"""What devices send beside ops, as the journal keeps it: read logs, sealed edits, receipts, and what looks wrong."""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas import wire
from schemas.errors import PeerError
from schemas.ids import DeviceId, Millis, OfficerId, OpNumber
from schemas.reads import NO_LINK, Read
from server import alarms
from server.alarms import Alarm
from server.commits import Submission
from server.logbook import QUARANTINE, READS, RECEIPT, Entry
from sync.evidence.chain import ChainHead

_ENCODER: Final = msgspec.msgpack.Encoder()
_READ: Final = msgspec.msgpack.Decoder(Read)


class ReadBatch(msgspec.Struct, frozen=True):
    """Entries of one seat's read log, as the journal keeps them.

    Attributes:
        seat, officer: whose.
        first: number of the first.
        entries: each as it came.
    """

    seat: DeviceId
    officer: OfficerId | None
    first: int
    entries: tuple[bytes, ...]

    def reads(self) -> list[Read]:
        """The entries, decoded."""
        return [_READ.decode(entry) for entry in self.entries]


class SealedEdit(msgspec.Struct, frozen=True):
    """An edit in quarantine, sealed to the server.

    Attributes:
        seat, officer: whose.
        id: the device's own, its op's number.
        sealed: HPKE (RFC 9180): the encapsulated key, then the ciphertext.
    """

    seat: DeviceId
    officer: OfficerId | None
    id: int
    sealed: bytes


class KeptReceipt(msgspec.Struct, frozen=True):
    """What a device signed of having removed a scope, or everything (then `scope` is "").

    Attributes:
        seat: whose.
        scope, gen, removed, at: as in RETRACTED or WIPED.
        signature: over what docs/protocol.md says.
    """

    seat: DeviceId
    scope: str
    gen: int
    removed: int
    at: Millis
    signature: bytes


def reads_chain(seat: DeviceId) -> str:
    """The name under which the store keeps where a seat's read log stands."""
    return f"reads/{seat}"


class ReadsDifferError(PeerError):
    """A read log is not the one that is held: it was dropped, set back or copied. Ops do not depend on it."""


def take_reads(
    seat: DeviceId, officer: OfficerId | None, held: ChainHead | None, first: int, entries: Sequence[bytes]
) -> tuple[Submission | None, ChainHead]:
    """Check entries of a read log against what is held of it, and say what to commit.

    Args:
        seat, officer: whose log.
        held: number and hash of the last entry that is held; None before the first.
        first: number of the first entry.
        entries: their bytes.

    Returns:
        (what to commit, or None when all is held already; where the log stands behind it).

    Raises:
        ReadsDifferError: `chain_broken`: an entry does not follow the one before, or is not the one that is held.
        PeerError: an entry is none, or none of this officer's.
    """
    at = ChainHead(OpNumber(0), NO_LINK) if held is None else held
    if first > at.n + 1:
        raise ReadsDifferError("chain_broken", f"the read log lacks entries {at.n + 1} to {first - 1}")
    if first <= at.n < first + len(entries) and hashlib.sha256(entries[at.n - first]).digest() != at.link:
        raise ReadsDifferError("chain_broken", f"entry {at.n} of the read log is not the one that is held")
    new = list(entries[at.n + 1 - first :])
    if not new:
        return None, at
    began = at.n + 1
    for raw in new:
        try:
            read = _READ.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise PeerError("wrong_field", f"entry {at.n + 1} of the read log") from None
        if read.n != at.n + 1 or read.link != at.link:
            raise ReadsDifferError("chain_broken", f"entry {at.n + 1} of the read log does not follow the one before")
        if officer is not None and read.author != officer:
            raise PeerError("foreign_op", f"entry {read.n} of the read log is by another officer")
        at = ChainHead(OpNumber(read.n), hashlib.sha256(raw).digest())
    batch = ReadBatch(seat, officer, began, tuple(new))
    entry = Entry(READS, f"{seat}:{began}", _ENCODER.encode(batch))
    return Submission(seat, frozenset(), (), entries=(entry,), reached={reads_chain(seat): at}), at


def sealed_entries(seat: DeviceId, officer: OfficerId | None, edits: Sequence[tuple[int, bytes]]) -> Submission:
    """Sealed edits for the journal; the same one again is kept once."""
    found = []
    for id_, sealed in edits:
        key = f"{seat}:{id_}:{hashlib.sha256(sealed).hexdigest()[:16]}"
        found.append(Entry(QUARANTINE, key, _ENCODER.encode(SealedEdit(seat, officer, id_, sealed))))
    return Submission(seat, frozenset(), (), entries=tuple(found))


def receipt_entry(seat: DeviceId, message: wire.Retracted | wire.Wiped) -> Submission:
    """A receipt for the journal."""
    if isinstance(message, wire.Wiped):
        kept = KeptReceipt(seat, "", 0, 0, message.at, message.receipt)
    else:
        kept = KeptReceipt(seat, message.scope, message.gen, message.removed, message.at, message.receipt)
    key = f"{seat}:{kept.scope}:{kept.gen}:{kept.at}"
    return Submission(seat, frozenset(), (), entries=(Entry(RECEIPT, key, _ENCODER.encode(kept)),))


def alarm_entry(alarm: Alarm) -> Submission:
    """An alarm for the journal."""
    return Submission(alarm.seat, frozenset(), (), entries=(alarms.entry(alarm),))
