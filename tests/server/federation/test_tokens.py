"""Access tokens and DPoP: what holds, and every way in which it must not."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId
from server.federation.refusals import RefusedError
from server.federation.tokens import (
    CLOCK_STEP_MS,
    NONCE_LIFETIME_MS,
    PROOF_WINDOW_MS,
    TOKEN_LIFETIME_MS,
    AccessToken,
    DpopVerifier,
    NonceError,
    TokenIssuer,
)
from sync.device.dpop import base64url, make_proof, public_jwk, thumbprint, token_hash
from sync.device.keys import DeviceIdentity

NOW = Millis(1_767_225_600_000)
SERVER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
DEVICE = DeviceIdentity(DeviceId("hh-1"), Ed25519PrivateKey.from_private_bytes(b"d" * 32))
OTHER = DeviceIdentity(DeviceId("hh-2"), Ed25519PrivateKey.from_private_bytes(b"o" * 32))
JKT = thumbprint(DEVICE.public_key)
HOME = "https://beatbook.example"
URL = f"{HOME}/devices/lease"
ISSUER = TokenIssuer(SERVER, HOME)
CLAIMS = {
    "iss": HOME,
    "aud": HOME,
    "sub": "WM21877",
    "seat": "hh-1",
    "sid": "s-1",
    "iat": NOW // 1_000,
    "exp": NOW // 1_000 + 900,
    "jti": "j",
    "cnf": {"jkt": JKT},
}
HEADER = {"typ": "at+jwt", "alg": "EdDSA", "kid": thumbprint(SERVER.public_key().public_bytes_raw())}


def signed(key: Ed25519PrivateKey, header: dict[str, Any], claims: object) -> str:
    """A JWS made by hand, so that its header may say anything."""
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{text}.{base64url(key.sign(text.encode()))}"


def issued(issuer: TokenIssuer = ISSUER) -> str:
    """A token of officer WM21877 at hh-1."""
    return issuer.issue(OfficerId("WM21877"), DeviceId("hh-1"), sign_in="s-1", jkt=JKT, now=NOW)


def later(ms: int) -> Millis:
    """That long after NOW."""
    return Millis(NOW + ms)


class Caller:
    """A device that calls, with fresh noise every time."""

    def __init__(self, verifier: DpopVerifier) -> None:
        self.verifier = verifier
        self.token = issued()
        self._count = 0

    def proof(self, **changed: object) -> str:
        """A proof that holds, but for what is changed."""
        self._count += 1
        given: dict[str, Any] = {
            "signer": DEVICE,
            "method": "POST",
            "url": URL,
            "now": NOW,
            "noise": self._count.to_bytes(16, "big"),
            "token": self.token,
        } | changed
        if "nonce" not in given:
            given["nonce"] = self.verifier.nonce(NOW)
        return make_proof(given.pop("signer"), **given)

    def call(self, *proofs: str, now: Millis = NOW, jkt: str | None = JKT) -> str:
        """What the server makes of a call with these proofs."""
        return self.verifier.check(proofs, method="POST", url=URL, now=now, token=self.token, jkt=jkt)


@pytest.fixture
def caller() -> Caller:
    """A device before a new verifier."""
    return Caller(DpopVerifier())


# --- tokens ---------------------------------------------------------------------------------------------


def test_a_token_says_who_signed_in_where_and_until_when() -> None:
    """All of it comes back; the token is of the type that no other JWT of the server has."""
    token = issued()
    assert jwt.get_unverified_header(token) == HEADER
    assert ISSUER.verify(token, NOW) == AccessToken(
        officer=OfficerId("WM21877"),
        seat=DeviceId("hh-1"),
        sign_in="s-1",
        jkt=JKT,
        issued_at=NOW,
        expires_at=later(TOKEN_LIFETIME_MS),
    )
    assert token != issued()


def test_a_token_holds_until_it_ends_and_not_a_moment_longer() -> None:
    """The last millisecond before its end, then the end."""
    token = issued()
    assert ISSUER.verify(token, later(TOKEN_LIFETIME_MS - 1)).officer == "WM21877"
    with pytest.raises(RefusedError, match="has ended"):
        ISSUER.verify(token, later(TOKEN_LIFETIME_MS))


def test_a_shorter_lifetime_holds_for_older_tokens_too() -> None:
    """Whoever shortens it after a theft need not wait the old one out."""
    shorter = TokenIssuer(SERVER, HOME, lifetime_ms=60_000)
    assert shorter.verify(issued(), later(59_999)).sign_in == "s-1"
    with pytest.raises(RefusedError, match="has ended"):
        shorter.verify(issued(), later(60_000))


def test_a_new_key_signs_nobody_out_until_the_old_one_is_dropped() -> None:
    """Tokens of an earlier key hold while it is named, and no longer."""
    fresh = Ed25519PrivateKey.from_private_bytes(b"n" * 32)
    assert TokenIssuer(fresh, HOME, earlier=[SERVER.public_key()]).verify(issued(), NOW).seat == "hh-1"
    with pytest.raises(RefusedError, match="no key of this server"):
        TokenIssuer(fresh, HOME).verify(issued(), NOW)


def _with_alg(alg: str) -> dict[str, Any]:
    return HEADER | {"alg": alg}


def _hmac_token() -> str:
    """Signed with the server's public key as if that were a shared secret."""
    text = ".".join(base64url(json.dumps(part).encode()) for part in (_with_alg("HS256"), CLAIMS))
    secret = SERVER.public_key().public_bytes_raw()
    return f"{text}.{base64url(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def _without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


FORGED = {
    "empty": "",
    "no token": "a.b.c",
    "not latin": "\ud800.\ud800.\ud800",
    "longer than any": signed(SERVER, HEADER, CLAIMS | {"more": "x" * 2_000}),
    "unsigned": signed(SERVER, HEADER, CLAIMS).rpartition(".")[0] + ".",
    "none": signed(SERVER, _with_alg("none"), CLAIMS).rpartition(".")[0] + ".",
    "public key as a secret": _hmac_token(),
    "other key under the server's name": signed(Ed25519PrivateKey.generate(), HEADER, CLAIMS),
    "unknown key": signed(SERVER, HEADER | {"kid": "x"}, CLAIMS),
    "no key named": signed(SERVER, _without(HEADER, "kid"), CLAIMS),
    "other type": signed(SERVER, HEADER | {"typ": "JWT"}, CLAIMS),
    "proof as token": signed(SERVER, HEADER | {"typ": "dpop+jwt"}, CLAIMS),
    "critical extension": signed(SERVER, HEADER | {"crit": ["x"], "x": 1}, CLAIMS),
    "other issuer": signed(SERVER, HEADER, CLAIMS | {"iss": "https://other.example"}),
    "other audience": signed(SERVER, HEADER, CLAIMS | {"aud": "https://other.example"}),
    "list of audiences": signed(SERVER, HEADER, CLAIMS | {"aud": [HOME]}),
    "no end": signed(SERVER, HEADER, _without(CLAIMS, "exp")),
    "end as text": signed(SERVER, HEADER, CLAIMS | {"exp": "9999999999"}),
    "end beyond all bounds": signed(SERVER, HEADER, CLAIMS | {"exp": 10**30}),
    "not bound to a key": signed(SERVER, HEADER, _without(CLAIMS, "cnf")),
    "bound to no key's name": signed(SERVER, HEADER, CLAIMS | {"cnf": {"jkt": JKT + "\n"}}),
    "nobody": signed(SERVER, HEADER, CLAIMS | {"sub": ""}),
    "seat that is a path": signed(SERVER, HEADER, CLAIMS | {"seat": "../hh-1"}),
    "claims that are a list": signed(SERVER, HEADER, [CLAIMS]),
    "from the future": signed(SERVER, HEADER, CLAIMS | {"iat": (NOW + CLOCK_STEP_MS) // 1_000 + 1}),
}


def test_the_forger_can_sign() -> None:
    """What the table below changes is the only thing wrong with it."""
    assert ISSUER.verify(signed(SERVER, HEADER, CLAIMS), NOW).officer == "WM21877"


@pytest.mark.parametrize("how", FORGED)
def test_a_token_that_is_not_the_servers_own_is_refused(how: str) -> None:
    """Each forgery is refused with the one code, and nothing else is raised."""
    with pytest.raises(RefusedError) as caught:
        ISSUER.verify(FORGED[how], NOW)
    assert caught.value.spec.code == "token_invalid"


def test_no_changed_character_goes_unnoticed() -> None:
    """Any one character of a token, made another one, ends it."""
    token = issued()
    for at, old in enumerate(token):
        changed = token[:at] + ("A" if old != "A" else "B") + token[at + 1 :]
        with pytest.raises(RefusedError):
            ISSUER.verify(changed, NOW)


@pytest.mark.parametrize(
    ("officer", "seat", "sign_in", "jkt"),
    [("", "hh-1", "s", JKT), ("WM1", "HH", "s", JKT), ("WM1", "hh-1", "", JKT), ("WM1", "hh-1", "s", "x")],
)
def test_a_token_that_could_not_be_read_back_is_not_issued(officer: str, seat: str, sign_in: str, jkt: str) -> None:
    """The caller's mistake shows at once, not at the officer's next call."""
    with pytest.raises(UsageError, match="no token for officer"):
        ISSUER.issue(OfficerId(officer), DeviceId(seat), sign_in=sign_in, jkt=jkt, now=NOW)


@pytest.mark.parametrize(("issuer", "lifetime_ms"), [("", 60_000), (HOME, 999)])
def test_an_issuer_without_a_name_or_with_no_time_is_refused(issuer: str, lifetime_ms: int) -> None:
    """A wrong setting shows at the start."""
    with pytest.raises(UsageError, match="token issuer"):
        TokenIssuer(SERVER, issuer, lifetime_ms=lifetime_ms)


def test_an_issuer_does_not_show_its_key() -> None:
    """Its text may stand in a log."""
    assert repr(ISSUER) == f"TokenIssuer({HOME!r})"


# --- proofs ---------------------------------------------------------------------------------------------


def test_a_proof_counts_once(caller: Caller) -> None:
    """The same proof a second time is a replay, however soon; a new one holds."""
    proof = caller.proof()
    assert caller.call(proof) == JKT
    with pytest.raises(RefusedError) as caught:
        caller.call(proof)
    assert caught.value.spec.code == "proof_reused"
    assert caller.call(caller.proof()) == JKT


def test_two_devices_may_draw_the_same_number(caller: Caller) -> None:
    """Whether a proof is used is asked per key: nobody uses up another's."""
    caller.call(caller.proof(noise=bytes(16)))
    theirs = caller.proof(signer=OTHER, noise=bytes(16))
    assert caller.call(theirs, jkt=thumbprint(OTHER.public_key)) == thumbprint(OTHER.public_key)


def test_a_call_without_a_token_proves_the_key_alone() -> None:
    """Signing in and enrolling: there is no token yet, and at enrolment no known key either."""
    caller = Caller(DpopVerifier())
    for jkt in (JKT, None):
        proof = caller.proof(token=None)
        assert caller.verifier.check([proof], method="POST", url=URL, now=NOW, jkt=jkt) == JKT


def test_the_first_call_learns_the_nonce(caller: Caller) -> None:
    """Without one, and with an unknown one, the refusal holds the one that then works."""
    for nonce in (None, "", "guessed"):
        with pytest.raises(NonceError) as caught:
            caller.call(caller.proof(nonce=nonce))
        assert caught.value.spec.code == "proof_nonce"
        assert caller.call(caller.proof(nonce=caught.value.nonce)) == JKT


def test_a_nonce_is_taken_for_one_lifetime_after_it_was_changed(caller: Caller) -> None:
    """A call on its way while the nonce changes still counts, once; after that its proofs are void."""
    first = caller.verifier.nonce(NOW)
    proofs = [caller.proof() for _ in range(3)]
    caller.call(proofs[0])
    turned = later(NONCE_LIFETIME_MS)
    assert caller.verifier.nonce(turned) != first
    assert caller.call(proofs[1], now=turned) == JKT
    for used in proofs[:2]:
        with pytest.raises(RefusedError, match="proof_reused"):
            caller.call(used, now=turned)
    for old in proofs:
        with pytest.raises(NonceError):
            caller.call(old, now=later(2 * NONCE_LIFETIME_MS))
    assert len(caller.verifier._rounds) <= 2


def test_no_clock_set_back_and_no_restart_brings_a_used_proof_to_life(caller: Caller) -> None:
    """What is remembered may be forgotten only together with the nonce that the proof needs."""
    proof = caller.proof()
    caller.call(proof)
    for now in (later(-CLOCK_STEP_MS - 1), NOW, later(3 * NONCE_LIFETIME_MS), NOW):
        with pytest.raises(RefusedError):
            caller.call(proof, now=now)
    with pytest.raises(NonceError):
        DpopVerifier().check([proof], method="POST", url=URL, now=NOW, token=caller.token, jkt=JKT)


def test_a_call_that_began_a_little_earlier_does_not_end_the_nonce(caller: Caller) -> None:
    """Two calls read the clock and arrive the other way round."""
    nonce = caller.verifier.nonce(NOW)
    assert caller.verifier.nonce(later(-5)) == nonce


def test_a_clock_that_was_set_back_begins_a_new_nonce(caller: Caller) -> None:
    """Otherwise the old one, and its bound on calls, would stand until the clock has caught up."""
    nonce = caller.verifier.nonce(NOW)
    assert caller.verifier.nonce(later(-CLOCK_STEP_MS - 1)) != nonce


def _proof_header(**changed: object) -> dict[str, Any]:
    return {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": public_jwk(DEVICE.public_key)} | changed


def _rsa_proof(claims: dict[str, Any]) -> str:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwt.PyJWS().encode(json.dumps(claims).encode(), key, "RS256", {"typ": "dpop+jwt", "jwk": jwk})


def _claims_of(proof: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(proof.split(".")[1] + "=="))
    return read


WRONG: dict[str, dict[str, Any]] = {
    "other method": {"method": "GET"},
    "other url": {"url": f"{HOME}/devices"},
    "other host": {"url": "https://other.example/devices/lease"},
    "other scheme": {"url": "http://beatbook.example/devices/lease"},
    "other key": {"signer": OTHER},
    "stale": {"now": later(-PROOF_WINDOW_MS - 1_000)},
    "future": {"now": later(PROOF_WINDOW_MS + 1_000)},
    "no ath": {"token": None},
    "other token": {"token": "another"},
}


@pytest.mark.parametrize("how", WRONG)
def test_a_proof_of_something_else_is_refused(caller: Caller, how: str) -> None:
    """Each is a whole and truthful proof, of another call."""
    with pytest.raises(RefusedError) as caught:
        caller.call(caller.proof(**WRONG[how]))
    assert caught.value.spec.code == "proof_invalid"
    assert caller.call(caller.proof()) == JKT


@pytest.mark.parametrize("ms", [-PROOF_WINDOW_MS, PROOF_WINDOW_MS])
def test_a_clock_that_is_a_little_off_is_let_in(caller: Caller, ms: int) -> None:
    """Up to the window's edge, either way."""
    assert caller.call(caller.proof(now=later(ms))) == JKT


def test_a_forged_proof_is_refused(caller: Caller) -> None:
    """Other algorithms, broken signatures, odd headers and claims: one code, nothing else is raised."""
    key = DEVICE._private_key
    claims = _claims_of(caller.proof())
    nobody = "A" * 43
    forged = {
        "empty": "",
        "no proof": "x",
        "unsigned": signed(key, _proof_header(), claims).rpartition(".")[0] + ".",
        "none": signed(key, _proof_header(alg="none"), claims).rpartition(".")[0] + ".",
        "rsa": _rsa_proof(claims),
        "hmac": signed(key, _proof_header(alg="HS256"), claims),
        "signed by another": signed(OTHER._private_key, _proof_header(), claims),
        "token as proof": signed(key, _proof_header(typ="at+jwt"), claims),
        "no key": signed(key, {"typ": "dpop+jwt", "alg": "EdDSA"}, claims),
        "no point": signed(key, _proof_header(jwk={"kty": "OKP", "crv": "Ed25519", "x": nobody[1:]}), claims),
        "other curve": signed(key, _proof_header(jwk=public_jwk(DEVICE.public_key) | {"crv": "Ed448"}), claims),
        "private key": signed(key, _proof_header(jwk=public_jwk(DEVICE.public_key) | {"d": nobody}), claims),
        "critical": signed(key, _proof_header(crit=["b64"], b64=False), claims),
        "oversized": signed(key, _proof_header(pad="x" * 2_048), claims),
        "deep": _deep(key),
        "no jti": signed(key, _proof_header(), _without(claims, "jti")),
        "short jti": signed(key, _proof_header(), claims | {"jti": "1"}),
        "no iat": signed(key, _proof_header(), _without(claims, "iat")),
        "iat as text": signed(key, _proof_header(), claims | {"iat": str(claims["iat"])}),
        "iat beyond all bounds": signed(key, _proof_header(), claims | {"iat": 1e300}),
        "no address": signed(key, _proof_header(), claims | {"htu": "lease"}),
        "claims that are a number": signed(key, _proof_header(), 7),
    }
    for how, proof in forged.items():
        with pytest.raises(RefusedError) as caught:
            caller.call(proof)
        assert caught.value.spec.code == "proof_invalid", how
    assert caller.call(signed(key, _proof_header(), claims)) == JKT


def _deep(key: Ed25519PrivateKey) -> str:
    """A proof whose claims are brackets all the way down, as deep as its length allows."""
    brackets = b'{"x":' + b"[" * 600 + b"]" * 600 + b"}"
    text = f"{base64url(json.dumps(_proof_header()).encode())}.{base64url(brackets)}"
    return f"{text}.{base64url(key.sign(text.encode()))}"


def test_a_call_has_exactly_one_proof(caller: Caller) -> None:
    """None, or two good ones: refused."""
    for proofs in ((), (caller.proof(), caller.proof())):
        with pytest.raises(RefusedError, match="exactly one"):
            caller.call(*proofs)


def test_a_refused_proof_is_not_used_up(caller: Caller) -> None:
    """Whoever sends it to the wrong place may send it to the right one."""
    proof = caller.proof()
    with pytest.raises(RefusedError, match="sent with GET"):
        caller.verifier.check([proof], method="GET", url=URL, now=NOW, token=caller.token, jkt=JKT)
    assert caller.call(proof) == JKT


def test_a_token_is_never_checked_without_its_key(caller: Caller) -> None:
    """Forgetting the binding is a defect of ours that shows at once."""
    with pytest.raises(UsageError, match="bound to a key"):
        caller.call(caller.proof(), jkt=None)


def test_a_device_that_calls_too_often_waits_and_others_do_not() -> None:
    """The bound is per key, no used proof is forgotten for it, and it ends with the nonce."""
    caller = Caller(DpopVerifier(per_key_max=3))
    proofs = [caller.proof() for _ in range(4)]
    for proof in proofs[:3]:
        caller.call(proof)
    with pytest.raises(RefusedError) as caught:
        caller.call(proofs[3])
    assert (caught.value.spec.code, caught.value.retry_after_ms) == ("proof_too_many", NONCE_LIFETIME_MS)
    with pytest.raises(RefusedError, match="proof_reused"):
        caller.call(proofs[0])
    caller.call(caller.proof(signer=OTHER), jkt=thumbprint(OTHER.public_key))
    nonce = caller.verifier.nonce(later(NONCE_LIFETIME_MS))
    assert caller.call(caller.proof(nonce=nonce), now=later(NONCE_LIFETIME_MS)) == JKT


def test_memory_is_bounded_by_changing_the_nonce_early() -> None:
    """When all that may be remembered is, a new nonce begins; no replay gets through."""
    caller = Caller(DpopVerifier(total_max=2))
    proofs = []
    for _ in range(9):
        proofs.append(caller.proof())
        caller.call(proofs[-1])
    assert sum(each.count for each in caller.verifier._rounds) <= 4
    for proof in proofs:
        with pytest.raises(RefusedError):
            caller.call(proof)


@given(proof=st.text(max_size=80) | st.builds(".".join, st.lists(st.text("AQ-_eyJ=", max_size=20), max_size=4)))
def test_any_text_at_all_is_refused_and_nothing_else_is_raised(proof: str) -> None:
    """What a stranger sends never raises out of the check."""
    with pytest.raises(RefusedError):
        DpopVerifier().check([proof], method="POST", url=URL, now=NOW)
    with pytest.raises(RefusedError):
        ISSUER.verify(proof, NOW)


def test_a_public_key_in_pem_is_no_secret_either() -> None:
    """The other spelling of the same confusion: HMAC with the PEM text of the server's public key."""
    pem = SERVER.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = ".".join(base64url(json.dumps(part).encode()) for part in (_with_alg("HS256"), CLAIMS))
    token = f"{text}.{base64url(hmac.new(pem, text.encode(), hashlib.sha256).digest())}"
    with pytest.raises(RefusedError, match="token_invalid"):
        ISSUER.verify(token, NOW)


def test_a_proof_names_the_token_by_its_hash(caller: Caller) -> None:
    """RFC 9449 section 4.2: `ath`, so that a proof stolen with one token is of no use with another."""
    assert _claims_of(caller.proof())["ath"] == token_hash(caller.token)
