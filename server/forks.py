"""What a commit refuses because a seat has two chains: noted, with an alarm in the same transaction. Pure.

A session checks a push against the chain as it stood when the session began, and WELCOME tells a replica that was set
back. What only the commit can see is the rest: two sessions of one key that go different ways, an old number used
again for another op. Either means that a replica was altered, copied or set back (RFC 6962 calls the like of it in a
log a fork), so refusing is not enough.
"""

from collections.abc import Mapping

from schemas.ids import DeviceId, Millis, OpNumber, op_id
from server import alarms
from server.alarms import CHAIN_DIFFERS, Alarm
from server.commits import KnownOp, Loaded
from server.logbook import Entry, Extras, OpKey


class Forks:
    """The seats of one commit whose chains part from what the server holds."""

    def __init__(self, loaded: Loaded) -> None:
        """Begin with none."""
        self._loaded = loaded
        self._found: dict[DeviceId, str] = {}

    def refused(self, key: OpKey) -> None:
        """An op was refused: the server holds another under its number, or it goes on from another chain."""
        said = f"op {op_id(*key)} is not the one that the server holds, or follows one that it does not hold"
        self._found.setdefault(key[0], said)

    def signed(self, brought: Extras, following: Extras, known: Mapping[OpKey, KnownOp]) -> None:
        """Look at the heads that do not go on from their chains: what was signed behind a known head is no fork.

        Args:
            brought: what the group brings.
            following: the same with the heads that go on (`server.logbook.following`).
            known: the ops that the store holds, those of this commit among them.
        """
        if len(following.heads) == len(brought.heads):
            return
        vouched = following.vouched()
        for head in brought.heads:
            for n, digest in head.ops:
                key = (head.seat, n)
                held = known[key].digest if key in known else vouched.get(key) or self._loaded.covered.get(key)
                if held != digest:
                    said = f"it signed for a chain with an op {op_id(*key)} that the server's does not have"
                    self._found.setdefault(head.seat, said)

    def entries(self, now: Millis) -> tuple[Entry, ...]:
        """The alarms that the journal does not have yet; `now` is the server's clock (ms since 1970)."""
        found = []
        for seat, said in self._found.items():
            held = self._loaded.chains.get(seat)
            alarm = Alarm(CHAIN_DIFFERS, seat, said, now)
            entry = alarms.entry_on_chain(alarm, OpNumber(0) if held is None else held.n)
            if not self._loaded.archive.has_entry(entry.id):
                found.append(entry)
        return tuple(found)
