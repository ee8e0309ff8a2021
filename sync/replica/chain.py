"""This seat's own chain of ops: the link that each new op bears, and what a push must tell of it."""

import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.codec import reread_op
from schemas.ids import DeviceId, OpNumber
from schemas.limits import PAGE_ROWS_MAX
from sync.evidence.chain import ChainHead, behind, genesis
from sync.outbox import OpState
from sync.replica.tables import Tables

_HEAD: Final = "chain"
_TAKEN_UP: Final = "chain_taken_up"
_DIGEST: Final = "digest/{n}"
_LINK: Final = "link/{n}"


class _TakenUp(msgspec.Struct, frozen=True):
    """Where this replica went on from a chain that was not its own: its ops up to `told` bear links of another one."""

    server: ChainHead
    told: OpNumber


class OwnChain:
    """The chain over its tables."""

    def __init__(self, tables: Tables, device: DeviceId) -> None:
        """Bind them."""
        self._tables = tables
        self._device = device

    @property
    def head(self) -> ChainHead:
        """Where the chain stands."""
        raw = self._tables.meta(_HEAD)
        if raw is not None:
            return msgspec.msgpack.decode(raw, type=ChainHead)
        # A replica of an earlier program: its ops bear no links, and are taken in as they are.
        return behind(genesis(self._device), self._ops(OpNumber(0), None))

    def append(self, n: OpNumber, body: bytes) -> None:
        """Bring the chain on behind a new op."""
        self._put(behind(self.head, [(n, hashlib.sha256(body).digest())]))

    def link_behind(self, n: OpNumber) -> bytes | None:
        """The link behind op `n`; None when the chain does not go so far, or that part of it is not known here."""
        head, begin = self.head, self._begin()
        if n >= head.n:
            return head.link if n == head.n else None
        if n < begin.server.n:
            return None
        following = next(self._ops(n, None), None)
        link = b"" if following is None or following[0] <= begin.told else self._link_before(following[0])
        return link or behind(begin.server, self._ops(begin.server.n, n)).link

    def _begin(self) -> _TakenUp:
        raw = self._tables.meta(_TAKEN_UP)
        if raw is not None:
            return msgspec.msgpack.decode(raw, type=_TakenUp)
        return _TakenUp(genesis(self._device), OpNumber(0))

    def digests(self, after: OpNumber, upto: OpNumber) -> dict[OpNumber, bytes]:
        """SHA-256 of each own op with after < n <= upto, rising."""
        return dict(self._ops(after, upto))

    def take_up(self, server: ChainHead) -> None:
        """Go on from where the server holds the chain: own ops beyond that are told to it as given up."""
        head = behind(server, self._ops(server.n, None))
        self._put(head)
        # Cut off before the server has heard of them, this must not be taken for a chain that differs once more.
        self._tables.set_meta(_TAKEN_UP, msgspec.msgpack.encode(_TakenUp(server, head.n)))

    def shred(self, n: OpNumber, body: bytes) -> None:
        """The op's bytes are about to be destroyed: keep what the chain needs of them."""
        self._tables.set_meta(_DIGEST.format(n=n), hashlib.sha256(body).digest())
        self._tables.set_meta(_LINK.format(n=n), reread_op(body).link)

    def digest(self, n: OpNumber) -> bytes:
        """SHA-256 of an own op; b"" when there is none of that number."""
        kept = self._tables.meta(_DIGEST.format(n=n))
        if kept is not None:
            return kept
        op = self._tables.op(n)
        return b"" if op is None else hashlib.sha256(op.body).digest()

    def _link_before(self, n: OpNumber) -> bytes:
        kept = self._tables.meta(_LINK.format(n=n))
        if kept is not None:
            return kept
        op = self._tables.op(n)
        return b"" if op is None else reread_op(op.body).link

    def _ops(self, after: OpNumber, upto: OpNumber | None) -> Iterator[tuple[OpNumber, bytes]]:
        """(number, SHA-256) of own ops with after < n <= upto, rising; None has no end."""
        while ops := self._tables.ops_in(OpState, after, PAGE_ROWS_MAX):
            for op in ops:
                if upto is not None and op.n > upto:
                    return
                yield op.n, self.digest(op.n)
            after = ops[-1].n

    def _put(self, head: ChainHead) -> None:
        self._tables.set_meta(_HEAD, msgspec.msgpack.encode(head))
