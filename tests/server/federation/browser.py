"""What stands round a login with the real provider: a small browser, and a network that can be tampered with."""

import json
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.server.federation.idp import PASSWORD

REDIRECT_URI = "https://beatbook.example/oidc/back"
HOPS_MAX = 8


@dataclass(frozen=True)
class RunningProvider:
    """The provider's process.

    Attributes:
        issuer: its name, and where it is.
        key: what it signs with: the tests know it, to make tokens that are wrong in one thing only.
    """

    issuer: str
    key: RSAPrivateKey


def network() -> httpx.AsyncHTTPTransport:
    """The way to the provider, which is in clear: loading certificates would take longer than all the rest."""
    return httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


class Browser:
    """Follows redirects and fills the login form in where it meets one, until it is sent back to Beatbook.

    An officer's cookies at the provider are kept: who signed in there in an earlier test still is.
    """

    _cookies: ClassVar[dict[tuple[str, str], httpx.Cookies]] = {}

    def __init__(self, officer: str = "WM21877@force.example") -> None:
        self._officer = officer

    async def visit(self, url: str) -> list[tuple[str, str]]:
        """Go where a login begins; what the provider sends back to the redirect address."""
        cookies = self._cookies.setdefault((urlsplit(url).netloc, self._officer), httpx.Cookies())
        async with httpx.AsyncClient(transport=network(), cookies=cookies) as client:
            response = await client.get(url)
            for _ in range(HOPS_MAX):
                if response.is_redirect:
                    target = urljoin(str(response.url), response.headers["location"])
                    if target.startswith(REDIRECT_URI):
                        cookies.update(client.cookies)
                        return parse_qsl(urlsplit(target).query, keep_blank_values=True)
                    response = await client.get(target)
                else:
                    response = await client.post(response.url, data=self._filled(response.text))
        raise AssertionError(f"the provider never sent the officer back: {response.status_code} {response.text[:200]}")

    def _filled(self, page: str) -> dict[str, str]:
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        assert "csrfmiddlewaretoken" in hidden, page
        # Attribute values are written for HTML.
        fields = {name: value.replace("&amp;", "&") for name, value in hidden.items()}
        return fields | {"username": self._officer, "password": PASSWORD}


def answer(content: bytes, status: int = 200, **headers: str) -> httpx.Response:
    """A response whose body is still to be read, as one from the network is."""
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


class Network(httpx.AsyncBaseTransport):
    """The real network, with answers changed on the way.

    Attributes:
        calls: the addresses that were called, in order.
        answers: path's end -> what becomes of that answer's JSON.
        instead: path's end -> a whole response instead of asking.
    """

    def __init__(self) -> None:
        self._real = network()
        self.calls: list[str] = []
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self.instead: dict[str, Callable[[], httpx.Response]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, then change."""
        self.calls.append(request.url.path)
        for end, whole in self.instead.items():
            if request.url.path.endswith(end):
                return whole()
        response = await self._real.handle_async_request(request)
        for end, change in self.answers.items():
            if request.url.path.endswith(end):
                body = json.loads(await response.aread())
                await response.aclose()
                return answer(json.dumps(change(body)).encode(), response.status_code)
        return response

    async def aclose(self) -> None:
        """Close what is open."""
        await self._real.aclose()

    def resign(self, key: RSAPrivateKey, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Have every ID token signed anew, with the provider's key and other claims."""

        def resigned(body: dict[str, Any]) -> dict[str, Any]:
            header = jwt.get_unverified_header(body["id_token"])
            claims = change(jwt.decode(body["id_token"], options={"verify_signature": False}))
            return body | {"id_token": jwt.encode(claims, key, "RS256", {"kid": header["kid"]})}

        self.answers["/token/"] = resigned

    def retoken(self, make: Callable[[dict[str, Any], dict[str, Any]], str]) -> None:
        """Have every ID token be what `make` makes of its header and its claims."""

        def resigned(body: dict[str, Any]) -> dict[str, Any]:
            token = body["id_token"]
            claims = jwt.decode(token, options={"verify_signature": False})
            return body | {"id_token": make(jwt.get_unverified_header(token), claims)}

        self.answers["/token/"] = resigned
