"""A disclosure export checked with neither server nor database, and in plain words what it proves and what not."""

import hashlib
from typing import Final

import msgspec

from schemas.codec import decode_row, reread_op
from schemas.errors import BeatbookError, FrameError, StoreError
from schemas.ids import DeviceId, OpId, OpNumber, op_id
from server import logbook
from server.evidence import page
from server.evidence.exported import (
    EVIDENCE,
    PAGE,
    STORY,
    EntryEvidence,
    Evidence,
    OpEvidence,
    Proven,
    RowEvidence,
    evidence_in,
    op_leaf,
)
from server.evidence.findings import Findings, Report
from server.evidence.story import verified
from server.logbook import ACT, HEAD, OFFICE
from server.registry.acts import Act, DeviceEnrolled, KeyRenewed, SeatOpened, decode
from sync.evidence.chain import SignedHead, head_words, link_after
from sync.evidence.leaf import EntryLeaf, RowsLeaf
from sync.evidence.leaf import decode as decode_leaf
from sync.evidence.merkle import leaf_hash, verify_inclusion
from sync.evidence.note import EvidenceError, VerifierKey
from sync.evidence.policy import Policy, Witnessed
from sync.explain.values import moment

_ALTERED: Final = "It was altered after it was given out, or made by somebody else."


def check(files: dict[str, bytes], policy: Policy | None) -> Report:
    """Check an export.

    Args:
        files: as `server.evidence.exported.read` gives them.
        policy: whose signatures count; None to take the key that came along, which is said.

    Raises:
        UsageError: it cannot be read at all.
    """
    evidence = evidence_in(files)
    return _Check(evidence, files).run(policy)


class _Check:
    """One export being checked."""

    def __init__(self, evidence: Evidence, files: dict[str, bytes]) -> None:
        self._evidence = evidence
        self._files = files
        self._findings = Findings()
        self._signed: dict[OpId, tuple[bytes, bytes]] = {}
        """Op -> (its SHA-256, the link before it) of what devices signed."""

    def run(self, policy: Policy | None) -> Report:
        head = self._head(policy)
        if head is None:
            return self._findings.report()
        for one in self._evidence.entries():
            self._entry(one, head)
        acts = self._acts()
        for signed in self._evidence.heads:
            self._signed_head(signed, acts)
        names = [name for name in map(self._op, self._evidence.ops) if name is not None]
        for row in self._evidence.rows:
            self._row(row, set(names))
        for read in self._evidence.reads:
            self._about(read.proven, EntryLeaf, "a read")
        self._readable()
        if not self._findings.total:
            self._prove(head, policy)
        return self._findings.report()

    # --- the log -----------------------------------------------------------------------------------------------------

    def _head(self, policy: Policy | None) -> Witnessed | None:
        try:
            trusted = policy or Policy.of([VerifierKey.parse(self._evidence.log)])
            head = trusted.open(self._evidence.checkpoint)
        except EvidenceError as error:
            self._wrong("checkpoint", str(error), "Nothing in the export is proven by this log.")
            return None
        if policy is None:
            self._findings.note(
                "the log's key was taken from the export itself: compare it with what the force has published, or name "
                f"it with --log ({self._evidence.log})"
            )
        return head

    def _entry(self, one: Proven, head: Witnessed) -> None:
        self._findings.looked_at("proofs")
        log = head.checkpoint
        if not verify_inclusion(one.index, log.size, leaf_hash(one.leaf), log.root, one.path):
            self._wrong(f"entry {one.index}", "is not in the log at that place", _ALTERED)

    def _about(self, proven: Proven, kind: type[EntryLeaf] | type[RowsLeaf], what: str) -> EntryLeaf | RowsLeaf | None:
        try:
            leaf = decode_leaf(proven.leaf)
        except StoreError as error:
            self._wrong(f"entry {proven.index}", str(error), _ALTERED)
            return None
        if isinstance(leaf, kind):
            return leaf
        self._wrong(f"entry {proven.index}", f"is not that of {what}", _ALTERED)
        return None

    def _kept(self, one: EntryEvidence, what: str) -> bool:
        """Whether a journal entry is the one that the log has."""
        leaf = self._about(one.proven, EntryLeaf, f"{what} {one.key}")
        digest = hashlib.sha256(one.body).digest()
        if not isinstance(leaf, EntryLeaf) or one.what != what:
            return False
        if (leaf.what, leaf.key, leaf.digest) == (one.what, one.key, digest):
            return True
        self._wrong(f"{what} {one.key}", "is not what the log has of it", _ALTERED)
        return False

    # --- who signed --------------------------------------------------------------------------------------------------

    def _acts(self) -> list[tuple[int, Act]]:
        found = []
        for one in self._evidence.acts:
            if self._kept(one, ACT):
                try:
                    found.append((one.proven.index, decode(one.body)))
                except StoreError as error:
                    self._wrong(f"act {one.key}", str(error), _ALTERED)
        return sorted(found, key=lambda one: one[0])

    def _signed_head(self, one: EntryEvidence, acts: list[tuple[int, Act]]) -> None:
        if not self._kept(one, HEAD):
            return
        try:
            signed = msgspec.msgpack.decode(one.body, type=SignedHead)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._wrong(f"head {one.key}", f"cannot be read ({error})", _ALTERED)
            return
        self._findings.looked_at("signatures of devices")
        key = _key_of(signed.seat, [act for index, act in acts if index < one.proven.index])
        if key is None or not verified(key, head_words(signed.seat, signed.head), signed.signature):
            said = (
                "no act in here says whose key that is" if key is None else "the signature is not by the device's key"
            )
            self._wrong(f"head {one.key}", said, "Nothing shows that the device wrote the ops that it covers.")
            return
        link = signed.before
        for n, digest in signed.ops:
            self._signed[op_id(signed.seat, n)] = (digest, link)
            link = link_after(link, OpNumber(n), digest)

    # --- what was written --------------------------------------------------------------------------------------------

    def _op(self, one: OpEvidence) -> OpId | None:
        self._findings.looked_at("ops")
        try:
            leaf, op = op_leaf(one), reread_op(one.body)
        except (BeatbookError, FrameError) as error:
            self._wrong(f"entry {one.proven.index}", str(error), _ALTERED)
            return None
        digest = hashlib.sha256(one.body).digest()
        if (leaf.id, leaf.digest) != (op.id, digest):
            self._wrong(f"op {op.id}", "its bytes are not those that the log has", _ALTERED)
        if logbook.outcome_digest(one.result, one.acts) != leaf.outcome:
            self._wrong(f"op {op.id}", "what became of it is not what the log has", _ALTERED)
        if op.device != OFFICE:
            self._covered(op.id, digest, op.link if op.link or op.salt else None)
        return op.id

    def _covered(self, op: OpId, digest: bytes, link: bytes | None) -> None:
        signed = self._signed.get(op)
        if signed is None or signed[0] != digest:
            self._wrong(f"op {op}", "no device's signature in here covers it", "Nothing shows which device wrote it.")
        elif link not in (None, signed[1]):
            self._wrong(f"op {op}", "names another op before it than its device signed", _ALTERED)

    def _row(self, one: RowEvidence, ops: set[OpId]) -> None:
        leaf = self._about(one.proven, RowsLeaf, "a commit")
        try:
            row = decode_row(one.body)
        except FrameError as error:
            self._wrong("record", f"cannot be read ({error})", _ALTERED)
            return
        self._findings.looked_at("records")
        digest = hashlib.sha256(one.body).digest()
        if isinstance(leaf, RowsLeaf) and ((row.id, digest) not in leaf.rows or leaf.seq != row.v):
            self._wrong(f"record {row.id}", "is not what the commit left", _ALTERED)
        missing = sorted({stamp.op for stamp in row.stamps} - ops) if row.id == self._evidence.record else []
        if missing:
            self._wrong(
                f"record {row.id}",
                f"ops whose values stand are not in here: {', '.join(missing)}",
                "Some were left out.",
            )

    def _readable(self) -> None:
        if self._findings.total:
            self._findings.note("the readable pages were not compared: the evidence that they tell is altered")
            return
        try:
            expected = page.readable(self._evidence, self._files[EVIDENCE])
        except BeatbookError as error:
            self._wrong(STORY, str(error), _ALTERED)
            return
        for name in (STORY, PAGE):
            if self._files[name] != expected[name]:
                self._wrong(
                    name,
                    "is not what the evidence gives",
                    "What is read there is not what is proven; or another version of this program made it.",
                )

    def _prove(self, head: Witnessed, policy: Policy | None) -> None:
        evidence, log = self._evidence, head.checkpoint
        by = ", ".join(f"{name} ({moment(at * 1_000)})" for name, at in sorted(head.cosigned_s.items()))
        signed = sum(1 for one in evidence.ops if reread_op(one.body).device != OFFICE)
        self._findings.proven(
            f"each of the {len(evidence.ops)} ops in here stands at its place in the log {log.origin}, which had "
            f"{log.size} entries; neither its bytes nor what became of it were changed since"
        )
        self._findings.proven(
            f"{signed} of them were signed by devices whose keys the log names; the others the server itself wrote"
        )
        self._findings.proven("the readable pages say what the evidence says, to the letter")
        self._findings.proven(
            f"the log's head is cosigned by {by}" if by else "the log's head is signed by the log alone"
        )
        self._findings.note(
            "not proven: that what somebody wrote is true; that nothing was written about the record after this "
            "commit; and of who looked at it, more than the hash that the log holds"
        )
        if policy is not None:
            self._findings.proven("the log's key is the one that you named")

    def _wrong(self, row: str, differs: str, means: str) -> None:
        self._findings.wrong("export", row, differs, means)


def _key_of(seat: DeviceId, acts: list[Act]) -> bytes | None:
    """The key of a seat's device as the acts before a head name it."""
    device = next((act.device for act in acts if isinstance(act, SeatOpened) and act.seat == seat), None)
    keys = [act.public_key for act in acts if isinstance(act, DeviceEnrolled | KeyRenewed) and act.device == device]
    return keys[-1] if keys else None
