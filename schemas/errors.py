"""The one registry of errors: stable code, close code, recovery, meaning, and what whoever meets it does.

A code is for ever: it is never given another meaning, and a retired one is not used again. No text of an error on the
wire holds anything of the inside of the program.

    BeatbookError
    ├── PeerError        what the other side did wrong; becomes an ERROR message and a close
    │   └── FrameError   its bytes are not a message at all
    └── LocalError       what this program or its surroundings did wrong; never sent as it is
        ├── ReplicaError     the replica's file cannot be used
        ├── StoreError       the server's data folder cannot be used
        └── UsageError       a call or a command that cannot be carried out as it was given
"""

import enum
from typing import Final

import msgspec


class Recovery(enum.Enum):
    """What a device does after an error. It never loses its outbox, whatever this says."""

    RETRY = "retry"
    REAUTH = "reauth"
    RESNAPSHOT = "resnapshot"
    UPGRADE = "upgrade"
    QUARANTINE = "quarantine"
    STOP = "stop"


RECOVERY_MEANING: Final = {
    Recovery.RETRY: "Come back after retry_after_ms, or with jittered backoff when it is absent.",
    Recovery.REAUTH: "The device is not who it says, or no longer is: identify again before coming back.",
    Recovery.RESNAPSHOT: "Come back without a position for the scope that the error names: it is sent anew.",
    Recovery.UPGRADE: "This program is too old or too new for the server: read only until it is replaced.",
    Recovery.QUARANTINE: "The op at fault is held on the device and shown to the officer; everything else goes on.",
    Recovery.STOP: (
        "A fault of the program: coming back at once would only repeat it. Wait the longest backoff, report it."
    ),
}


class ErrorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the registry.

    Attributes:
        code: stable name, lower case with underscores.
        close: WebSocket close code that follows it (RFC 6455 section 7.4), or None when the connection stays open.
        recovery: what a device does.
        meaning: what happened, for an integrator.
        action: what the officer or the integrator does about it.
    """

    code: str
    close: int | None
    recovery: Recovery
    meaning: str
    action: str


def _spec(code: str, close: int | None, recovery: Recovery, meaning: str, action: str) -> ErrorSpec:
    return ErrorSpec(code=code, close=close, recovery=recovery, meaning=meaning, action=action)


_R = Recovery
_SPECS: Final = (
    # The connection: bytes that are no message.
    _spec(
        "text_frame",
        4400,
        _R.STOP,
        "A text frame arrived; every message is a binary frame.",
        "Send MessagePack in binary frames.",
    ),
    _spec(
        "not_msgpack",
        4401,
        _R.STOP,
        "The bytes are not exactly one MessagePack value.",
        "Send one whole value in a message, nothing after it.",
    ),
    _spec(
        "unknown_type",
        4402,
        _R.STOP,
        "The message's type `t` is absent or not one of this side's.",
        "Check `t` against docs/protocol.md.",
    ),
    _spec(
        "too_long",
        1009,
        _R.STOP,
        "A message or a text in it is longer than the limit.",
        "Split it: see the limits in docs/protocol.md.",
    ),
    _spec("too_deep", 4403, _R.STOP, "Arrays and maps are nested deeper than the limit.", "Flatten the value."),
    _spec(
        "too_many",
        4404,
        _R.STOP,
        "An array, a map or the whole message has more elements than the limit.",
        "Send less at once.",
    ),
    _spec(
        "bad_value",
        4405,
        _R.STOP,
        "A value that languages read differently: an extension type, an integer beyond 2^53, NaN or infinity, text "
        "that is not UTF-8, a map key that is not text or comes twice in its map.",
        "Send it as text or bin, each key once.",
    ),
    _spec(
        "wrong_field",
        4406,
        _R.STOP,
        "A field is missing, of the wrong type or out of its range.",
        "Compare the message with schemas/json/.",
    ),
    _spec(
        "too_many_fragments",
        1002,
        _R.STOP,
        "A message came in more WebSocket frames than the limit, or too many control frames came between two messages.",
        "Send a message in one frame.",
    ),
    _spec(
        "broken_frame",
        1002,
        _R.STOP,
        "The WebSocket framing itself is broken (RFC 6455).",
        "Use a conforming WebSocket library.",
    ),
    # The connection: a message at the wrong moment or of the wrong sender.
    _spec(
        "out_of_order",
        4410,
        _R.STOP,
        "This message may not come in this state of the session.",
        "Follow the states in docs/protocol.md.",
    ),
    _spec("hello_late", 4411, _R.RETRY, "No HELLO came in time.", "Come back; check the link if it repeats."),
    _spec("silent", 4412, _R.RETRY, "Nothing came from the device for longer than three heartbeats.", "Come back."),
    _spec(
        "server_silent",
        4413,
        _R.RETRY,
        "The server did not answer a heartbeat (a device says it to itself).",
        "Come back.",
    ),
    _spec(
        "bad_proof",
        4420,
        _R.REAUTH,
        "The signature over nonce and HELLO does not fit the device's key.",
        "Check the device's key; enrol it again if it was replaced.",
    ),
    _spec("unknown_device", 4421, _R.REAUTH, "No such device is enrolled.", "Have it enrolled."),
    _spec(
        "replaced",
        4422,
        _R.RETRY,
        "The same device connected again; the older connection ends.",
        "Nothing, unless it repeats: then two programs use one device's identity.",
    ),
    _spec(
        "upgrade_required",
        4423,
        _R.UPGRADE,
        "The protocol or schema version is outside what this server speaks.",
        "Update the program.",
    ),
    _spec(
        "foreign_op",
        4424,
        _R.STOP,
        "A PUSH holds an op of another device.",
        "Push only ops of the device that said HELLO.",
    ),
    _spec(
        "credit_exceeded",
        4425,
        _R.STOP,
        "More bytes were sent than the other side had granted.",
        "Count payload bytes against the credit.",
    ),
    _spec(
        "credit_overflow",
        4426,
        _R.STOP,
        "More credit was granted than a device may hold.",
        "Return only the bytes that were taken in.",
    ),
    _spec(
        "too_fast",
        4427,
        _R.RETRY,
        "More messages a second than the limit.",
        "Send less often; gather ops into one PUSH.",
    ),
    _spec(
        "not_granted",
        4428,
        _R.RETRY,
        "The message names a scope or generation that this session does not hold.",
        "Come back; WELCOME tells the scopes.",
    ),
    _spec(
        "bad_token",
        4430,
        _R.REAUTH,
        "The session token is missing, expired, of another device, or its sign-in has ended.",
        "Sign in again; what was written waits on the device.",
    ),
    _spec(
        "device_revoked",
        4431,
        _R.REAUTH,
        "The device or its officer's right to use it was revoked.",
        "Hand the device to a supervisor; what it had not sent stays sealed on it.",
    ),
    _spec(
        "chain_broken",
        4432,
        _R.STOP,
        "The ops do not follow the seat's chain, or the signature over its head does not fit: the replica was altered, "
        "copied or set back.",
        "Have the device looked at; its ops are on it still.",
    ),
    _spec(
        "bad_receipt",
        4433,
        _R.STOP,
        "The signature under a receipt does not fit the device's key.",
        "Check the device's program: receipts are signed over the bytes that docs/protocol.md tells.",
    ),
    # The connection: the server's own state.
    _spec(
        "server_stopping",
        1012,
        _R.RETRY,
        "The server is being stopped or restarted.",
        "Come back after retry_after_ms: nothing is lost.",
    ),
    _spec("server_busy", 1013, _R.RETRY, "The server cannot take this now.", "Come back after retry_after_ms."),
    _spec(
        "internal",
        1011,
        _R.RETRY,
        "The server failed at something that is not the device's fault.",
        "Come back; tell force IT if it repeats.",
    ),
    # A device's own check of what the server sent.
    _spec(
        "gap",
        4440,
        _R.RETRY,
        "A batch does not start where this scope stands: something is missing in between.",
        "Come back and resume; a batch is never guessed.",
    ),
    _spec(
        "not_welcome",
        4441,
        _R.STOP,
        "The server's message does not follow the protocol.",
        "Tell force IT: server and device disagree about the protocol.",
    ),
    _spec(
        "base_differs",
        4442,
        _R.RETRY,
        "A record came as a difference from another copy than the one that is held.",
        "Come back and resume: the record comes whole. Tell force IT when it happens again and again.",
    ),
    # One op; the connection stays open.
    _spec(
        "op_reused",
        None,
        _R.QUARANTINE,
        "This op number was used before for another op: the replica was copied or set back.",
        "Nothing: the device sends the change again under a new number. Have the device looked at; it may be a copy.",
    ),
    _spec(
        "op_saw_unknown",
        None,
        _R.RETRY,
        "The op's author saw a change that the server does not hold: it was set back, and that one is still to come.",
        "Nothing: the change is sent again when the other one has come.",
    ),
    _spec(
        "op_value_newer",
        None,
        _R.RETRY,
        "A new record must have this value, and the server, older than the device, does not know it yet.",
        "Nothing: the change is sent again, and taken once the server is updated.",
    ),
    _spec(
        "op_by_rule_only",
        None,
        _R.QUARANTINE,
        "The record or field is written by the rules alone.",
        "Change the record that it is about; to settle a disagreement, decide in the inbox.",
    ),
    _spec(
        "op_transition",
        None,
        _R.QUARANTINE,
        "From the state that the author saw there is no such step.",
        "Look at the record as it is now and choose a step that the text names.",
    ),
    _spec(
        "op_decision_awaited",
        None,
        _R.QUARANTINE,
        "People differ about this value and a decision is awaited.",
        "Decide it in the inbox, or ask the person named there.",
    ),
    _spec(
        "op_claim_held",
        None,
        _R.QUARANTINE,
        "Somebody holds what the op claims, and its author could see that.",
        "Choose another one that is free, or ask the holder to release it.",
    ),
    _spec(
        "op_reservation_long",
        None,
        _R.QUARANTINE,
        "The reservation would last longer than the limit.",
        "Reserve for a shorter time.",
    ),
    _spec(
        "op_not_entitled",
        None,
        _R.QUARANTINE,
        "The author has not the role that this change needs.",
        "Ask whoever the text names to do it; a log entry can say what they should know.",
    ),
    _spec(
        "op_kind_unknown",
        None,
        _R.QUARANTINE,
        "The server knows no such record kind.",
        "Update the server, then enter the change anew.",
    ),
    _spec(
        "op_kind_differs",
        None,
        _R.QUARANTINE,
        "The record is of another kind than the op says.",
        "Report it: two records share an id.",
    ),
    _spec(
        "op_field_unknown",
        None,
        _R.QUARANTINE,
        "The kind has no such field.",
        "Update the server, then enter the change anew.",
    ),
    _spec(
        "op_field_missing", None, _R.QUARANTINE, "A new record lacks a field that it must have.", "Fill the field in."
    ),
    _spec(
        "op_value_wrong",
        None,
        _R.QUARANTINE,
        "A value does not fit its field.",
        "Mend the value: the text says what the field takes.",
    ),
    _spec(
        "op_record_unknown",
        None,
        _R.QUARANTINE,
        "The op changes a record that the server does not hold.",
        "The op that makes the record was refused or lost: enter the record anew.",
    ),
    _spec(
        "op_record_exists",
        None,
        _R.QUARANTINE,
        "The op makes a record that is there already.",
        "Edit the record instead.",
    ),
    _spec(
        "op_not_permitted",
        None,
        _R.QUARANTINE,
        "The device holds no grant for any scope that this record is in.",
        "Ask a supervisor for the grant, or to enter the change.",
    ),
    _spec(
        "op_record_erased",
        None,
        _R.QUARANTINE,
        "The record was erased when its retention ended; nothing brings it back.",
        "Make a new record if what happened since must be recorded.",
    ),
    _spec(
        "op_record_full",
        None,
        _R.QUARANTINE,
        "The record would grow past its limit.",
        "Open a linked record and go on there.",
    ),
    _spec(
        "op_scopes_too_many",
        None,
        _R.QUARANTINE,
        "The record would be in more scopes than the limit.",
        "Choose a wider audience instead of many narrow ones.",
    ),
)

ERRORS: Final[dict[str, ErrorSpec]] = {spec.code: spec for spec in _SPECS}


class BeatbookError(Exception):
    """Everything that Beatbook raises on purpose."""


class PeerError(BeatbookError):
    """The other side broke the protocol, or may not do what it asked.

    Attributes:
        spec: the entry of the registry.
        detail: which message or field, for the peer's developer; never holds content of a record.
        retry_after_ms: when to come back, where the registry's recovery is `retry`.
    """

    def __init__(self, code: str, detail: str = "", retry_after_ms: int | None = None) -> None:
        """Look `code` up in the registry; an unknown one is our own fault (KeyError)."""
        self.spec = ERRORS[code]
        self.detail = detail
        self.retry_after_ms = retry_after_ms
        super().__init__(f"{code}: {detail or self.spec.meaning}")


class FrameError(PeerError):
    """The bytes that came are not a message at all."""


class LocalError(BeatbookError):
    """Something on this side: a file, a folder, a setting, a call. The text says what, where and what to do."""


class ReplicaError(LocalError):
    """The replica's file cannot be used as it is."""


class StoreError(LocalError):
    """The server's data folder cannot be used as it is."""


class UsageError(LocalError):
    """A call or a command that cannot be carried out as it was given."""
