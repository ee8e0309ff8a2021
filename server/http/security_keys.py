"""Routes: administrators' security keys (W3C WebAuthn): registering, listing and removing them, and signing in.

They are there where the configuration has the section, else 404. What goes to and from `navigator.credentials` is the
JSON of the standard; the pages that call it are served from the origins of the configuration.
"""

from typing import Annotated, Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.ids import DeviceId, DeviceText, OfficerText
from schemas.roles import Role
from server.authority.security_keys import SecurityKeys
from server.federation.credentials import Credential
from server.http.callers import TooFastError, caller_of, callers_of
from server.http.identities import Done, SignedInBody
from server.http.operations import KEY_HOLDER, Operation, read_body
from server.http.problems import beatbook_of, reply
from server.http.signing import signed_in_body
from server.registry.acts.base import Why

_Handle = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_ADMINISTRATOR: Final = (Role.ADMINISTRATOR,)


class KeyLabel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A security key that an administrator will register for themselves.

    Attributes:
        label: what they call it.
    """

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Ceremony(msgspec.Struct, frozen=True, kw_only=True):
    """A ceremony that has begun.

    Attributes:
        options: for the browser: `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON`.
        handle: what it is finished with.
    """

    options: dict[str, Any]
    handle: str


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the browser says of a key that is to be registered.

    Attributes:
        handle: of the ceremony.
        response: `RegistrationResponseJSON`.
    """

    handle: _Handle
    response: dict[str, Any]


class KeyBody(msgspec.Struct, frozen=True, kw_only=True):
    """A security key.

    Attributes:
        id: its credential id.
        officer, label: whose, and what they call it.
        registered_at, used_at: when (ms since 1970); null where it was never used.
        cloned_at: when two were found to hold it; from then on it opens nothing.
    """

    id: bytes
    officer: OfficerText
    label: str
    registered_at: int
    used_at: int | None
    cloned_at: int | None


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """Every security key that is registered.

    Attributes:
        keys: the oldest first.
    """

    keys: list[KeyBody]


class KeyRemoval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A security key that is trusted no more; one's own or another administrator's.

    Attributes:
        id: its credential id.
        why: what for.
    """

    id: Annotated[bytes, msgspec.Meta(max_length=1_023)]
    why: Why


class KeySignInBegin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sign-in with a security key that a device begins; the proof is by the device's key.

    Attributes:
        device: the device's id.
    """

    device: DeviceText


class KeySignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The end of a sign-in with a security key, by the device that began it.

    Attributes:
        device: the device's id.
        handle: what it was given at the beginning.
        response: `AuthenticationResponseJSON`; it says who it is.
    """

    device: DeviceText
    handle: _Handle
    response: dict[str, Any]


async def begin_key(request: Request) -> Response:
    """Begin to register a security key for oneself."""
    body = await read_body(request, KeyLabel)
    options, handle = await _keys(request).begin_registration(caller_of(request).officer, body.label)
    return reply(Ceremony(options=options, handle=handle))


async def add_key(request: Request) -> Response:
    """Register the security key that the browser's answer shows, for oneself."""
    body = await read_body(request, KeyAnswer)
    response = msgspec.json.encode(body.response)
    kept = await _keys(request).finish_registration(caller_of(request).officer, body.handle, response)
    return reply(_told(kept), 201)


async def list_keys(request: Request) -> Response:
    """Every security key of every administrator."""
    return reply(KeyList(keys=[_told(each) for each in await _keys(request).credentials.all()]))


async def remove_key(request: Request) -> Response:
    """Trust a security key no more, one's own or another administrator's who has lost it."""
    body = await read_body(request, KeyRemoval)
    await _keys(request).remove(body.id, caller_of(request).officer, body.why)
    return reply(Done())


async def begin_key_sign_in(request: Request) -> Response:
    """Begin to sign an administrator in with a security key, on a device that proves its own."""
    body = await read_body(request, KeySignInBegin)
    device = DeviceId(body.device)
    jkt = callers_of(request).prove_device(request, device)
    wait_ms = beatbook_of(request).pace.call(device)
    if wait_ms is not None:
        raise TooFastError(wait_ms)
    options, handle = await _keys(request).begin_sign_in(device, jkt)
    return reply(Ceremony(options=options, handle=handle))


async def sign_in_by_key(request: Request) -> Response:
    """Sign in the administrator whose security key answers, on the device that began; as any sign-in."""
    body = await read_body(request, KeySignIn)
    device = DeviceId(body.device)
    jkt = callers_of(request).prove_device(request, device)
    response = msgspec.json.encode(body.response)
    return reply(signed_in_body(await _keys(request).finish_sign_in(device, jkt, body.handle, response)))


def _keys(request: Request) -> SecurityKeys:
    found = beatbook_of(request).authority.security_keys
    if found is None:
        raise HTTPException(404, "security keys are not set up here; sign in with collar number and passphrase")
    return found


def _told(key: Credential) -> KeyBody:
    return KeyBody(
        id=key.id,
        officer=key.officer,
        label=key.label,
        registered_at=key.registered_at,
        used_at=key.used_at,
        cloned_at=key.cloned_at,
    )


_KEYS: Final = "/v1/security-keys"
OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/sign-in/webauthn/begin",
        handler=begin_key_sign_in,
        who=KEY_HOLDER,
        takes=KeySignInBegin,
        gives=Ceremony,
    ),
    Operation(
        method="POST",
        path="/v1/sign-in/webauthn/finish",
        handler=sign_in_by_key,
        who=KEY_HOLDER,
        takes=KeySignIn,
        gives=SignedInBody,
    ),
    Operation(method="GET", path=_KEYS, handler=list_keys, who=_ADMINISTRATOR, gives=KeyList),
    Operation(
        method="POST",
        path=_KEYS,
        handler=add_key,
        who=_ADMINISTRATOR,
        takes=KeyAnswer,
        gives=KeyBody,
        status=201,
    ),
    Operation(
        method="POST",
        path=f"{_KEYS}/ceremonies",
        handler=begin_key,
        who=_ADMINISTRATOR,
        takes=KeyLabel,
        gives=Ceremony,
    ),
    Operation(
        method="POST",
        path=f"{_KEYS}/removals",
        handler=remove_key,
        who=_ADMINISTRATOR,
        takes=KeyRemoval,
        gives=Done,
    ),
)
