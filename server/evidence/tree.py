"""Whether the log's leaves give the tree that is kept, and whether signed heads of earlier days are heads of this log.

The first is arithmetic and shows damage and clumsy edits; somebody with the database and this program can redo it. The
second they cannot: an old checkpoint bears the log's signature, and no other leaves give its root (RFC 6962). So a log
that was cut short, rewritten as a whole or restored from an old backup is found out by whoever kept a checkpoint.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.errors import UsageError
from server.evidence.findings import Findings
from server.store.sqlite.inspection import Inspection
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.merkle import EMPTY, Frontier, Node, leaf_hash

_EDGE: Final = msgspec.msgpack.Decoder(Frontier)
_ALTERED: Final = "The log was altered behind the server's back, or its disk is failing"


class Pinned(msgspec.Struct, frozen=True):
    """A head of the log that somebody kept.

    Attributes:
        name: what it is called in words: its file.
        checkpoint: the head.
        trusted: whether its signatures were checked by a policy; otherwise it is only what the file says.
    """

    name: str
    checkpoint: Checkpoint
    trusted: bool


class TreeCheck:
    """Takes the leaves in their order, then compares."""

    def __init__(self, findings: Findings, pinned: Sequence[Pinned]) -> None:
        """Begin with no leaf.

        Args:
            findings: where to tell.
            pinned: heads that must be this log's.
        """
        self._findings = findings
        self._pinned = pinned
        self._roots = {one.checkpoint.size: b"" for one in pinned}
        self._nodes: dict[tuple[int, int], bytes] = {}
        self.tree = EMPTY
        """The right edge behind the leaves so far."""
        self._mark()

    def take(self, index: int, leaf: bytes) -> None:
        """The next leaf.

        Args:
            index: what the table says that it is.
            leaf: its bytes.
        """
        if index != self.tree.size:
            self._findings.wrong(
                "log", index, f"stands where entry {self.tree.size} must", "Entries of the log were taken out or moved."
            )
        self.tree, completed = self.tree.appended([leaf_hash(leaf)])
        self._nodes |= {(node.level, node.index): node.hash for node in completed}
        self._mark()

    def end(self, inspection: Inspection) -> None:
        """Compare with what is kept of the tree, and with the pinned heads."""
        self._findings.looked_at("entries of the log", self.tree.size)
        self._check_edge(inspection)
        for node in inspection.nodes():
            self._check_node(node)
        for level, index in sorted(self._nodes):
            self._findings.wrong("node", f"{level}/{index}", "is not there", f"{_ALTERED}; proofs cannot be made.")
        for one in self._pinned:
            self._check_pinned(one)

    def _mark(self) -> None:
        if self.tree.size in self._roots:
            self._roots[self.tree.size] = self.tree.root

    def _check_edge(self, inspection: Inspection) -> None:
        kept = inspection.edge()
        try:
            edges = [_EDGE.decode(one) for one in kept]
        except (msgspec.MsgspecError, UsageError):
            edges = []
        if edges != [self.tree]:
            told = f"{edges[0].size} entries with root {edges[0].root.hex()}" if len(edges) == 1 else "no right edge"
            self._findings.wrong(
                "tree",
                "1",
                f"says {told}, the leaves give {self.tree.size} with root {self.tree.root.hex()}",
                f"{_ALTERED}: entries were added, removed or changed since the tree was written.",
            )

    def _check_node(self, node: Node) -> None:
        expected = self._nodes.pop((node.level, node.index), None)
        if expected is None:
            self._findings.wrong("node", f"{node.level}/{node.index}", "belongs to no complete subtree", f"{_ALTERED}.")
        elif expected != node.hash:
            self._findings.wrong(
                "node",
                f"{node.level}/{node.index}",
                f"says {node.hash.hex()}, the leaves give {expected.hex()}",
                f"{_ALTERED}: proofs made from it would fail.",
            )

    def _check_pinned(self, pinned: Pinned) -> None:
        head = pinned.checkpoint
        if head.size > self.tree.size:
            self._findings.wrong(
                "log",
                pinned.name,
                f"the checkpoint has {head.size} entries, the log {self.tree.size}",
                "The log is shorter than it was: its end was cut off, or an old backup was restored.",
            )
        elif self._roots[head.size] != head.root:
            self._findings.wrong(
                "log",
                pinned.name,
                f"its first {head.size} entries give root {self._roots[head.size].hex()}, the checkpoint says "
                f"{head.root.hex()}",
                "This is not the log that the checkpoint is of, or its history was rewritten since (a fork).",
            )
        else:
            signed = "signed" if pinned.trusted else "unchecked (no policy was given)"
            self._findings.proven(
                f"the first {head.size} of the log's {self.tree.size} entries are those of the {signed} checkpoint "
                f"{pinned.name} of {head.origin}"
            )
