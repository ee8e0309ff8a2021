"""The edge's fixed bounds, unit last, each with its reason; `_check_relations` asserts how they fit together.

What a force must tune to its own network (addresses behind one gateway, connections of the whole force) is no constant
but a setting: see `server.configuration`.
"""

from typing import Final

from schemas.limits import (
    CONTROL_FRAMES_MAX,
    CREDIT_BYTES,
    FRAGMENTS_MAX,
    FRAMES_BURST_MAX,
    FRAMES_PER_S_MAX,
    HELLO_TIMEOUT_MS,
    KIB,
    MESSAGE_BYTES_MAX,
)

# --- time ---------------------------------------------------------------------------------------------------
TLS_HANDSHAKE_TIMEOUT_MS: Final = 10_000
"""From the accepted connection to the end of the TLS handshake: several round trips on the worst radio link."""

TLS_GOODBYE_TIMEOUT_MS: Final = 5_000
"""How long the other side may take to answer the end of a TLS connection."""

HEAD_TIMEOUT_MS: Final = 10_000
"""From the first moment of a connection, or the first byte of a later request on it, to the end of its head."""

BODY_TIMEOUT_MS: Final = 60_000
"""From the end of a request's head to the end of its body: 4 MiB at 70 KiB/s. Also bounds a body that nobody reads."""

RETRY_AFTER_MS: Final = 5_000
"""When whoever is turned away for want of room may come back."""

# --- one request --------------------------------------------------------------------------------------------
HEAD_BYTES_MAX: Final = 32 * KIB
"""Request line and headers. A bound token with its proof is under 4 KiB."""

HEADERS_MAX: Final = 64
"""Header lines of one request. A browser sends some 20, a proxy adds some 10."""

BODY_BYTES_MAX: Final = 4 * 1_024 * KIB
"""A request's body: 500 drafts of 8 KiB."""

# --- one WebSocket ------------------------------------------------------------------------------------------
SOCKET_FRAMES_PER_S_MAX: Final = 2 * FRAMES_PER_S_MAX
"""WebSocket frames of any kind that one connection may send in a second, averaged over SOCKET_FRAMES_BURST_MAX."""

SOCKET_FRAMES_BURST_MAX: Final = 4 * FRAMES_BURST_MAX
"""WebSocket frames at once before the average counts. Each costs the event loop some 10 µs, whatever is in it."""

SOCKET_BYTES_PER_S_MAX: Final = 512 * KIB
"""Bytes that one connection may send in a second, averaged over SOCKET_BYTES_BURST_MAX. An officer's whole shift is
under 1 MiB."""

SOCKET_BYTES_BURST_MAX: Final = 16 * 1_024 * KIB
"""Bytes at once before the average counts: what a desk wrote in days without a connection."""

# --- one source of connections ------------------------------------------------------------------------------
PENDING_PER_ADDRESS_MAX: Final = 256
"""Connections of one address that have not sent a whole request head yet. When one more comes, the one that has waited
longest is cut: whoever speaks at once gets through, however many sit there and say nothing."""

PENDING_MAX: Final = 4_096
"""The same over all addresses: what a flood from many addresses may hold."""

OVERFLOW_PER_ADDRESS_MAX: Final = 64
"""Connections of one address beyond its limit that are still answered (429), so that the reason is told; more are
cut without a word."""

ADDRESSES_MAX: Final = 65_536
"""Addresses, or devices, whose pace is remembered: 10 MiB. The one that was quiet longest is forgotten first."""

DEVICE_CONNECTS_PER_S_MAX: Final = 0.5
"""Proven connections of one device, averaged over DEVICE_CONNECTS_BURST_MAX: more often no link flaps for long."""

DEVICE_CONNECTS_BURST_MAX: Final = 30
"""Proven connections of one device at once before the average counts."""

DEVICE_CALLS_PER_S_MAX: Final = 20
"""HTTP calls of one identified device, averaged over DEVICE_CALLS_BURST_MAX."""

DEVICE_CALLS_BURST_MAX: Final = 200
"""HTTP calls of one identified device at once before the average counts: a screen that loads everything it shows."""


def _check_relations() -> None:
    """Fail at import when two bounds no longer fit each other."""
    relations = {
        "whoever may send a message may send its frames": FRAGMENTS_MAX + CONTROL_FRAMES_MAX < SOCKET_FRAMES_BURST_MAX,
        "a burst of messages is a burst of frames": FRAMES_BURST_MAX < SOCKET_FRAMES_BURST_MAX,
        "the pace of messages is a pace of frames": FRAMES_PER_S_MAX < SOCKET_FRAMES_PER_S_MAX,
        "the credit may be used at once, twice over": 2 * CREDIT_BYTES < SOCKET_BYTES_BURST_MAX,
        "a message fits in a second": MESSAGE_BYTES_MAX < SOCKET_BYTES_PER_S_MAX,
        "a head is no message": HEAD_BYTES_MAX < MESSAGE_BYTES_MAX <= BODY_BYTES_MAX,
        "a silent WebSocket lasts no longer than a silent request": HELLO_TIMEOUT_MS <= HEAD_TIMEOUT_MS,
        "one address cannot fill the waiting room": PENDING_PER_ADDRESS_MAX * 8 <= PENDING_MAX,
        "a body may take longer than a head": HEAD_TIMEOUT_MS < BODY_TIMEOUT_MS,
    }
    broken = [meaning for meaning, holds in relations.items() if not holds]
    if broken:
        raise ValueError(f"server/edge/bounds.py: bounds that no longer fit each other: {', '.join(broken)}")


_check_relations()
