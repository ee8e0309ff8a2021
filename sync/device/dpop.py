"""Proofs that an HTTP call comes from the device a token was given to: DPoP (RFC 9449), the device's half.

A stolen token is worth nothing without the device's key: every call bears a small signed text that names the method,
the address, the moment, the token and the server's nonce. The functions are pure; the server's half
(server/federation/tokens.py) shares the few that both must compute alike.

Signing is only encoding, so the compact form (RFC 7515 section 7.1) is written out here; what checks a signature leaves
that to a JOSE library.
"""

import base64
import hashlib
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from schemas.errors import UsageError
from schemas.ids import Millis

PROOF_TYPE: Final = "dpop+jwt"
ALGORITHM: Final = "EdDSA"
"""Ed25519 (RFC 8037 section 3.1): the only algorithm a device's key has."""
NOISE_BYTES: Final = 16
"""What makes each proof a new one: 128 random bits, as RFC 9449 section 4.2 asks of a `jti`."""
PUBLIC_KEY_BYTES: Final = 32
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class Signer(Protocol):
    """Whoever holds a device's key: `DeviceIdentity`, or a platform's keystore."""

    @property
    def public_key(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature (RFC 8032) over `message`."""


def base64url(raw: bytes) -> str:
    """Base64 for addresses and tokens, without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_jwk(public_key: bytes) -> dict[str, str]:
    """An Ed25519 public key as a JSON Web Key (RFC 8037 section 2), members in the order that RFC 7638 asks for.

    Raises:
        UsageError: it is not 32 bytes long.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise UsageError(f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, this one {len(public_key)}")
    return {"crv": "Ed25519", "kty": "OKP", "x": base64url(public_key)}


def thumbprint(public_key: bytes) -> str:
    """The name of a key that a token is bound to (`cnf.jkt`): RFC 7638 with SHA-256, 43 characters of base64url.

    Raises:
        UsageError: the key is not 32 bytes long.
    """
    return base64url(hashlib.sha256(msgspec.json.encode(public_jwk(public_key))).digest())


def token_hash(token: str) -> str:
    """What a proof says of the token it goes with (`ath`): base64url of its SHA-256 (RFC 9449 section 4.2)."""
    return base64url(hashlib.sha256(token.encode()).digest())


def target(url: str) -> str:
    """An address as proofs name it (`htu`): no query, no fragment, scheme and host in lower case, no default port.

    The path stays as it is sent: two spellings of one path are two addresses here.

    Raises:
        UsageError: it is no http or https address, or it names a user.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{url!r} is no address; expected https://host/path") from None
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
        raise UsageError(f"{url!r} is no address for a proof; expected https://host/path")
    shown = f"[{host}]" if ":" in host else host
    place = shown if port in {None, _DEFAULT_PORTS[parts.scheme]} else f"{shown}:{port}"
    return f"{parts.scheme}://{place}{parts.path or '/'}"


def make_proof(
    signer: Signer,
    *,
    method: str,
    url: str,
    now: Millis,
    noise: bytes,
    token: str | None = None,
    nonce: str | None = None,
) -> str:
    """The value of one call's `DPoP` header.

    Args:
        signer: the device's key.
        method: `GET`, `POST` …
        url: the address of the call; what its query says is not part of the proof.
        now: the moment by the server's clock, as well as the device knows it.
        noise: 16 fresh random bytes. A proof with the same ones is refused as a replay.
        token: the access token that the call bears; None where it bears none (signing in).
        nonce: the last `DPoP-Nonce` that the server gave; None before the first answer.

    Raises:
        UsageError: `url` is no address, or the noise or the key has not its length.
    """
    if len(noise) != NOISE_BYTES:
        raise UsageError(f"a proof needs {NOISE_BYTES} random bytes, got {len(noise)}")
    claims: dict[str, Any] = {"jti": base64url(noise), "htm": method, "htu": target(url), "iat": now // 1_000}
    if token is not None:
        claims["ath"] = token_hash(token)
    if nonce is not None:
        claims["nonce"] = nonce
    header = {"typ": PROOF_TYPE, "alg": ALGORITHM, "jwk": public_jwk(signer.public_key)}
    signed = ".".join(base64url(msgspec.json.encode(part)) for part in (header, claims))
    return f"{signed}.{base64url(signer.sign(signed.encode()))}"
