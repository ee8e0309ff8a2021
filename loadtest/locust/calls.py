"""Calls to the HTTP side, each signed with the device's key: DPoP (RFC 9449), from docs/reference/http.md.

The standard library's client, because locust patches its sockets; a connection is kept, and made anew once when the
server has closed it meanwhile.
"""

import base64
import hashlib
import http.client
import json
import secrets
import ssl
import time
from typing import Any, Final
from urllib.parse import quote, urlsplit

from loadtest.locust.chain import Key

_TIMEOUT_S: Final = 60.0
_UNIDENTIFIED: Final = 401
_TOO_MANY: Final = 429
_REFUSED: Final = 400
_TRIES: Final = 4


class CallError(Exception):
    """The server refused a call, or could not be reached.

    Attributes:
        status: of the answer; 0 when there was none.
        code: the stable name of why somebody is not let in, where there is one.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code = status, code


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def proof(key: Key, method: str, url: str, *, at_s: int, nonce: str, token: str = "") -> str:
    """The proof for one call (RFC 9449 section 4.2).

    Args:
        key: the device's.
        method, url: of the call; the address without query.
        at_s: the server's clock (s since 1970).
        nonce: the server's present one; none yet when empty.
        token: the access token that goes along.
    """
    header = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": _b64(key.public)}}
    claims: dict[str, Any] = {"jti": _b64(secrets.token_bytes(16)), "htm": method, "htu": url, "iat": at_s}
    claims |= {"nonce": nonce} if nonce else {}
    claims |= {"ath": _b64(hashlib.sha256(token.encode()).digest())} if token else {}
    words = ".".join(_b64(json.dumps(each).encode()) for each in (header, claims))
    return f"{words}.{_b64(key.sign(words.encode()))}"


class Caller:
    """One device's calls.

    Attributes:
        token: the access token, once signed in.
    """

    def __init__(self, base: str, key: Key, ca_file: str = "", source: str = "") -> None:
        """Bind it; nothing is connected.

        Args:
            base: address of the HTTP side, as `beatbook serve` prints it.
            key: the device's.
            ca_file: PEM file of the authority that vouches for an https server; the machine's own list when empty.
            source: the address of this machine from which to call; any when empty.
        """
        self._source = (source, 0) if source else None
        self.base = base.rstrip("/")
        self._key, self._ca_file = key, ca_file
        self.token = ""
        self._nonce = ""
        self._ahead_s = 0.0
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: object = None, reason: str = "") -> dict[str, Any]:
        """Call a route.

        Args:
            method, path: of the route, with its query.
            body: sent as JSON.
            reason: why a record is looked at.

        Raises:
            CallError: it was refused.
        """
        status, told = 0, dict[str, Any]()
        for _ in range(_TRIES):
            nonce = self._nonce
            status, told = self._once(method, path, body, reason)
            if status == _TOO_MANY:
                time.sleep(float(told.get("retry_after", 1)))
            elif status != _UNIDENTIFIED or self._nonce == nonce:
                break
        if status >= _REFUSED:
            raise CallError(status, str(told.get("code", "")), f"{method} {path}: {told.get('detail', status)}")
        return told

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _once(self, method: str, path: str, body: object, reason: str) -> tuple[int, dict[str, Any]]:
        url = self.base + path.partition("?")[0]
        at_s = int(time.time() + self._ahead_s)
        headers = {
            "DPoP": proof(self._key, method, url, at_s=at_s, nonce=self._nonce, token=self.token),
            "Content-Type": "application/json",
        }
        headers |= {"Authorization": f"DPoP {self.token}"} if self.token else {}
        headers |= {"Beatbook-Reason": quote(reason)} if reason else {}
        raw = None if body is None else json.dumps(body).encode()
        answer = self._exchange(method, path, raw, headers)
        text = answer.read()
        self._nonce = answer.headers.get("DPoP-Nonce", self._nonce)
        clock = answer.headers.get("Beatbook-Time", "")
        if clock.isdigit():
            self._ahead_s = int(clock) / 1_000 - time.time()
        try:
            told = json.loads(text) if text else {}
        except ValueError as error:
            raise CallError(answer.status, "", f"{method} {path}: the answer is no JSON") from error
        if answer.status == _TOO_MANY:
            told["retry_after"] = answer.headers.get("Retry-After", "1")
        return answer.status, told

    def _exchange(self, method: str, path: str, raw: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        try:
            return self._ask(method, path, raw, headers)
        except (OSError, http.client.HTTPException):
            # Once more, also where the connection was fresh: a server that very many ask at once ends some unheard.
            self.close()
        try:
            return self._ask(method, path, raw, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise CallError(0, "", f"{self.base} cannot be reached: {error}") from error

    def _ask(self, method: str, path: str, raw: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        if self._connection is None:
            address = urlsplit(self.base)
            host, port = address.hostname or "", address.port
            if address.scheme == "https":
                context = ssl.create_default_context(cafile=self._ca_file or None)
                self._connection = http.client.HTTPSConnection(
                    host, port, timeout=_TIMEOUT_S, source_address=self._source, context=context
                )
            else:
                self._connection = http.client.HTTPConnection(
                    host, port, timeout=_TIMEOUT_S, source_address=self._source
                )
        self._connection.request(method, path, raw, headers)
        return self._connection.getresponse()
