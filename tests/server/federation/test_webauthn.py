"""Security keys: both ceremonies with an authenticator in software, and every lie that it can tell."""

import json
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fido2.cose import ES256, ES384, RS256, CoseKey
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AuthenticatorData
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StoreError
from schemas.ids import Millis, OfficerId
from server.federation import webauthn as module
from server.federation.credentials import Credential, MemoryCredentials
from server.federation.refusals import RefusedError
from server.federation.settings import WebAuthnSettings
from server.federation.verified import Method, VerifiedOfficer
from server.federation.webauthn import CREDENTIALS_PER_OFFICER_MAX, RESPONSE_BYTES_MAX, WebAuthn
from tests.server.federation.authenticator import ORIGIN, RP_ID, SoftwareKey

NOW = Millis(1_767_225_600_000)
ADMIN = OfficerId("WM7001")
OTHER = OfficerId("WM7002")
SETTINGS = WebAuthnSettings(rp_id=RP_ID, origins=(ORIGIN,))
_FLAG = AuthenticatorData.FLAG


class Desk:
    """A server with its credentials, and administrators who hold keys."""

    def __init__(self) -> None:
        self.kept = MemoryCredentials()
        self.webauthn = WebAuthn(SETTINGS, self.kept)

    async def register(self, key: SoftwareKey, officer: OfficerId = ADMIN, form: str = "packed") -> Credential:
        """Register a key."""
        options, handle = await self.webauthn.begin_registration(officer, f"key {key.id[0]}", NOW)
        return await self.webauthn.finish_registration(officer, handle, key.register(options, form), NOW)

    async def sign_in(self, key: SoftwareKey, **changed: object) -> VerifiedOfficer:
        """A whole login with a key."""
        options, handle = await self.webauthn.begin_authentication(NOW)
        return await self.webauthn.finish_authentication(handle, key.answer(options, **changed), NOW)

    async def refusal(self, key: SoftwareKey, **changed: object) -> RefusedError:
        """The refusal that a whole login ends in."""
        with pytest.raises(RefusedError) as caught:
            await self.sign_in(key, **changed)
        return caught.value


@pytest.fixture
def desk() -> Desk:
    """A server that knows no key."""
    return Desk()


# --- what holds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["packed", "none"])
@pytest.mark.parametrize("edwards", [False, True])
async def test_an_administrator_registers_a_key_and_signs_in_with_it(desk: Desk, form: str, edwards: bool) -> None:  # noqa: FBT001
    """Both kinds of keys, with and without attestation of their own; the key says who it is."""
    key = SoftwareKey(edwards=edwards)
    credential = await desk.register(key, form=form)
    assert (credential.officer, credential.label, credential.counter) == (ADMIN, "key 1", 1)
    assert await desk.sign_in(key) == VerifiedOfficer(collar=ADMIN, method=Method.WEBAUTHN, at=NOW)
    kept = await desk.kept.find(key.id)
    assert kept is not None
    assert (kept.counter, kept.used_at) == (2, NOW)


async def test_what_the_browser_is_asked_is_what_the_standard_says(desk: Desk) -> None:
    """Plain JSON: user verification and a discoverable key are required, no attestation, and nobody is named."""
    options, handle = await desk.webauthn.begin_registration(ADMIN, "", NOW)
    assert json.loads(msgspec.json.encode(options)) == options
    assert options["rp"] == {"id": RP_ID, "name": "Beatbook"}
    assert options["attestation"] == "none"
    assert [each["alg"] for each in options["pubKeyCredParams"]] == [-8, -7, -257]
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["timeout"] == SETTINGS.challenge_ms
    assert options["user"]["name"] == ADMIN
    assert len(websafe_decode(options["user"]["id"])) == 32
    asked, other_handle = await desk.webauthn.begin_authentication(NOW)
    assert asked["userVerification"] == "required"
    assert "allowCredentials" not in asked
    assert handle != other_handle
    assert asked["challenge"] != options["challenge"]


async def test_an_administrator_may_have_several_keys(desk: Desk) -> None:
    """Each signs in; the browser is told which there are, so that none is registered twice; their handle is one."""
    keys = [SoftwareKey(number, edwards=number == 2) for number in (1, 2, 3)]
    for key in keys:
        await desk.register(key)
    assert len({key.user for key in keys}) == 1
    for key in reversed(keys):
        assert (await desk.sign_in(key)).collar == ADMIN
    options, _ = await desk.webauthn.begin_registration(ADMIN, "fourth", NOW)
    assert len(options["excludeCredentials"]) == 3
    assert await desk.kept.remove(keys[0].id)
    assert (await desk.refusal(keys[0])).detail == "no such key is registered"
    assert (await desk.sign_in(keys[1])).collar == ADMIN


async def test_keys_are_bounded(desk: Desk) -> None:
    """One too many is refused before it is touched."""
    for number in range(1, CREDENTIALS_PER_OFFICER_MAX + 1):
        await desk.register(SoftwareKey(number), form="none")
    with pytest.raises(RefusedError, match="webauthn_full"):
        await desk.webauthn.begin_registration(ADMIN, "one more", NOW)


async def test_who_is_signed_in_may_be_asked_again(desk: Desk) -> None:
    """For something grave: only their own keys will do, and these need not say whose they are."""
    own, theirs = SoftwareKey(1), SoftwareKey(2)
    await desk.register(own)
    await desk.register(theirs, OTHER)
    options, handle = await desk.webauthn.begin_authentication(NOW, ADMIN)
    assert len(options["allowCredentials"]) == 1
    verified = await desk.webauthn.finish_authentication(handle, own.answer(options, user=None), NOW)
    assert verified.collar == ADMIN
    options, handle = await desk.webauthn.begin_authentication(NOW, ADMIN)
    with pytest.raises(RefusedError, match="a key of WM7002, where WM7001 was asked"):
        await desk.webauthn.finish_authentication(handle, theirs.answer(options), NOW)


async def test_a_key_without_a_counter_is_borne(desk: Desk) -> None:
    """Many have none: it is always 0, and says nothing."""
    key = SoftwareKey(step=0)
    await desk.register(key)
    for _ in range(3):
        assert (await desk.sign_in(key)).collar == ADMIN


# --- lies at a login ------------------------------------------------------------------------------------


LIES: dict[str, dict[str, Any]] = {
    "other origin": {"origin": "https://beatbook.f0rce.example"},
    "other port": {"origin": ORIGIN + ":8443"},
    "other scheme": {"origin": "http://beatbook.force.example"},
    "sibling origin": {"origin": "https://other.force.example"},
    "other relying party": {"rp_id": "elsewhere.example"},
    "in a frame": {"cross_origin": True},
    "odd frame": {"cross_origin": "false"},
    "user not verified": {"flags": _FLAG.UP},
    "user not present": {"flags": _FLAG.UV},
}


@pytest.mark.parametrize("how", LIES)
async def test_a_lie_of_browser_or_key_is_refused(desk: Desk, how: str) -> None:
    """One thing is not as it should be; the same key, truthful, signs in after it."""
    key = SoftwareKey()
    await desk.register(key)
    truth = {name: getattr(key, name) for name in LIES[how]}
    for name, lie in LIES[how].items():
        setattr(key, name, lie)
    assert (await desk.refusal(key)).spec.code == "webauthn_invalid"
    for name, true in truth.items():
        setattr(key, name, true)
    assert (await desk.sign_in(key)).collar == ADMIN


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "webauthn.create"},
        {"challenge": "A" * 43},
        {"signature": b""},
        {"signature": b"x" * 64},
        {"user": None},
        {"user": b"x" * 32},
        {"id": b"x" * 32},
        {"type": "password"},
        {"id": b""},
    ],
)
async def test_a_changed_answer_is_refused(desk: Desk, changed: dict[str, Any]) -> None:
    """Another ceremony's kind, another challenge, a broken signature, another user, another key."""
    key = SoftwareKey()
    await desk.register(key)
    assert (await desk.refusal(key, **changed)).spec.code == "webauthn_invalid"


async def test_no_bit_of_a_signed_answer_can_be_changed(desk: Desk) -> None:
    """Each byte of authenticator data and signature, flipped: refused, and the counter stays."""
    key = SoftwareKey(edwards=True)
    before = await desk.register(key)
    for part, size in (("authenticatorData", 37), ("signature", 64)):
        for at in range(size):
            options, handle = await desk.webauthn.begin_authentication(NOW)
            answer = json.loads(key.answer(options))
            raw = bytearray(websafe_decode(answer["response"][part]))
            raw[at] ^= 1
            answer["response"][part] = websafe_encode(bytes(raw))
            with pytest.raises(RefusedError):
                await desk.webauthn.finish_authentication(handle, json.dumps(answer).encode(), NOW)
    assert await desk.kept.find(key.id) == before


async def test_another_administrators_key_is_not_ones_own(desk: Desk) -> None:
    """A key signs in whom it is registered for: not under the other's handle, and not under the other's id."""
    own, theirs = SoftwareKey(1), SoftwareKey(2)
    await desk.register(own)
    await desk.register(theirs, OTHER)
    assert (await desk.sign_in(theirs)).collar == OTHER
    assert (await desk.refusal(theirs, user=own.user)).spec.code == "webauthn_invalid"
    assert (await desk.refusal(theirs, id=own.id, user=own.user)).spec.code == "webauthn_invalid"


async def test_a_challenge_counts_once_and_for_its_time(desk: Desk) -> None:
    """The same answer again, an answer to another ceremony, and one that comes too late."""
    key = SoftwareKey()
    await desk.register(key)
    options, handle = await desk.webauthn.begin_authentication(NOW)
    answer = key.answer(options)
    await desk.webauthn.finish_authentication(handle, answer, NOW)
    _, fresh = await desk.webauthn.begin_authentication(NOW)
    for again, code in ((handle, "webauthn_no_ceremony"), (fresh, "webauthn_invalid")):
        with pytest.raises(RefusedError) as caught:
            await desk.webauthn.finish_authentication(again, answer, NOW)
        assert caught.value.spec.code == code
    options, handle = await desk.webauthn.begin_authentication(NOW)
    with pytest.raises(RefusedError, match="webauthn_no_ceremony"):
        await desk.webauthn.finish_authentication(handle, key.answer(options), Millis(NOW + SETTINGS.challenge_ms))


async def test_a_refused_answer_ends_its_ceremony(desk: Desk) -> None:
    """There is no second try at one challenge."""
    key = SoftwareKey()
    await desk.register(key)
    options, handle = await desk.webauthn.begin_authentication(NOW)
    with pytest.raises(RefusedError, match="webauthn_invalid"):
        await desk.webauthn.finish_authentication(handle, b"{}", NOW)
    with pytest.raises(RefusedError, match="webauthn_no_ceremony"):
        await desk.webauthn.finish_authentication(handle, key.answer(options), NOW)


async def test_one_ceremony_is_not_the_other(desk: Desk) -> None:
    """The challenge of a login registers nothing, that of a registration signs nobody in, and each is one officer's."""
    key = SoftwareKey()
    await desk.register(key)
    creation, registering = await desk.webauthn.begin_registration(ADMIN, "x", NOW)
    with pytest.raises(RefusedError, match="it is a registration"):
        await desk.webauthn.finish_authentication(registering, key.answer(creation), NOW)
    creation, registering = await desk.webauthn.begin_registration(ADMIN, "x", NOW)
    with pytest.raises(RefusedError, match="registers a key"):
        await desk.webauthn.finish_registration(OTHER, registering, SoftwareKey(2).register(creation), NOW)
    _, signing_in = await desk.webauthn.begin_authentication(NOW, ADMIN)
    with pytest.raises(RefusedError, match="registers a key"):
        await desk.webauthn.finish_registration(ADMIN, signing_in, SoftwareKey(2).register(creation), NOW)


async def test_a_cloned_key_is_found_and_opens_nothing_any_more(desk: Desk) -> None:
    """Its counter stands still or runs backwards: refused, told, and both of them are shut out until it is removed."""
    key = SoftwareKey()
    await desk.register(key)
    for _ in range(3):
        await desk.sign_in(key)
    for counter in (3, 0):
        twin = Desk()
        twin.kept._kept = dict(desk.kept._kept)
        key.counter = counter
        refusal = await twin.refusal(key)
        assert refusal.spec.code == "webauthn_cloned"
        assert "two authenticators hold it" in refusal.detail
        kept = await twin.kept.find(key.id)
        assert kept is not None
        assert (kept.cloned_at, kept.counter) == (NOW, 4)
        key.counter = 100
        assert (await twin.refusal(key)).spec.code == "webauthn_cloned"


async def test_of_two_at_once_with_one_count_only_one_gets_in(desk: Desk) -> None:
    """A clone that is as quick as the original meets the compare-and-set of the store."""
    key = SoftwareKey()
    await desk.register(key)
    credential = await desk.kept.find(key.id)
    assert credential is not None
    await desk.webauthn._count(credential, 9, NOW)
    with pytest.raises(RefusedError, match="twice at once"):
        await desk.webauthn._count(credential, 9, NOW)


async def test_nobody_gets_in_when_the_counter_cannot_be_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's error comes out as it is."""
    key = SoftwareKey()
    await desk.register(key)

    async def fail(_before: Credential, _after: Credential) -> bool:
        raise StoreError("the disk is full")

    monkeypatch.setattr(desk.kept, "replace", fail)
    with pytest.raises(StoreError, match="disk is full"):
        await desk.sign_in(key)


# --- lies at a registration -----------------------------------------------------------------------------


async def registration_refusal(desk: Desk, key: SoftwareKey, form: str = "packed", **changed: object) -> RefusedError:
    """The refusal that a whole registration ends in; nothing is kept."""
    before = dict(desk.kept._kept)
    options, handle = await desk.webauthn.begin_registration(ADMIN, "x", NOW)
    with pytest.raises(RefusedError) as caught:
        await desk.webauthn.finish_registration(ADMIN, handle, key.register(options, form, **changed), NOW)
    assert desk.kept._kept == before
    return caught.value


@pytest.mark.parametrize("how", LIES)
async def test_a_lie_at_registration_is_refused(desk: Desk, how: str) -> None:
    """The same lies, before there is a key."""
    key = SoftwareKey()
    for name, lie in LIES[how].items():
        setattr(key, name, lie)
    assert (await registration_refusal(desk, key)).spec.code == "webauthn_invalid"


@pytest.mark.parametrize(
    ("form", "changed"),
    [
        ("packed", {"kind": "webauthn.get"}),
        ("packed", {"challenge": "A" * 43}),
        ("packed", {"statement": {"alg": -7, "sig": b"x"}}),
        ("packed", {"statement": {"alg": -8, "sig": b"x"}}),
        ("packed", {"statement": {}}),
        ("none", {"statement": {"x": 1}}),
        ("fido-u2f", {}),
        ("packed", {"id": b"y" * 32}),
        ("packed", {"type": "password"}),
    ],
)
async def test_a_changed_registration_is_refused(desk: Desk, form: str, changed: dict[str, Any]) -> None:
    """Another ceremony's kind or challenge, an attestation that does not hold or was not asked for, another id."""
    assert (await registration_refusal(desk, SoftwareKey(), form, **changed)).spec.code == "webauthn_invalid"


def _cose_key(kind: type[CoseKey], key: object) -> CoseKey:
    made: CoseKey = kind.from_cryptography_key(key)  # type: ignore[arg-type]  # each kind takes its own
    return made


async def test_a_key_that_cannot_be_used_is_not_kept(desk: Desk) -> None:
    """No point of the curve, too short an RSA key, an algorithm that was not asked for, an id that is too short."""
    short = rsa.generate_private_key(public_exponent=65_537, key_size=1_024).public_key()  # noqa: S505  must be refused
    unasked = _cose_key(ES384, ec.generate_private_key(ec.SECP384R1()).public_key())
    no_point = ES256({1: 2, 3: -7, -1: 1, -2: b"\1" * 32, -3: b"\1" * 32})
    for public in (no_point, _cose_key(RS256, short), unasked):
        key = SoftwareKey()
        key.public = public
        assert (await registration_refusal(desk, key, "none")).spec.code == "webauthn_invalid"
    key = SoftwareKey()
    key.id = b"x"
    assert (await registration_refusal(desk, key, "none")).spec.code == "webauthn_invalid"


async def test_a_key_is_registered_once(desk: Desk) -> None:
    """The same key for somebody else, or for oneself again: what is kept stays whose it is."""
    key = SoftwareKey()
    await desk.register(key, OTHER)
    assert (await registration_refusal(desk, key)).spec.code == "webauthn_known"


# --- hostile bytes, and bounds --------------------------------------------------------------------------


@given(raw=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
async def test_whatever_bytes_come_only_a_refusal_comes_out(raw: bytes) -> None:
    """Neither ceremony raises anything else on what a stranger sends."""
    desk = Desk()
    _, handle = await desk.webauthn.begin_authentication(NOW)
    with pytest.raises(RefusedError):
        await desk.webauthn.finish_authentication(handle, raw, NOW)
    _, handle = await desk.webauthn.begin_registration(ADMIN, "x", NOW)
    with pytest.raises(RefusedError):
        await desk.webauthn.finish_registration(ADMIN, handle, raw, NOW)


@given(cut=st.integers(0, 400), junk=st.binary(max_size=40))
async def test_a_broken_attestation_is_refused(cut: int, junk: bytes) -> None:
    """The attestation object, cut anywhere and with anything after it: refused, or whole."""
    desk = Desk()
    options, handle = await desk.webauthn.begin_registration(ADMIN, "x", NOW)
    answer = json.loads(SoftwareKey(edwards=True).register(options))
    raw = websafe_decode(answer["response"]["attestationObject"])
    broken = raw[:cut] + junk
    answer["response"]["attestationObject"] = websafe_encode(broken)
    if broken != raw:
        with pytest.raises(RefusedError):
            await desk.webauthn.finish_registration(ADMIN, handle, json.dumps(answer).encode(), NOW)


@pytest.mark.parametrize("raw", [b"[" * 10_000, b'{"x":' * 5_000, b" " * (RESPONSE_BYTES_MAX + 1), b"{}", b"null"])
async def test_deep_long_and_empty_answers_are_refused(desk: Desk, raw: bytes) -> None:
    """The bounds hold before anything is built."""
    _, handle = await desk.webauthn.begin_authentication(NOW)
    with pytest.raises(RefusedError, match="webauthn_invalid"):
        await desk.webauthn.finish_authentication(handle, raw, NOW)


async def test_a_deep_attestation_is_refused(desk: Desk) -> None:
    """CBOR arrays in each other, as deep as the longest answer can hold."""
    options, handle = await desk.webauthn.begin_registration(ADMIN, "x", NOW)
    answer = json.loads(SoftwareKey().register(options))
    answer["response"]["attestationObject"] = websafe_encode(b"\x81" * 20_000)
    with pytest.raises(RefusedError, match="webauthn_invalid"):
        await desk.webauthn.finish_registration(ADMIN, handle, json.dumps(answer).encode(), NOW)


async def test_ceremonies_under_way_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many waits; what has expired takes no room."""
    monkeypatch.setattr(module, "CEREMONIES_MAX", 3)
    for _ in range(3):
        await desk.webauthn.begin_authentication(NOW)
    with pytest.raises(RefusedError) as caught:
        await desk.webauthn.begin_authentication(NOW)
    assert (caught.value.spec.code, caught.value.retry_after_ms) == ("webauthn_busy", SETTINGS.challenge_ms)
    await desk.webauthn.begin_authentication(Millis(NOW + SETTINGS.challenge_ms))
    assert len(desk.webauthn._ceremonies) == 1
