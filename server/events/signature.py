"""How a webhook is signed: HTTP Message Signatures (RFC 9421) with HMAC-SHA256, over a Content-Digest (RFC 9530).

In binary mode what an event is about stands in headers; a signature over the body alone (as Standard Webhooks makes it)
would let anybody on the way change those. RFC 9421 signs the headers too, and in both modes alike. Covered are the
method, the address as the subscriber gave it to us, the digest of the body, its type, and every CloudEvents header; the
time of signing lets a receiver refuse what is old.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from schemas.errors import UsageError
from schemas.ids import Millis
from server.secret_files import Secret

LABEL: Final = "beatbook"
TAG: Final = "beatbook-event"
"""What the signature is for (RFC 9421 section 2.3): none of another purpose passes for one of these."""
SECRET_CHARS_MIN: Final = 32
_CE: Final = "ce-"


def sha256_digest(body: bytes) -> str:
    """The value of Content-Digest (RFC 9530 section 2)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signature_base(covered: Sequence[tuple[str, str]], parameters: str) -> bytes:
    """What is signed (RFC 9421 section 2.5): a line for each covered component, then the parameters."""
    lines = [f'"{name}": {value}' for name, value in covered]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode()


def parameters_of(names: Sequence[str], created_s: int, key_id: str) -> str:
    """The signature's parameters as Signature-Input has them behind its label (RFC 9421 section 2.3)."""
    listed = " ".join(f'"{name}"' for name in names)
    return f'({listed});created={created_s};keyid="{key_id}";alg="hmac-sha256";tag="{TAG}"'


class Signer:
    """Signs with one subscription's secret.

    Attributes:
        key_id: names the key: the subscription and eight digits of the key's SHA-256, so that a receiver who knows an
            old and a new key sees which one it is.
    """

    def __init__(self, name: str, secret: Secret) -> None:
        """Take the key.

        Args:
            name: the subscription.
            secret: its UTF-8 bytes are the key; SECRET_CHARS_MIN characters or more.

        Raises:
            UsageError: it is too short to be one.
        """
        text = secret.reveal()
        if len(text) < SECRET_CHARS_MIN:
            raise UsageError(
                f"webhook {name}: the secret from {secret.source} is too short: draw {SECRET_CHARS_MIN} random "
                "characters or more, as in: openssl rand -base64 32"
            )
        self._key = text.encode()
        self.key_id = f"{name}-{hashlib.sha256(self._key).hexdigest()[:8]}"

    def reveal(self) -> str:
        """The secret itself, for whoever keeps it out of the log."""
        return self._key.decode()

    def __repr__(self) -> str:
        return f"Signer({self.key_id!r})"

    def signed(self, url: str, headers: Mapping[str, str], body: bytes, now: Millis) -> dict[str, str]:
        """The headers of a POST, with those of its signature.

        Args:
            url: where it goes.
            headers: what it says beside, with names in lower case.
            body: what it holds.
            now: the server's clock (ms since 1970).
        """
        whole = {**headers, "content-digest": sha256_digest(body)}
        own = [name for name in whole if name.startswith(_CE) or name in {"content-type", "content-digest"}]
        covered = [("@method", "POST"), ("@target-uri", url), *((name, whole[name]) for name in own)]
        parameters = parameters_of([name for name, _ in covered], now // 1_000, self.key_id)
        made = hmac.new(self._key, signature_base(covered, parameters), hashlib.sha256).digest()
        return {
            **whole,
            "signature-input": f"{LABEL}={parameters}",
            "signature": f"{LABEL}=:{base64.b64encode(made).decode()}:",
        }
