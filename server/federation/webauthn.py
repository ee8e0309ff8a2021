"""Signing administrators in with security keys: the two ceremonies of W3C WebAuthn level 2, sections 7.1 and 7.2.

The `fido2` library reads what an authenticator sends and checks type, challenge, relying party, presence, verification
and signature. What it leaves to its caller is checked here: that the origin is exactly one of ours and no frame of
somebody else's page, that the key is of a kind that was asked for and usable, whose credential it is, and that its
counter runs forward. Keys are discoverable and the user is always verified, so a login names nobody beforehand and
tells nobody who exists.
"""

import hashlib
import secrets
import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from fido2.attestation.base import Attestation, InvalidAttestation, NoneAttestation
from fido2.attestation.packed import PackedAttestation
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialParameters,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from schemas.ids import Millis, OfficerId
from server.federation.credentials import Credential, Credentials
from server.federation.refusals import RefusedError
from server.federation.settings import WebAuthnSettings
from server.federation.verified import Method, VerifiedOfficer
from sync.device.dpop import base64url

CEREMONIES_MAX: Final = 1_000
"""Ceremonies under way at once: administrators are few, and whoever begins one without end crowds out only others of
this kind."""
CREDENTIALS_PER_OFFICER_MAX: Final = 16
RESPONSE_BYTES_MAX: Final = 32 * 1_024
"""What a browser sends of a ceremony, as JSON; it is 2 KiB or so."""
ALGORITHMS: Final = (-8, -7, -257)
"""EdDSA, ES256 and RS256 (IANA COSE algorithms): what authenticators have, the best first."""
_RSA: Final = -257
_RSA_BYTES_MIN: Final = 256
_COSE_RSA_N: Final = -1
_SECRET_BYTES: Final = 32
_ATTESTATIONS: Final[dict[str, Attestation]] = {"none": NoneAttestation(), "packed": PackedAttestation()}
# What the library raises on bytes that are not what they should be.
_MALFORMED: Final = (
    msgspec.MsgspecError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    AssertionError,
    NotImplementedError,
    RecursionError,
    struct.error,
    InvalidSignature,
    UnsupportedAlgorithm,
    InvalidAttestation,
)


class _Ceremony(msgspec.Struct, frozen=True, kw_only=True):
    state: dict[str, Any]
    until: Millis
    officer: OfficerId | None
    user: bytes | None = None
    label: str = ""


class WebAuthn:
    """The ceremonies of one server. Those under way are in memory and end with the process."""

    def __init__(
        self,
        settings: WebAuthnSettings,
        credentials: Credentials,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Bind them.

        Args:
            settings: domain and origins.
            credentials: where the public keys are.
            random: gives so many random bytes.
        """
        self._settings = settings
        self._credentials = credentials
        self._random = random
        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(id=settings.rp_id, name=settings.rp_name),
            attestation=AttestationConveyancePreference.NONE,
            verify_origin=lambda origin: origin in settings.origins,
        )
        self._server.timeout = settings.challenge_ms  # type: ignore[assignment]  # it is declared by its default, None
        self._server.allowed_algorithms = [
            PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=each) for each in ALGORITHMS
        ]
        self._ceremonies: dict[str, _Ceremony] = {}

    async def begin_registration(self, officer: OfficerId, label: str, now: Millis) -> tuple[dict[str, Any], str]:
        """Begin to register another key of an administrator who is signed in.

        Args:
            officer: whose it will be.
            label: what they call it, up to 64 characters.
            now: the moment.

        Returns:
            The JSON for the browser (`PublicKeyCredentialCreationOptionsJSON`), and the ceremony's handle, which goes
            into a cookie of that browser and nowhere else.

        Raises:
            RefusedError: `webauthn_busy`, `webauthn_full`.
        """
        known = await self._credentials.of_officer(officer)
        if len(known) >= CREDENTIALS_PER_OFFICER_MAX:
            raise RefusedError("webauthn_full", f"{officer} has {len(known)} keys")
        user = known[0].user if known else self._random(_SECRET_BYTES)
        options, state = self._server.register_begin(
            PublicKeyCredentialUserEntity(id=user, name=officer, display_name=officer),
            [_descriptor(each) for each in known],
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
            challenge=self._random(_SECRET_BYTES),
        )
        handle = self._under_way(now, state, officer=officer, user=user, label=label.strip()[:64] or "key")
        return dict(options.public_key), handle

    async def finish_registration(self, officer: OfficerId, handle: str, response: bytes, now: Millis) -> Credential:
        """Check what the authenticator made, and keep it (section 7.1).

        Args:
            officer: who is signed in; the ceremony must be theirs.
            handle: from the browser's cookie.
            response: what the browser sends: `RegistrationResponseJSON`.
            now: the moment.

        Raises:
            RefusedError: `webauthn_no_ceremony`, `webauthn_invalid`, `webauthn_known`. The ceremony is over in every
                case.
            StoreError: it could not be kept.
        """
        ceremony = self._taken(handle, now)
        if ceremony.user is None or ceremony.officer != officer:
            raise RefusedError("webauthn_no_ceremony", f"it is not one in which {officer} registers a key")
        try:
            answer = RegistrationResponse.from_dict(_parsed(response))
            _check_frame(answer.type, answer.response.client_data.cross_origin)
            made = self._server.register_complete(ceremony.state, answer)
            _check_key(made.credential_data)
            attested = answer.response.attestation_object
            verifier = _ATTESTATIONS.get(attested.fmt)
            if verifier is None:
                raise ValueError(f"an attestation of format {attested.fmt!r}, where none was asked for")
            verifier.verify(attested.att_stmt, made, answer.response.client_data.hash)
            assert made.credential_data is not None
            if made.credential_data.credential_id != answer.raw_id:
                raise ValueError("its id is not the credential's")
            credential = Credential(
                id=answer.raw_id,
                officer=officer,
                user=ceremony.user,
                data=bytes(made.credential_data),
                counter=made.counter,
                label=ceremony.label,
                registered_at=now,
            )
            msgspec.convert(msgspec.to_builtins(credential), Credential)
        except _MALFORMED as error:
            raise RefusedError("webauthn_invalid", f"registration for {officer}: {_words(error)}") from None
        if not await self._credentials.add(credential):
            raise RefusedError("webauthn_known", f"registration for {officer}")
        return credential

    async def begin_authentication(self, now: Millis, officer: OfficerId | None = None) -> tuple[dict[str, Any], str]:
        """Begin to sign an administrator in, or to ask one who is signed in once more.

        Args:
            now: the moment.
            officer: who is signed in and asked again; None where nobody is: then the key says who it is.

        Returns:
            The JSON for the browser (`PublicKeyCredentialRequestOptionsJSON`), and the ceremony's handle for its
            cookie.

        Raises:
            RefusedError: `webauthn_busy`.
        """
        known = [] if officer is None else await self._credentials.of_officer(officer)
        options, state = self._server.authenticate_begin(
            [_descriptor(each) for each in known] or None,
            user_verification=UserVerificationRequirement.REQUIRED,
            challenge=self._random(_SECRET_BYTES),
        )
        return dict(options.public_key), self._under_way(now, state, officer=officer)

    def forget(self, handle: str) -> None:
        """End a ceremony that nobody will finish; one that is none is left alone."""
        self._ceremonies.pop(_key(handle), None)

    async def finish_authentication(self, handle: str, response: bytes, now: Millis) -> VerifiedOfficer:
        """Check what the authenticator signed (section 7.2).

        Args:
            handle: from the browser's cookie.
            response: what the browser sends: `AuthenticationResponseJSON`.
            now: the moment.

        Raises:
            RefusedError: `webauthn_no_ceremony`, `webauthn_invalid`, `webauthn_cloned`. The ceremony is over in every
                case.
            StoreError: the counter could not be kept; then nobody is let in.
        """
        ceremony = self._taken(handle, now)
        if ceremony.user is not None:
            raise RefusedError("webauthn_no_ceremony", "it is a registration")
        try:
            answer = AuthenticationResponse.from_dict(_parsed(response))
            _check_frame(answer.type, answer.response.client_data.cross_origin)
            credential_id, handle_of_user = answer.raw_id, answer.response.user_handle
        except _MALFORMED as error:
            raise RefusedError("webauthn_invalid", _words(error)) from None
        credential = await self._credentials.find(credential_id)
        if credential is None:
            raise RefusedError("webauthn_invalid", "no such key is registered")
        if ceremony.officer not in {None, credential.officer}:
            raise RefusedError("webauthn_invalid", f"a key of {credential.officer}, where {ceremony.officer} was asked")
        if handle_of_user != credential.user and not (handle_of_user is None and ceremony.officer is not None):
            raise RefusedError("webauthn_invalid", f"a key of {credential.officer} under another user handle, or none")
        try:
            self._server.authenticate_complete(ceremony.state, [AttestedCredentialData(credential.data)], answer)
        except _MALFORMED as error:
            raise RefusedError("webauthn_invalid", f"key of {credential.officer}: {_words(error)}") from None
        await self._count(credential, answer.response.authenticator_data.counter, now)
        return VerifiedOfficer(collar=credential.officer, method=Method.WEBAUTHN, at=now)

    async def _count(self, credential: Credential, counter: int, now: Millis) -> None:
        """Take the counter over, or find that two authenticators hold the key (section 6.1.1)."""
        if credential.cloned_at is not None:
            raise RefusedError("webauthn_cloned", f"key {credential.label!r} of {credential.officer}")
        if (counter or credential.counter) and counter <= credential.counter:
            await self._credentials.replace(credential, msgspec.structs.replace(credential, cloned_at=now))
            raise RefusedError(
                "webauthn_cloned",
                f"key {credential.label!r} of {credential.officer}: its counter says {counter} after "
                f"{credential.counter}; two authenticators hold it",
            )
        after = msgspec.structs.replace(credential, counter=counter, used_at=now)
        if not await self._credentials.replace(credential, after):
            # Used or removed while this ran: of two at once one may be the clone.
            raise RefusedError("webauthn_invalid", f"a key of {credential.officer} was used twice at once")

    def _under_way(
        self,
        now: Millis,
        state: dict[str, Any],
        *,
        officer: OfficerId | None,
        user: bytes | None = None,
        label: str = "",
    ) -> str:
        self._ceremonies = {name: each for name, each in self._ceremonies.items() if now < each.until}
        if len(self._ceremonies) >= CEREMONIES_MAX:
            raise RefusedError("webauthn_busy", f"{CEREMONIES_MAX} are under way", self._settings.challenge_ms)
        handle = base64url(self._random(_SECRET_BYTES))
        self._ceremonies[_key(handle)] = _Ceremony(
            state=state, until=Millis(now + self._settings.challenge_ms), officer=officer, user=user, label=label
        )
        return handle

    def _taken(self, handle: str, now: Millis) -> _Ceremony:
        """The ceremony of that handle, which is over from here on: whatever comes, its challenge is used up."""
        ceremony = self._ceremonies.pop(_key(handle), None)
        if ceremony is None or now >= ceremony.until:
            raise RefusedError("webauthn_no_ceremony")
        return ceremony


def _key(handle: str) -> str:
    return hashlib.sha256(handle.encode("utf-8", "replace")).hexdigest()


def _parsed(response: bytes) -> dict[str, Any]:
    if len(response) > RESPONSE_BYTES_MAX:
        raise ValueError(f"{len(response)} bytes: longer than any answer of an authenticator")
    return msgspec.json.decode(response, type=dict[str, Any])


def _words(error: BaseException) -> str:
    """What to log of an error of the library's; some have no text."""
    return str(error)[:200] or type(error).__name__


def _check_frame(kind: PublicKeyCredentialType | None, cross_origin: object) -> None:
    if kind != PublicKeyCredentialType.PUBLIC_KEY:
        raise ValueError("it is no public key credential")
    if cross_origin is not False:
        raise ValueError("it was made inside a page of another origin")


def _check_key(data: AttestedCredentialData | None) -> None:
    """Fail unless a new credential's key is of a kind that was asked for and can be used."""
    if data is None:
        raise ValueError("it holds no credential")
    key: CoseKey = data.public_key
    if key.get(3) not in ALGORITHMS:
        raise ValueError(f"a key of algorithm {key.get(3)!r}, which was not asked for")
    if key[3] == _RSA and len(bytes(key[_COSE_RSA_N]).lstrip(b"\0")) < _RSA_BYTES_MIN:
        raise ValueError("an RSA key of less than 2,048 bits")
    try:
        key.verify(b"", b"")
    except InvalidSignature:
        # As it should: a key whose numbers are none raises something else.
        return
    raise ValueError("a key that takes any signature")


def _descriptor(credential: Credential) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(type=PublicKeyCredentialType.PUBLIC_KEY, id=credential.id)
