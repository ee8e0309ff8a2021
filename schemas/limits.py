"""Every bound of Beatbook, unit last in its name, with its reason and its asserted relation to its neighbours.

A bound that a client in another language must know is also told in docs/protocol.md, from this module.
"""

from typing import Final

KIB: Final = 1024

# --- one WebSocket message ------------------------------------------------------------------------------
MESSAGE_BYTES_MAX: Final = 256 * KIB
"""A whole message, either way. A handheld on 3G receives it in seconds, and a server of 8,000 devices that all
send one at once still fits in memory (2 GiB)."""

FRAGMENTS_MAX: Final = 16
"""WebSocket frames of one message. Without a bound, 500,000 empty continuation frames stall the event loop for
seconds."""

CONTROL_FRAMES_MAX: Final = 64
"""WebSocket ping, pong frames between two data messages: each is answered, so a flood of them is work for nothing."""

DEPTH_MAX: Final = 16
"""Arrays and maps inside each other. The deepest message of ours (a row in a batch) is 8 deep."""

OP_DEPTH_MAX: Final = 11
"""Arrays and maps inside each other in an op. A value of it may come to stand five levels deeper in a batch."""

ARRAY_LEN_MAX: Final = 2_048
"""Elements of one array. The longest of ours is the rows of a page, or the entries of one `grow` field."""

MAP_LEN_MAX: Final = 256
"""Pairs of one map. The widest of ours is the fields of one record."""

ELEMENTS_UP_MAX: Final = 16_384
"""Values in what a device sends: a message, the body of HELLO, an op. Ops travel as bytes, so its messages have few;
the server looks at each value before it knows whom it talks to. A booking has most growing fields, and one op may
append to all of them."""

TEXT_BYTES_MAX: Final = 32 * KIB
"""One text value. A briefing's body is the longest text there is."""

HELLO_BODY_BYTES_MAX: Final = 128 * KIB
"""What a device says of itself. With all the scopes it may hold, each in the middle of a snapshot, it is under
64 KiB."""

DETAIL_CHARS_MAX: Final = 500
"""What an error or a refused op's result tells the developer at the other side; longer texts are cut."""

INT_MAX: Final = 2**53
"""Largest magnitude of an integer on the wire: beyond it, languages whose numbers are doubles read another number."""

# --- ops and records ------------------------------------------------------------------------------------
OP_BYTES_MAX: Final = 48 * KIB
"""One op. It holds at least one text of the largest size beside its own fields."""

OP_BASE_BYTES_MAX: Final = 4 * KIB
"""The longest op that the next one may be told as a difference from: each connection keeps its last one."""

OP_TEXT_CHARS_MAX: Final = 20_000
"""Characters of the longest text field; in UTF-8 of plain English it is well inside TEXT_BYTES_MAX."""

REASON_CHARS_MAX: Final = 1_000
"""An author's reason for a change: a few sentences."""

RECORD_BYTES_MAX: Final = 128 * KIB
"""One record with all its entries: 600 log entries of 200 bytes. It must fit in a message beside a commit's other
rows."""

ENTRIES_PER_FIELD_MAX: Final = 1_024
"""Entries of one `grow` field: an observation every 15 min for ten days."""

FIELDS_PER_OP_MAX: Final = 64
"""Fields that one op changes."""

ENTRIES_PER_OP_MAX: Final = 64
"""Entries that one op appends to one field."""

SEEN_OPS_MAX: Final = 256
"""Ops that an op says its author saw in one field: those whose values stood there. More than one stands only where
people differ, or where a field holds tags."""

OPS_PER_PUSH_MAX: Final = 128
"""Ops in one PUSH: an officer's whole shift offline goes up in a few messages."""

OPS_PER_COMMIT_MAX: Final = 512
"""Ops of one transaction. Group commit gains nothing past some hundreds (6.8k ops/s in 100s, 6.9k in 1,000s)."""

COMMIT_BYTES_SOFT_MAX: Final = 96 * KIB
"""A commit takes no further op once the rows it changed are this large; what is left goes into the next one."""

LINK_BYTES: Final = 32
"""A link of a seat's chain: one SHA-256."""

SALT_BYTES: Final = 16
"""Random bytes in an op: guessing what it said from its hash alone is out of reach."""

UNSENT_LEN_MAX: Final = 1_024
"""Own ops that one PUSH tells only the hashes of: a device that gave up more tells them in several."""

# --- identity and evidence ------------------------------------------------------------------------------
TOKEN_CHARS_MAX: Final = 2_048
"""A session token: a JWT with a handful of claims and an Ed25519 signature is about 500."""

CHECKPOINT_BYTES_MAX: Final = 4 * KIB
"""A signed checkpoint with the cosignatures of a dozen witnesses."""

CONSISTENCY_LEN_MAX: Final = 128
"""Hashes of one consistency proof: two for each level of a tree of 2^63 leaves."""

READ_BYTES_MAX: Final = 4 * KIB
"""One entry of the read log: which records, when, and why in a few sentences."""

SEALED_BYTES_MAX: Final = OP_BYTES_MAX + KIB
"""An op sealed to the server: its bytes, the encapsulated key, the tag."""

# --- reading --------------------------------------------------------------------------------------------
PAGE_BYTES_MAX: Final = 232 * KIB
"""Rows of one BATCH or SNAPSHOT page. A commit's rows in one scope always fit, so a page never splits a commit."""

PAGE_ROWS_MAX: Final = 1_024
"""Rows of one page: the longest read a reader's transaction lasts, so that checkpoints are never starved."""

SNAPSHOT_ROWS_MAX: Final = 128
"""Rows of one page of a snapshot. A device applies a page in one transaction, and an officer's edit waits for it: with
1,024 rows 57 ms at worst, when the promise is under 10."""

SCOPES_PER_DEVICE_MAX: Final = 320
"""Scopes that one device may hold. A control room's desk of a force with 28 teams in seven areas has 205: what the
bound leaves out, such a desk would not be told of."""

SCOPES_PER_BRIEFING_MAX: Final = 32
"""Audiences of one briefing: all areas, teams and suites are under 32."""

SCOPES_PER_RECORD_MAX: Final = 96
"""Scopes that one record may be in. A question about a briefing is in each of its audiences, in the inbox of each, and
in the force's once it is overdue."""

REPAIR_RANGES_MAX: Final = 64
"""Ranges that one REPAIR compares."""

# --- flow control and pace ------------------------------------------------------------------------------
CREDIT_BYTES: Final = 1_024 * KIB
"""Bytes that either side may have on the way before the other has dealt with them."""

CREDIT_BYTES_TOTAL_MAX: Final = 16 * 1_024 * KIB
"""Credit that a device may hold: a device that grants more is not believed."""

FRAMES_PER_S_MAX: Final = 200
"""Messages a device may send in a second, averaged over FRAMES_BURST_MAX. A handset sends two or three."""

FRAMES_BURST_MAX: Final = 1_000
"""Messages a device may send at once before the average counts."""

# --- time -----------------------------------------------------------------------------------------------
HELLO_TIMEOUT_MS: Final = 10_000
"""From CHALLENGE to a whole HELLO: several round trips on the worst radio link that still carries TCP."""

PING_INTERVAL_MS: Final = 20_000
"""A device's heartbeat. Mobile networks drop an idle mapping after as little as 30 s."""

PONG_TIMEOUT_MS: Final = 10_000
"""Silence after a PING that tells a device its server is gone, whatever the socket says."""

IDLE_TIMEOUT_MS: Final = 75_000
"""Silence after which the server gives a device up: three heartbeats and one late answer."""

BACKOFF_FIRST_MS: Final = 250
"""Longest wait before the first reconnect; the wait itself is drawn at random below it (full jitter)."""

BACKOFF_MAX_MS: Final = 15_000
"""Longest wait between reconnects: an officer who steps out of a cellar is in touch within it."""

RETURN_WINDOW_MIN_MS: Final = 2_000
"""Shortest time over which a stopping server spreads its devices' return, however few they are."""

RETURN_WINDOW_MAX_MS: Final = 240_000
"""Longest such time, however many they are; a device believes no wait of more than five minutes."""

RESERVATION_MS_MAX: Final = 12 * 60 * 60_000
"""How long a desk may reserve something scarce: a shift. A desk that is cut off for longer books provisionally."""

CLOCK_SKEW_NOTICE_MS: Final = 60_000
"""A device's clock that is this far off is told so. Its ops are accepted all the same: evidence is never refused for
skew."""


def _check_relations() -> None:
    """Fail at import when two bounds no longer fit each other."""
    relations = {
        "a text fits in an op": TEXT_BYTES_MAX + 4 * KIB <= OP_BYTES_MAX,
        "an op fits in a push": OP_BYTES_MAX + 4 * KIB <= MESSAGE_BYTES_MAX,
        "a HELLO's body fits in a message": HELLO_BODY_BYTES_MAX + 4 * KIB <= MESSAGE_BYTES_MAX,
        "an op fits in a record": OP_BYTES_MAX <= RECORD_BYTES_MAX,
        "a commit's rows fit in a page": COMMIT_BYTES_SOFT_MAX + RECORD_BYTES_MAX <= PAGE_BYTES_MAX,
        "a page fits in a message": PAGE_BYTES_MAX + 24 * KIB <= MESSAGE_BYTES_MAX,
        "a page holds a whole commit": OPS_PER_COMMIT_MAX <= PAGE_ROWS_MAX,
        # The densest row is made of log entries of one character: [{"text": "x"}, 0, 0] has 6 values in 11 bytes.
        "what fits in an op fits in a batch": OP_DEPTH_MAX + 5 <= DEPTH_MAX,
        # A position: the map, five keys, five values; beside the body's own nine pairs.
        "a HELLO's values fit": SCOPES_PER_DEVICE_MAX * 11 + 32 <= ELEMENTS_UP_MAX,
        "a snapshot's page is a page": SNAPSHOT_ROWS_MAX <= PAGE_ROWS_MAX,
        "a page's rows fit in an array": PAGE_ROWS_MAX <= ARRAY_LEN_MAX,
        "a field's entries fit in an array": ENTRIES_PER_FIELD_MAX + ENTRIES_PER_OP_MAX <= ARRAY_LEN_MAX,
        "a push fits in a commit": OPS_PER_PUSH_MAX <= OPS_PER_COMMIT_MAX,
        # Its ops, each with a better time, and what it tells only the hashes of: an array and two values each.
        "a push's values fit": 3 * UNSENT_LEN_MAX + 4 * OPS_PER_PUSH_MAX + 16 <= ELEMENTS_UP_MAX,
        "a sealed op fits in a message": SEALED_BYTES_MAX + KIB <= MESSAGE_BYTES_MAX,
        "fields fit in a map": FIELDS_PER_OP_MAX <= MAP_LEN_MAX,
        "a message fits in the credit": MESSAGE_BYTES_MAX <= CREDIT_BYTES <= CREDIT_BYTES_TOTAL_MAX,
        "an idle device has missed three heartbeats": 3 * PING_INTERVAL_MS + PONG_TIMEOUT_MS < IDLE_TIMEOUT_MS,
        "a window has a length": 0 < RETURN_WINDOW_MIN_MS <= RETURN_WINDOW_MAX_MS,
        "a question about a briefing fits in its scopes": 2 * SCOPES_PER_BRIEFING_MAX + 1 <= SCOPES_PER_RECORD_MAX,
        "a record's scopes fit in an array": SCOPES_PER_RECORD_MAX <= SCOPES_PER_DEVICE_MAX <= ARRAY_LEN_MAX,
    }
    broken = [meaning for meaning, holds in relations.items() if not holds]
    if broken:
        raise ValueError(f"schemas/limits.py: bounds that no longer fit each other: {', '.join(broken)}")


_check_relations()
