"""What a device remembers of the log, and how it notices that the log was rewritten.

Every device pins the last checkpoint it saw, and takes the next one only with the proof that it follows. Whoever edits
the database, restores an old backup or shows devices different histories must then deceive each device that ever saw
the old one. Nothing is repaired here: the alarm holds both heads, which together are the evidence.
"""

import enum
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.errors import BeatbookError, UsageError
from sync.evidence.merkle import EMPTY_ROOT, HASH_BYTES, SIZE_MAX, verify_consistency
from sync.evidence.note import EvidenceError
from sync.evidence.policy import Policy


class Alarm(enum.Enum):
    """What is wrong with a log's new head."""

    SHRUNK = "shrunk"
    """It has fewer entries than were seen: some were cut off, or an old backup was restored."""
    FORKED = "forked"
    """As many entries, but other ones."""
    UNPROVEN = "unproven"
    """More entries, without a proof that those which were seen are among them: a fork, or a wrong proof."""
    UNTRUSTED = "untrusted"
    """It is no checkpoint of this log with the signatures that are asked for."""


class Pin(msgspec.Struct, frozen=True):
    """The last head that was seen.

    Attributes:
        size: entries of the log then.
        root: of their tree, 32 bytes.
        checkpoint: the signed note itself, so that a fork can be shown to others and not only be said; empty before
            the first one.
    """

    size: int
    root: bytes
    checkpoint: bytes = b""

    def __post_init__(self) -> None:
        """Refuse what no log's head can be.

        Raises:
            UsageError: size or root have not their form.
        """
        if not 0 <= self.size <= SIZE_MAX or len(self.root) != HASH_BYTES:
            raise UsageError(f"a log's head cannot have {self.size} entries and a root of {len(self.root)} bytes")


NOTHING_SEEN: Final = Pin(0, EMPTY_ROOT)
"""Before the first checkpoint: whatever history a log shows then is the one that it is held to."""


class LogAlarm(BeatbookError):  # noqa: N818  it is not an error of ours but a finding, and the word for it is alarm
    """The log is not the one that was seen before. Somebody has to be told; going on as if nothing were is no option.

    Attributes:
        what: what is wrong.
        pin: what was seen before.
        checkpoint: what came, as it came.
    """

    def __init__(self, what: Alarm, detail: str, pin: Pin, checkpoint: bytes) -> None:
        """Say what is wrong, for a person."""
        self.what = what
        self.pin = pin
        self.checkpoint = checkpoint
        super().__init__(f"the server's log is not the one seen before ({what.value}): {detail}")


def advance(pin: Pin, checkpoint: bytes, proof: Sequence[bytes], policy: Policy) -> Pin:
    """What to remember after a new checkpoint.

    Args:
        pin: what was seen last.
        checkpoint: the new one, a signed note.
        proof: that it follows from the pinned one (RFC 6962 section 2.1.2); empty when it is as long, or the first.
        policy: whose signatures are asked for.

    Raises:
        LogAlarm: it does not follow. The pin stays what it was.
    """
    try:
        head = policy.open(checkpoint).checkpoint
    except EvidenceError as error:
        raise LogAlarm(Alarm.UNTRUSTED, str(error), pin, checkpoint) from error
    if head.size < pin.size:
        raise LogAlarm(Alarm.SHRUNK, f"{head.size} entries, where {pin.size} were seen", pin, checkpoint)
    if head.size == pin.size and head.root != pin.root:
        raise LogAlarm(Alarm.FORKED, f"{head.size} entries as before, but other ones", pin, checkpoint)
    if not verify_consistency(pin.size, pin.root, head.size, head.root, proof):
        detail = f"nothing proves that its {head.size} entries begin with the {pin.size} that were seen"
        raise LogAlarm(Alarm.UNPROVEN, detail, pin, checkpoint)
    return Pin(head.size, head.root, checkpoint)
