"""An HTTP client whose every answer is held against the OpenAPI description."""

import re
from typing import Any, Final

import httpx
import jsonschema

from server.http.openapi import document
from tests.server.people import Caller
from tests.server.running import Running

DOCUMENT: Final = document()
ID: Final = "01890000-0000-7000-8000-{:012x}"


def described(method: str, path: str) -> dict[str, Any] | None:
    """The operation that the description has for a request, or None."""
    for pattern, methods in DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path):
            found: dict[str, Any] | None = methods.get(method.lower())
            return found
    return None


async def hold_against_description(response: httpx.Response) -> None:
    """Fail when a response is not what the description says: status, media type and body."""
    await response.aread()
    request = response.request
    if request.url.path == "/openapi.json" and response.status_code == 200:
        return
    operation = described(request.method, request.url.path)
    if operation is None:
        assert response.status_code in {404, 405}, f"{request.method} {request.url.path} is not described"
        expected = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    else:
        responses = operation["responses"]
        expected = responses.get(str(response.status_code), responses["default"])["content"]
    media_type = response.headers["content-type"]
    assert media_type in expected, (response.status_code, media_type)
    schema = {**expected[media_type]["schema"], "components": DOCUMENT["components"]}
    jsonschema.validate(response.json(), schema, cls=jsonschema.Draft202012Validator)
    if media_type == "application/problem+json":
        assert response.json()["status"] == response.status_code


def client(server: Running, caller: Caller | None) -> httpx.AsyncClient:
    """A client of the server for somebody, or for nobody."""
    return httpx.AsyncClient(
        base_url=server.url,
        auth=None if caller is None else caller.auth,
        event_hooks={"response": [hold_against_description]},
        trust_env=False,
    )


def briefing(**changes: object) -> dict[str, object]:
    """A briefing's body."""
    return {"title": "Burglaries", "body": "Sheds in Aston.", "audience": ["force"], **changes}


def incident(number: int, **values: object) -> dict[str, object]:
    """A draft of an incident."""
    base = {"opened_at": 1_700_000_000_000, "area": "birmingham", "category": "crime", "summary": f"Theft {number}"}
    return {"id": ID.format(number), "kind": "incident", "values": {**base, **values}}


def refusal(response: httpx.Response, status: int, words: str = "") -> str:
    """The detail of a problem, which must have this status and these words in it."""
    assert response.status_code == status, response.text
    detail: str = response.json()["detail"]
    assert words in detail
    return detail
