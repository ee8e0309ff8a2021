"""What the device sends beside its answers: ops with the head of their chain, sealed edits, and its read log.

Written from docs/protocol.md alone (see plain_client.py).
"""

from collections.abc import Callable

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.plain_evidence import ReadLog, head_words
from tests.plain_outbox import Message, PlainOutbox, Value

MESSAGE_BYTES_MAX = 262_144
OPS_PER_PUSH_MAX = 128
UNSENT_MAX = 1_024


class PlainSender(PlainOutbox):
    """The way up, as far as the server's credit goes."""

    def __init__(
        self,
        name: str,
        key: Ed25519PrivateKey,
        wall: Callable[[], int],
        mono: Callable[[], int],
        kept_offset: int | None,
    ) -> None:
        """Begin with nothing to send. See `PlainDevice`."""
        super().__init__(name, wall, mono, kept_offset)
        self._key = key
        self.reads = ReadLog()
        self._out: list[bytes] = []
        self._credit = 0
        self._chained: int | None = None
        self._handed: set[int] = set()
        self._read_upto = 0

    def _push(self) -> bool:
        waiting = [n for n, own in self.ops.items() if own.state == "queued" and n not in self._pushed]
        given_up = self._unsent(waiting[:1])
        if len(given_up) > UNSENT_MAX:
            self._credit -= self._send(**self._vouched({"t": "push", "ops": []}, given_up[UNSENT_MAX - 1], []))
            return True
        message: Message = {}
        for count in range(1, min(OPS_PER_PUSH_MAX, len(waiting)) + 1):
            larger = self._pushing(waiting[:count])
            if len(larger.get("unsent", [])) > UNSENT_MAX or len(msgpack.packb(larger)) > min(
                MESSAGE_BYTES_MAX, self._credit
            ):
                break
            message = larger
        if message:
            self._credit -= self._send(**message)
            self._pushed |= set(waiting[: len(message["ops"])])
            if self._chained is not None:
                self._chained = max(self._chained, waiting[len(message["ops"]) - 1])
        return bool(message)

    def _unsent(self, before: list[int]) -> list[int]:
        """Own ops behind the server's head and before that one."""
        if self._chained is None or not before:
            return []
        return [n for n in self.ops if self._chained < n < before[0]]

    def _sealed(self) -> list[int]:
        """Sealed ops that were not handed over in this session."""
        return [n for n, own in self.ops.items() if own.state == "sealed" and n not in self._handed]

    def _hand_over(self) -> bool:
        """Hand sealed ops to the server's quarantine."""
        edits: list[Value] = [[n, self.ops[n].body] for n in self._sealed()]
        sent = self._send_some("quarantine", edits, lambda some: {"edits": some})
        self._handed |= {n for n, _ in edits[:sent]}
        return sent > 0

    def _tell_reads(self) -> bool:
        """Send what was looked at."""
        entries: list[Value] = [[n, body] for n, body in self.reads.waiting.items() if n > self._read_upto]
        sent = self._send_some(
            "reads", entries, lambda some: {"first": some[0][0], "entries": [body for _, body in some]}
        )
        self._read_upto = entries[sent - 1][0] if sent else self._read_upto
        return sent > 0

    def _send_some(self, tag: str, things: list[Value], message: Callable[[list[Value]], Message]) -> int:
        """Send as many as one message and the credit hold; how many those are."""
        for count in range(min(OPS_PER_PUSH_MAX, len(things)), 0, -1):
            whole = {"t": tag} | message(things[:count])
            if len(msgpack.packb(whole)) <= min(MESSAGE_BYTES_MAX, self._credit):
                self._credit -= self._send(**whole)
                return count
        return 0

    def _pushing(self, numbers: list[int]) -> Message:
        unsure = {n: self.ops[n].mono for n in numbers}
        times = [[n, self._true_time(mono)] for n, mono in unsure.items() if mono is not None]
        message: Message = {"t": "push", "ops": [self.ops[n].body for n in numbers]}
        return self._vouched(message | ({"times": times} if times else {}), numbers[-1], numbers)

    def _vouched(self, push: Message, last: int, sent: list[int]) -> Message:
        """The PUSH with the head behind its last op, and the hashes of what lies between and is not sent."""
        if self._chained is None or last <= self._chained:
            return push
        unsent = [[n, self.ops[n].sha] for n in self.ops if self._chained < n <= last and n not in sent]
        head = self._key.sign(head_words(self.name, last, self.links[last]))
        if not sent:
            self._chained = last
        return push | {"head": head} | ({"unsent": unsent} if unsent else {})

    def _send(self, **message: Value) -> int:
        frame: bytes = msgpack.packb(message)
        self._out.append(frame)
        return len(frame)
