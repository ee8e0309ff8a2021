"""What this device found that somebody must look at: a log that was rewritten, a replica that somebody has a copy of.

The device pins the last checkpoint of the server's log that it checked (`sync.evidence.pin`) and takes the next one
only with the proof that it follows. What does not follow is kept, both heads of it, which together are the evidence;
the officer is told, and the device goes on working: it is the server that has something to explain.
"""

from typing import Final, Literal

import msgspec

from schemas.ids import Millis
from sync.device.store import Held
from sync.evidence.note import VerifierKey
from sync.evidence.pin import NOTHING_SEEN, LogAlarm, Pin, advance
from sync.evidence.policy import Policy

FINDINGS_MAX: Final = 64
"""Findings that are kept, the first ones: a server that lies at every contact must not fill the disk."""
_PIN_KEY: Final = "pin"
_FINDINGS_KEY: Final = "findings"


Code = Literal["log", "copied", "reads"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody must look at.

    Attributes:
        code: `log`: the server's log is not the one that was seen before. `copied`: the server holds this seat's ops
            otherwise than this replica. `reads`: the server holds more of this seat's read log than this replica says
            it has written.
        detail: in words.
        at: when it was found, by the device's corrected clock (ms since 1970).
        seen, came: of `log`: the checkpoint that was pinned, and what came instead, as they came.
    """

    code: Code
    detail: str
    at: Millis
    seen: bytes = b""
    came: bytes = b""

    def same(self, other: "Finding") -> bool:
        """Whether it is the other one again. Each copy that is noticed is another one."""
        return self.code != "copied" and (self.code, self.detail, self.seen, self.came) == (
            other.code,
            other.detail,
            other.seen,
            other.came,
        )


def pinned(held: Held) -> Pin:
    """The last head of the log that was checked."""
    raw = held.tables.meta(_PIN_KEY)
    return NOTHING_SEEN if raw is None else msgspec.msgpack.decode(raw, type=Pin)


def findings(held: Held) -> list[Finding]:
    """All that was found, the first first."""
    raw = held.tables.meta(_FINDINGS_KEY)
    return [] if raw is None else msgspec.msgpack.decode(raw, type=list[Finding])


def keep(held: Held, finding: Finding) -> Finding | None:
    """Keep a finding; None when it is known already, or too many are."""
    known = findings(held)
    if len(known) >= FINDINGS_MAX or any(map(finding.same, known)):
        return None
    held.tables.set_meta(_FINDINGS_KEY, msgspec.msgpack.encode([*known, finding]))
    return finding


class LogPin:
    """Checks the checkpoints of one log, connection by connection."""

    def __init__(self, log_key: str) -> None:
        """Name the log by its vkey (C2SP signed-note), as enrolment told it.

        Raises:
            UsageError: it is none.
        """
        self._policy = Policy.of([VerifierKey.parse(log_key)])
        self._astray = False

    def begin(self) -> None:
        """A new connection: the server proves from what is pinned."""
        self._astray = False

    def look(
        self, held: Held, checkpoint: bytes, proof: tuple[bytes, ...], now: Millis, *, due: bool
    ) -> Finding | None:
        """Pin a checkpoint that follows from the one before; inside a transaction.

        Args:
            held: the replica.
            checkpoint: as it came; b"" for none.
            proof: that it follows.
            now: the corrected clock (ms since 1970).
            due: whether one must come here, since one has come before.

        Returns:
            What is wrong, when something is that was not known.
        """
        pin = pinned(held)
        if self._astray or not (checkpoint or (due and pin.size)):
            # What follows a wrong head in a session is proved from that one, and says nothing.
            return None
        try:
            after = advance(pin, checkpoint, proof, self._policy)
        except LogAlarm as alarm:
            self._astray = True
            return keep(held, Finding(code="log", detail=str(alarm), at=now, seen=pin.checkpoint, came=checkpoint))
        if after != pin:
            held.tables.set_meta(_PIN_KEY, msgspec.msgpack.encode(after))
        return None
