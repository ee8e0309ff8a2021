"""The registry of refusals: why somebody is not let in, as a stable code with its meaning and its remedy.

A code is for ever. The text of a `RefusedError` is written for the server's own log; a caller is told `spec.code` and
`spec.meaning`, which say nothing about who exists, and never the particulars.
"""

from typing import Final

import msgspec

from schemas.errors import BeatbookError


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the registry.

    Attributes:
        code: stable name, lower case with underscores.
        status: the HTTP status that goes with it (RFC 9110 section 15).
        meaning: what happened; may be shown to anybody.
        action: what the officer or the administrator does about it.
    """

    code: str
    status: int
    meaning: str
    action: str


def _refusal(code: str, status: int, meaning: str, action: str) -> Refusal:
    return Refusal(code=code, status=status, meaning=meaning, action=action)


_REFUSALS: Final = (
    # Tokens and the proofs that go with them.
    _refusal(
        "token_invalid",
        401,
        "The access token is not one of this server's, or it has ended.",
        "Renew it with the device's key, or sign in again.",
    ),
    _refusal(
        "proof_invalid",
        401,
        "The proof of the device's key does not hold for this call.",
        "Make a new proof for every call; set the device's clock by the server's.",
    ),
    _refusal(
        "proof_reused",
        401,
        "The proof of the device's key has been used before.",
        "Make a new proof for every call. If nobody did this on purpose, report it: somebody may be replaying calls.",
    ),
    _refusal(
        "proof_nonce",
        401,
        "The proof lacks the server's present nonce.",
        "Repeat the call with the nonce of this answer's DPoP-Nonce header.",
    ),
    _refusal(
        "proof_too_many",
        429,
        "The device has made more calls than it may within a few minutes.",
        "Wait two minutes; then slow the program down.",
    ),
    # Devices that are trusted no more. Whoever is told this has proved the device's key.
    _refusal(
        "device_revoked",
        403,
        "This device is trusted no more.",
        "What was not sent rests on it and opens for nobody. An administrator may let it be handed over, and nothing "
        "else: `beatbook device hand-over`; then sign in here once more. To use the device again, have it enrolled "
        "anew.",
    ),
    _refusal(
        "device_wiped",
        403,
        "This device is to destroy all that it holds, or has done so.",
        "Nothing on it opens any more. To use it again, have a new code given out and enrol it anew.",
    ),
    _refusal(
        "seat_wiped",
        409,
        "What this officer had on this device is to be destroyed, and is not yet.",
        "Let the handheld destroy it and say so, which it does when it is started with signal; then sign in again.",
    ),
    # One-time codes and links.
    _refusal(
        "code_mistyped",
        400,
        "The code has a slip in it: its checksum does not fit.",
        "Type it again, as it was given; this was not counted as a try.",
    ),
    _refusal(
        "code_unknown",
        401,
        "No such code or link is waiting.",
        "Have a new one given out.",
    ),
    _refusal(
        "code_used",
        401,
        "The code or link has been used already.",
        "If it was not you, report it at once: another device may be enrolled in its place. Have a new one given out.",
    ),
    _refusal(
        "code_expired",
        401,
        "The code or link has expired.",
        "Have a new one given out.",
    ),
    # Passphrases and PINs.
    _refusal(
        "sign_in_wrong",
        401,
        "Collar number and passphrase do not go together.",
        "Type both again; an administrator can reset the passphrase.",
    ),
    _refusal(
        "sign_in_ended",
        401,
        "The sign-in has ended.",
        "Sign in again.",
    ),
    _refusal(
        "passphrase_once",
        403,
        "This passphrase was given out for one sign-in.",
        "Sign in again and choose a new passphrase with it.",
    ),
    _refusal(
        "tries_wait",
        429,
        "There were too many wrong tries.",
        "Wait as long as the answer says, then try again.",
    ),
    _refusal(
        "tries_locked",
        403,
        "There were too many wrong tries: it is locked.",
        "Ask an administrator to unlock it, and say whether the tries were yours.",
    ),
    # Signing in with a provider elsewhere.
    _refusal(
        "oidc_no_login",
        400,
        "No such login is under way.",
        "Begin to sign in again; a login lasts some minutes, and one answer ends it.",
    ),
    _refusal(
        "oidc_waiting",
        409,
        "The browser has not come back from the provider yet.",
        "Sign in there, then type the number that the page shows; the login is still under way.",
    ),
    _refusal(
        "oidc_foreign_answer",
        401,
        "The answer does not belong to this login.",
        "Begin to sign in again. If it happens twice, report it: somebody may be tampering with logins.",
    ),
    _refusal(
        "oidc_denied",
        401,
        "The provider did not sign you in.",
        "Begin to sign in again; the server's log has the provider's reason.",
    ),
    _refusal(
        "oidc_token_invalid",
        401,
        "What the provider says of you does not hold.",
        "Begin to sign in again; if it happens twice, tell an administrator, who finds the reason in the server's log.",
    ),
    _refusal(
        "oidc_officer_unknown",
        403,
        "The provider knows you, and no such officer is registered here.",
        "Ask the registrar to enter you; the administrator checks which claim holds the collar number.",
    ),
    _refusal(
        "oidc_unavailable",
        502,
        "The provider could not be used.",
        "Sign in another way, or later; the administrator finds the reason in the server's log.",
    ),
    _refusal(
        "oidc_busy",
        503,
        "Too many logins are under way.",
        "Wait some minutes and begin again.",
    ),
    # Security keys.
    _refusal(
        "webauthn_no_ceremony",
        400,
        "Nothing of that kind is under way in this browser.",
        "Begin again; it lasts some minutes, and one answer ends it.",
    ),
    _refusal(
        "webauthn_invalid",
        401,
        "What the security key says does not hold.",
        "Begin again with a key that is registered; the server's log has the reason.",
    ),
    _refusal(
        "webauthn_known",
        409,
        "The security key is registered already.",
        "Use it as it is, or take another one.",
    ),
    _refusal(
        "webauthn_full",
        409,
        "No more security keys can be registered.",
        "Remove one that is not used any more.",
    ),
    _refusal(
        "webauthn_cloned",
        403,
        "There seem to be two of this security key.",
        "Report it at once, remove the key and register a new one: somebody may have copied it.",
    ),
    _refusal(
        "webauthn_needed",
        403,
        "This officer signs in with a security key.",
        "Use the key. If it is lost, have another administrator remove it, then sign in and register a new one.",
    ),
    _refusal(
        "webauthn_busy",
        503,
        "Too many are signing in.",
        "Wait some minutes and begin again.",
    ),
)

REFUSALS: Final[dict[str, Refusal]] = {refusal.code: refusal for refusal in _REFUSALS}


class RefusedError(BeatbookError):
    """Somebody is not let in.

    Attributes:
        spec: the entry of the registry.
        detail: the particulars, for the server's log; holds no secret.
        retry_after_ms: how long to wait before another try, where waiting helps.
    """

    def __init__(self, code: str, detail: str = "", retry_after_ms: int | None = None) -> None:
        """Look `code` up in the registry; an unknown one is our own fault (KeyError)."""
        self.spec = REFUSALS[code]
        self.detail = detail
        self.retry_after_ms = retry_after_ms
        super().__init__(f"{code}: {detail or self.spec.meaning}")
