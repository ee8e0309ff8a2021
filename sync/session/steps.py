"""What a server's session is told, what it asks its shell to do, and in which words."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from schemas import wire
from schemas.ids import DeviceId, Epoch, Generation, Millis, OfficerId, OpNumber, ScopeName, Seq
from sync.evidence.chain import ChainHead, SignedHead


class Head(msgspec.Struct, frozen=True):
    """Where a scope's log stands.

    Attributes:
        seq: its last commit; 0 for none.
        digest, count: over its members at that commit.
    """

    seq: Seq
    digest: bytes
    count: int


class Grant(msgspec.Struct, frozen=True):
    """A right to one scope.

    Attributes:
        gen: rises with every change of the grant.
        head: where the scope's log stands at this moment.
    """

    gen: Generation
    head: Head


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What the shell found out about the device that said HELLO.

    Attributes:
        public_key: its Ed25519 key, 32 bytes.
        grants: its scopes.
        epoch: the server's history.
        last_op: highest number of its ops that the store holds.
        officer: whose seat it is: every op pushed must be theirs. None asks for nobody's in particular.
        chain: where the store holds the seat's chain; None where chains are not kept.
        lease, checkpoint, consistency, reads_kept: as in WELCOME.
        reads_missing: whether the seat's read log was found not to be the one that is held, before.
        wipe: why the device must destroy what it holds; None when it need not.
    """

    public_key: bytes
    grants: Mapping[ScopeName, Grant]
    epoch: Epoch
    last_op: OpNumber
    officer: OfficerId | None = None
    chain: ChainHead | None = None
    lease: wire.Lease | None = None
    checkpoint: bytes = b""
    consistency: tuple[bytes, ...] = ()
    reads_kept: int = 0
    reads_missing: bool = False
    wipe: str | None = None


class CheckHello(msgspec.Struct, frozen=True):
    """Demand: look the device up, then call `admit` or `fail`.

    Attributes:
        device: who it says it is.
        body: all that it says.
    """

    device: DeviceId
    body: wire.HelloBody


class Commit(msgspec.Struct, frozen=True):
    """Demand: make these ops durable, then call `committed`.

    Attributes:
        ops: their bytes, in order.
        size: payload bytes of the PUSH, to be given back as credit.
        times: number of an op -> a better reading of when it was made than the op has (ms since 1970).
        head: what the device signed for them; None when the store holds that head already, or keeps none.
        unsent: number -> SHA-256 of ops that the head vouches for and that are not among these.
        since: the earliest of the ops' own clock readings (ms since 1970); None where there are no ops.
    """

    ops: tuple[bytes, ...]
    size: int
    times: Mapping[OpNumber, Millis] = {}
    head: SignedHead | None = None
    unsent: Mapping[OpNumber, bytes] = {}
    since: Millis | None = None


class KeepReads(msgspec.Struct, frozen=True):
    """Demand: make entries of the device's read log durable, then call `reads_kept`.

    Attributes:
        first: number of the first.
        entries: their bytes, in order.
        size: payload bytes of the READS, to be given back as credit.
    """

    first: int
    entries: tuple[bytes, ...]
    size: int


class KeepSealed(msgspec.Struct, frozen=True):
    """Demand: make sealed edits durable for a supervisor, then call `quarantined`.

    Attributes:
        edits: (the device's own id, sealed bytes).
        size: payload bytes of the QUARANTINE, to be given back as credit.
    """

    edits: tuple[tuple[int, bytes], ...]
    size: int


class Receipt(msgspec.Struct, frozen=True):
    """Demand: keep what the device signed of a scope that it removed, or of having destroyed all it held.

    Attributes:
        message: RETRACTED or WIPED, its signature checked; one without a signature of a device that gives none.
    """

    message: wire.Retracted | wire.Wiped


class Send(msgspec.Struct, frozen=True):
    """Step: send this frame."""

    frame: bytes


class WantChanges(msgspec.Struct, frozen=True):
    """Step: read the scope's changes behind `after`, then call `changes_read`.

    Attributes:
        scope, gen, after: whose, and from where.
        log: whether the log itself must be read. A frame of a recent commit may be older than what went out just
            before, and its digest would then look like damage.
    """

    scope: ScopeName
    gen: Generation
    after: Seq
    log: bool


class WantPage(msgspec.Struct, frozen=True):
    """Step: read the scope's records in (after, upto] in order of id, then call `page_read`."""

    scope: ScopeName
    after: str
    upto: str
    gen: Generation


class WantRanges(msgspec.Struct, frozen=True):
    """Step: compute the digests of these ranges, then call `ranges_read`."""

    scope: ScopeName
    ranges: tuple[wire.Range, ...]


class Fresh(Protocol):
    """A commit that has just happened, in one scope, with what to send of it to whoever stands right before it.

    Attributes:
        scope: which.
        frm, to: where the scope stood before, and where it stands now.
    """

    @property
    def scope(self) -> ScopeName:
        """See above."""

    @property
    def frm(self) -> Seq:
        """See above."""

    @property
    def to(self) -> Seq:
        """See above."""

    def framed(self, gen: Generation, diffs: bool) -> tuple[bytes, bytes]:  # noqa: FBT001  one of two forms, each call
        """The BATCH for those who hold this grant, and the same as the shell sends it.

        Args:
            gen: of the grant.
            diffs: whether the device takes changed rows as differences.
        """


Form = tuple[Generation, bool]
"""What those have in common who are sent the same of a commit: as `Fresh.framed` takes it."""
Demand = CheckHello | Commit | KeepReads | KeepSealed | Receipt
Want = WantChanges | WantPage | WantRanges
Step = Send | Want
