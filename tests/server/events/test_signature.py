"""Signatures of webhooks: RFC 9421's own example, and that nothing of what is signed can be changed."""

import base64
import hashlib
import hmac

import pytest

from schemas.errors import UsageError
from schemas.ids import Millis
from server.events.signature import Signer, sha256_digest, signature_base
from server.secret_files import Secret
from tests.server.events.receiver import Call, verified
from tests.server.events.station import SECRET

URL = "https://records.example/hook"
NOW = Millis(1_700_000_000_999)
HEADERS = {"ce-id": "1", "ce-type": "uk.police.beatbook.incident.changed", "content-type": "application/json"}


def signer(secret: str = SECRET) -> Signer:
    """One of a test."""
    return Signer("records", Secret(secret, "a test"))


def test_the_base_is_that_of_the_standards_example() -> None:
    """RFC 9421 appendix B.2.5: HMAC-SHA256 with the shared secret that it gives over the request that it gives."""
    key = base64.b64decode("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
    covered = [
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("@authority", "example.com"),
        ("content-type", "application/json"),
    ]
    parameters = '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
    made = hmac.new(key, signature_base(covered, parameters), hashlib.sha256).digest()
    assert base64.b64encode(made).decode() == "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="


def test_the_digest_is_that_of_the_standards_example() -> None:
    """RFC 9530 appendix B.1: the digest of a small JSON object."""
    expected = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    assert sha256_digest(b'{"hello": "world"}\n') == expected


def test_method_address_body_and_every_attribute_are_signed() -> None:
    """A receiver that follows the standard finds it true, and finds all of that covered."""
    headers = signer().signed(URL, HEADERS, b"{}", NOW)
    covered = verified(Call("POST /hook HTTP/1.1", headers, b"{}"), URL, SECRET)
    assert set(covered) == {"@method", "@target-uri", "ce-id", "ce-type", "content-type", "content-digest"}
    assert f';created=1700000000;keyid="{signer().key_id}";alg="hmac-sha256"' in headers["signature-input"]


@pytest.mark.parametrize("name", ["ce-type", "ce-id", "content-type", "content-digest", "body", "url", "method", "key"])
def test_whatever_is_changed_on_the_way_is_noticed(name: str) -> None:
    """Above all what stands in headers, which a signature over the body alone would leave open."""
    headers = signer().signed(URL, HEADERS, b"{}", NOW)
    if name in headers:
        headers[name] = "other"
    call = Call("PUT /hook HTTP/1.1" if name == "method" else "POST /hook", headers, b"[]" if name == "body" else b"{}")
    with pytest.raises(AssertionError):
        verified(call, URL + ("x" if name == "url" else ""), SECRET + ("x" if name == "key" else ""))


def test_a_key_that_could_be_guessed_is_refused() -> None:
    """The text says of which webhook, from where, and what to do; not the secret."""
    with pytest.raises(UsageError, match="webhook records: the secret from a test is too short") as caught:
        signer("x" * 31)
    assert "xxx" not in str(caught.value)


def test_the_name_of_the_key_changes_with_it_and_nothing_shows_it() -> None:
    """So a receiver tells the old key from the new one while both are in use."""
    assert signer().key_id != signer(SECRET + "2").key_id
    assert SECRET not in repr(signer())
    assert signer().reveal() == SECRET
