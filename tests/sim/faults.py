"""Where a node may crash, and what breaks when a promise does.

Every place at which a power cut makes a difference calls `Fuse.point`. Counting them in a first run and then crashing
at each one in turn finds what random crashes miss.
"""

from collections.abc import Sequence

from schemas.ids import OpNumber, RecordId, ScopeName, Seq
from sync.replica.tables import MemoryTables, StoredOp, StoredPosition


class PromiseBroken(AssertionError):  # noqa: N818  a promise is not an error
    """An oracle was contradicted."""

    def __init__(self, promise: int, text: str) -> None:
        """Name the promise of DESIGN section 2; 0 for what holds them together: no protocol errors, no endless loop."""
        self.promise = promise
        super().__init__(f"promise {promise}: {text}")


def require(promise: int, holds: object, text: str) -> None:
    """Fail unless `holds`."""
    if not holds:
        raise PromiseBroken(promise, text)


class Crash(BaseException):
    """The power of one node is cut, here and now. Nothing in the product may catch it."""

    def __init__(self, node: str) -> None:
        """Name the node."""
        self.node = node
        super().__init__(node)


class Fuse:
    """Counts the crash points that are passed, and cuts the power at one of them."""

    def __init__(self) -> None:
        """Never blow, until told."""
        self.passed: list[str] = []
        self.left: int | None = None

    def point(self, node: str, where: str) -> None:
        """A place at which `node` may lose its power."""
        self.passed.append(f"{node} {where}")
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise Crash(node)


class FusedTables(MemoryTables):
    """A replica's disk on which every single write is a crash point."""

    def __init__(self, fuse: Fuse, node: str) -> None:
        """Bind the fuse."""
        super().__init__()
        self._fuse = fuse
        self._node = node

    def held(self) -> frozenset[RecordId]:
        """Every record of which there is a row."""
        return frozenset(self._rows)

    def set_meta(self, key: str, value: bytes) -> None:
        """See `Tables`."""
        self._fuse.point(self._node, f"inside, meta {key}")
        super().set_meta(key, value)

    def put_row(self, record: RecordId, kind: str, version: Seq, body: bytes) -> None:
        """See `Tables`."""
        self._fuse.point(self._node, "inside, put row")
        super().put_row(record, kind, version, body)

    def drop_row(self, record: RecordId) -> None:
        """See `Tables`."""
        self._fuse.point(self._node, "inside, drop row")
        super().drop_row(record)

    def put_members(self, scope: ScopeName, members: Sequence[tuple[RecordId, Seq]]) -> None:
        """See `Tables`."""
        for one in members:
            self._fuse.point(self._node, "inside, put member")
            super().put_members(scope, [one])

    def drop_member(self, scope: ScopeName, record: RecordId) -> None:
        """See `Tables`."""
        self._fuse.point(self._node, "inside, drop member")
        super().drop_member(scope, record)

    def put_position(self, scope: ScopeName, position: StoredPosition) -> None:
        """See `Tables`."""
        self._fuse.point(self._node, "inside, put position")
        super().put_position(scope, position)

    def drop_position(self, scope: ScopeName) -> None:
        """See `Tables`."""
        self._fuse.point(self._node, "inside, drop position")
        super().drop_position(scope)

    def put_op(self, op: StoredOp) -> None:
        """See `Tables`."""
        self._fuse.point(self._node, f"inside, put op {OpNumber(op.n)} {op.state.value}")
        super().put_op(op)
