"""The device's half of DPoP: published vectors, the form of a proof, and what is no address."""

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis
from sync.device.dpop import make_proof, public_jwk, target, thumbprint, token_hash
from sync.device.keys import DeviceIdentity

NOW = Millis(1_767_225_600_123)
DEVICE = DeviceIdentity(DeviceId("hh-1"), Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def test_a_key_has_the_thumbprint_that_the_standard_gives_it() -> None:
    """RFC 8037, appendix A.2 and A.3: the key, and its name."""
    raw = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert thumbprint(raw) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_token_has_the_hash_that_the_standard_gives_it() -> None:
    """RFC 9449, section 7.1: the token of the example, and the `ath` of its proof."""
    assert token_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU") == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


def test_a_proof_is_what_a_jose_library_reads() -> None:
    """Header and claims are those of RFC 9449 section 4.2, and the signature is the device's."""
    url = "HTTPS://Beatbook.Example:443/records/1?kind=incident#top"
    proof = make_proof(DEVICE, method="POST", url=url, now=NOW, noise=bytes(16), token="t", nonce="n")
    header = jwt.get_unverified_header(proof)
    assert header == {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": public_jwk(DEVICE.public_key)}
    key = jwt.PyJWK(header["jwk"], "EdDSA")
    assert json.loads(jwt.PyJWS().decode(proof, key, ["EdDSA"])) == {
        "jti": "A" * 22,
        "htm": "POST",
        "htu": "https://beatbook.example/records/1",
        "iat": 1_767_225_600,
        "ath": token_hash("t"),
        "nonce": "n",
    }


def test_what_a_call_lacks_its_proof_lacks_too() -> None:
    """Without token and nonce there is no `ath` and no `nonce`, not empty ones."""
    proof = make_proof(DEVICE, method="GET", url="https://b.example/", now=NOW, noise=bytes(16))
    claims = json.loads(base64.urlsafe_b64decode(proof.split(".")[1] + "=="))
    assert claims.keys() == {"jti", "htm", "htu", "iat"}


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"),
        ("http://b.example:80", "http://b.example/"),
        ("https://b.example:80/", "https://b.example:80/"),
        ("https://[::1]:8443/x/?y", "https://[::1]:8443/x/"),
        ("https://b.example/A%2fb", "https://b.example/A%2fb"),
    ],
)
def test_an_address_is_named_in_one_way(url: str, named: str) -> None:
    """Scheme, host and default port are evened out; the path is left as it is sent."""
    assert target(url) == named
    assert target(named) == named


@pytest.mark.parametrize(
    "url", ["", "b.example/", "ftp://b.example/", "https:///x", "https://u@b.example/", "https://b:x/", "https://[b/"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """A proof names a whole http or https address."""
    with pytest.raises(UsageError, match="no address"):
        target(url)


def test_a_proof_needs_its_randomness_and_a_whole_key() -> None:
    """Noise or a key of another length is a defect of the caller, and is said to be."""
    with pytest.raises(UsageError, match="16 random bytes, got 3"):
        make_proof(DEVICE, method="GET", url="https://b.example/", now=NOW, noise=b"abc")
    with pytest.raises(UsageError, match="32 bytes, this one 31"):
        thumbprint(bytes(31))
