"""Ops of one session, each told by what differs from the one before: most of an op is what its device's last one said.

Both ends keep the last op that a PUSH of this session brought, and start from its bytes behind the link that follows
from it, which is the next op's own. What is rebuilt is the op byte for byte, so its number, its link and what is signed
for it are checked as if it had come whole, and a defect here ends in `chain_broken`, as any other op would.
"""

import hashlib
from collections.abc import Sequence

from schemas.codec import reread_op
from schemas.differences import difference, rebuilt, whole
from schemas.errors import FrameError
from schemas.limits import MESSAGE_BYTES_MAX, OP_BASE_BYTES_MAX, OP_BYTES_MAX
from sync.evidence.chain import link_after


class OpsBefore:
    """One end's knowledge of what the last op was."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        """None yet: the first op has nothing to differ from."""
        self._last = b""

    def sent(self, ops: Sequence[bytes]) -> None:
        """These ops have gone, or come, in one PUSH; the last of them is what the next one differs from."""
        if ops:
            # A larger one is not kept for each of thousands of connections; both ends leave it out.
            self._last = ops[-1] if len(ops[-1]) <= OP_BASE_BYTES_MAX else b""

    def edits(self, ops: Sequence[bytes]) -> tuple[bytes, ...]:
        """What tells these ops, in order; they count as sent."""
        told = []
        for op in ops:
            base = _base(self._last)
            told.append(difference(base, op) or whole(op))
            self.sent([op])
        return tuple(told)

    def rebuilt(self, edits: Sequence[bytes]) -> tuple[bytes, ...]:
        """The ops that were told so; they count as come.

        Raises:
            FrameError: what was told leads to no op from the one before, or to more than one message may bring.
        """
        ops: list[bytes] = []
        room = MESSAGE_BYTES_MAX
        for one in edits:
            op = rebuilt(_base(self._last), one, min(OP_BYTES_MAX, room))
            room -= len(op)
            ops.append(op)
            self.sent([op])
        return tuple(ops)


def _base(last: bytes) -> bytes:
    """What the op behind this one starts from: the link behind it, and its bytes."""
    if not last:
        return b""
    try:
        op = reread_op(last)
    except FrameError:
        # Whoever sent it is told so when it is looked at; nothing starts from it.
        return b""
    return link_after(op.link, op.n, hashlib.sha256(last).digest()) + last
