"""Sealing to the server's quarantine: what a device may no longer read, it can still hand over.

HPKE in base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The device knows only the public
half of the server's quarantine key and cannot open again what it has sealed. Base mode authenticates no sender: the
messages that carry sealed bytes are under the device's own proof, and what is in them says who wrote it.
"""

from typing import Final

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from schemas.errors import UsageError

PUBLIC_KEY_BYTES: Final = 32
SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
INFO: Final = b"beatbook.v1 quarantine"
"""HPKE's `info` for all that is sealed to the server's quarantine key."""


def check_public_key(key: bytes) -> None:
    """Accept an X25519 public key.

    Raises:
        UsageError: it is not 32 bytes long.
    """
    if len(key) != PUBLIC_KEY_BYTES:
        raise UsageError(f"a public key has exactly {PUBLIC_KEY_BYTES} bytes, this one has {len(key)}")


def seal(raw: bytes, quarantine: bytes) -> bytes:
    """Bytes that only the server's quarantine opens: 48 longer.

    Args:
        raw: what is sealed.
        quarantine: the server's X25519 public key, 32 bytes.

    Raises:
        UsageError: the key is none.
    """
    check_public_key(quarantine)
    return SUITE.encrypt(raw, X25519PublicKey.from_public_bytes(quarantine), info=INFO)
