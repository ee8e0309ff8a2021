"""A security key in software: it does what a real one does, and lies where a test wants it to."""

import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fido2.cose import ES256, CoseKey, EdDSA
from fido2.utils import sha256, websafe_decode, websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

ORIGIN = "https://beatbook.force.example"
RP_ID = "force.example"
_FLAG = AuthenticatorData.FLAG


class SoftwareKey:
    """One authenticator with one credential, and the browser around it.

    Attributes:
        id: the credential's id.
        counter: goes up with every signature, unless `step` says otherwise.
        origin, rp_id, flags, cross_origin: what browser and authenticator say; change them to lie.
    """

    def __init__(self, number: int = 1, *, edwards: bool = False, step: int = 1) -> None:
        self.id = bytes([number]) * 32
        self.counter = 0
        self.origin = ORIGIN
        self.rp_id = RP_ID
        self.flags = _FLAG.UP | _FLAG.UV
        self.cross_origin: object = False
        self.user: bytes | None = None
        self.public: CoseKey
        self._step = step
        self._edwards = Ed25519PrivateKey.generate() if edwards else None
        self._nist = ec.generate_private_key(ec.SECP256R1())
        if self._edwards is None:
            self.public = ES256.from_cryptography_key(self._nist.public_key())  # type: ignore[no-untyped-call]
        else:
            self.public = EdDSA.from_cryptography_key(self._edwards.public_key())  # type: ignore[no-untyped-call]

    def sign(self, message: bytes) -> bytes:
        """A signature as COSE wants it of this key."""
        if self._edwards is not None:
            return self._edwards.sign(message)
        return self._nist.sign(message, ec.ECDSA(hashes.SHA256()))

    def register(self, options: dict[str, Any], form: str = "packed", **changed: Any) -> bytes:  # noqa: ANN401  JSON
        """What the browser sends of a registration, with an attestation of that format."""
        self.user = websafe_decode(options["user"]["id"])
        client = self._client("webauthn.create", options["challenge"], changed)
        data = self._data(AttestedCredentialData.create(Aaguid.NONE, self.id, self.public))
        statement: dict[str, Any] = {}
        if form == "packed":
            statement = {"alg": self.public[3], "sig": self.sign(data + client.hash)}
        attestation = AttestationObject.create(form, data, changed.pop("statement", statement))
        return self._answer(
            {"clientDataJSON": client, "attestationObject": attestation}, changed.pop("id", self.id), changed
        )

    def answer(self, options: dict[str, Any], **changed: Any) -> bytes:  # noqa: ANN401  JSON
        """What the browser sends of an authentication."""
        client = self._client("webauthn.get", options["challenge"], changed)
        data = self._data()
        signature = changed.pop("signature", self.sign(data + client.hash))
        user = changed.pop("user", self.user)
        parts = {"clientDataJSON": client, "authenticatorData": data, "signature": signature}
        if user is not None:
            parts["userHandle"] = user
        return self._answer(parts, changed.pop("id", self.id), changed)

    def _client(self, kind: str, challenge: str, changed: dict[str, Any]) -> CollectedClientData:
        return CollectedClientData.create(
            changed.pop("kind", kind),
            changed.pop("challenge", challenge),
            self.origin,
            self.cross_origin,  # type: ignore[arg-type]  # a lie may be of any type
        )

    def _data(self, credential: bytes = b"") -> AuthenticatorData:
        self.counter += self._step
        flags = self.flags | (_FLAG.AT if credential else _FLAG(0))
        made: AuthenticatorData = AuthenticatorData.create(sha256(self.rp_id.encode()), flags, self.counter, credential)
        return made

    @staticmethod
    def _answer(parts: dict[str, bytes], credential_id: bytes, changed: dict[str, Any]) -> bytes:
        encoded = websafe_encode(credential_id)
        whole = {
            "id": encoded,
            "rawId": encoded,
            "type": "public-key",
            "response": {name: websafe_encode(part) for name, part in parts.items()},
            "clientExtensionResults": {},
        }
        return json.dumps(whole | changed).encode()
