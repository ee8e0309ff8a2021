"""What the replica is told with a write, and what it tells when a transaction is done."""

import msgspec

from schemas.ids import Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq
from schemas.ops import Doubt
from schemas.roles import Role
from schemas.settings import DEFAULTS, Settings
from sync.clock import Made
from sync.replica.tables import StoredOp


class WriteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the core cannot know of a write: who, and the time.

    Attributes:
        author: the officer.
        now: the corrected clock (ms since 1970).
        wall: the device's uncorrected clock (ms since 1970).
        occurred_at: when it happened, as the author says (ms since 1970).
        why: the author's reason, or "".
        made: what the device's own clocks said; None where nothing better can be told later.
        doubt: what is doubtful about `now`.
        salt: 16 random bytes for the op (`Op.salt`).
        roles: what the author is, to ask what they may write; None asks for no role.
        holds: the audiences that the seat belongs to; None where that is not known, and is left to the server.
        settings: the force's, for the rules of police work.
    """

    author: OfficerId
    now: Millis
    wall: Millis
    occurred_at: Millis
    why: str = ""
    made: Made | None = None
    doubt: Doubt = Doubt(0)
    salt: bytes = b""
    roles: frozenset[Role] | None = None
    holds: frozenset[ScopeName] | None = None
    settings: Settings = DEFAULTS


class Outcome(msgspec.Struct):
    """What a transaction did, for whoever tells the application and the server.

    Attributes:
        touched: records whose view may have changed.
        positions: scope -> seq that is now held.
        removed: (scope, generation, records that left with it) for each scope that was dropped.
        differ: scopes whose digest is not the server's.
        durable, held: numbers of this device's ops that became so.
        again: numbers of ops that were sent to wait in this session and may go on: `DeviceSession.offer_again`.
        reissued: old number -> new number of ops that were issued again; the new ones are to be pushed.
        withdrawn: numbers of ops that were withdrawn.
        sealed: numbers of ops that were sealed to the server, for a supervisor.
        erased: numbers of ops that the server had not taken in, and that went with their record's erasure.
        copied: whether the server holds this seat's chain otherwise than this replica: one of them was set back, or
            another program uses this device's identity.
    """

    touched: set[RecordId] = msgspec.field(default_factory=set)
    positions: dict[ScopeName, Seq] = msgspec.field(default_factory=dict)
    removed: list[tuple[ScopeName, Generation, int]] = msgspec.field(default_factory=list)
    differ: list[ScopeName] = msgspec.field(default_factory=list)
    durable: list[OpNumber] = msgspec.field(default_factory=list)
    held: list[OpNumber] = msgspec.field(default_factory=list)
    again: list[OpNumber] = msgspec.field(default_factory=list)
    reissued: dict[OpNumber, OpNumber] = msgspec.field(default_factory=dict)
    withdrawn: list[OpNumber] = msgspec.field(default_factory=list)
    sealed: list[OpNumber] = msgspec.field(default_factory=list)
    erased: list[OpNumber] = msgspec.field(default_factory=list)
    copied: bool = False


class Dependants(msgspec.Struct, frozen=True):
    """What waits behind a refused op: to be told to the officer before they withdraw it.

    Attributes:
        ops: in order of number.
        go_with_it: whether withdrawing withdraws these too, because it is the op that makes their record. Otherwise
            they are issued again and go on.
    """

    ops: tuple[StoredOp, ...]
    go_with_it: bool
