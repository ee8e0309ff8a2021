"""The OpenAPI 3.1 description, made from the operations and their body types."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.rights import in_words
from server.http.operations import ANYBODY, KEY_HOLDER, SIGNED_IN, Operation, Who
from server.http.problems import Problem, reply
from server.http.routes import OPERATIONS

VERSION: Final = "1"
TOKENS: Final = (
    "The access token of POST /v1/sign-in or POST /v1/token, bound to the device's key (RFC 9449); good for minutes."
)
PROOFS: Final = (
    "A proof of the device's key for this one call (RFC 9449 section 4.2). A 401 with the header DPoP-Nonce gives the "
    "nonce to make the next one with."
)
STATUS: Final = "The token that an officer has given to a victim, to see how their own report stands (RFC 6750)."
_SECURITY: Final[Mapping[Who, list[dict[str, list[str]]]]] = {ANYBODY: [], KEY_HOLDER: [{"proof": []}]}
_WORDS: Final[Mapping[Who, str]] = {
    ANYBODY: "anybody",
    KEY_HOLDER: "whoever proves a device's key",
    SIGNED_IN: "whoever is signed in",
}


def document() -> dict[str, Any]:
    """The whole description."""
    types = [kind for operation in OPERATIONS for kind in (operation.takes, operation.gives) if kind is not None]
    _, components = msgspec.json.schema_components([*types, Problem], ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation)
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "Beatbook",
            "version": VERSION,
            "description": "The HTTP side of a Beatbook server, for the control room and scripts.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "dpop", "description": TOKENS},
                "status": {"type": "http", "scheme": "bearer", "description": STATUS},
                "proof": {"type": "apiKey", "in": "header", "name": "DPoP", "description": PROOFS},
            },
        },
    }
    # As a reader of JSON gets it: a default that is an empty tuple is an empty list there.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(described))
    return plain


def _who(who: Who) -> str:
    return f"whoever is {in_words(who)}" if isinstance(who, tuple) else _WORDS[who]


def _describe(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": operation.summary,
        "responses": {
            **{
                str(status): {"description": meaning, **_content("application/json", operation.gives)}
                for status, meaning in {operation.status: "Done.", **operation.also}.items()
            },
            "default": {"description": "A problem detail (RFC 9457).", **_content("application/problem+json", Problem)},
        },
        "description": f"For {_who(operation.who)}.",
        "security": _SECURITY.get(operation.who, [{"token": [], "proof": []}]),
    }
    if operation.holds:
        described["security"] = [{operation.holds: []}]
    if isinstance(operation.who, tuple):
        described["x-roles"] = [role.value for role in operation.who]
    in_path = re.findall(r"{(\w+)}", operation.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path] + [
        {"name": name, "in": "query", "required": name == "kind", "description": meaning, "schema": {"type": "string"}}
        for name, meaning in operation.query.items()
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.raw:
        schema = {} if operation.raw == "application/json" else {"type": "string"}
        described["requestBody"] = {"required": True, "content": {operation.raw: {"schema": schema}}}
    if operation.takes is not None:
        described["requestBody"] = {"required": True, **_content("application/json", operation.takes)}
    return described


def _content(media_type: str, body: type | None) -> dict[str, Any]:
    if body is None:
        # Whoever is given no body of a type is a browser, which is given a page.
        return {"content": {"text/html": {"schema": {"type": "string"}}}}
    return {"content": {media_type: {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}}}


async def serve_document(_request: Request) -> Response:
    """The description itself."""
    return reply(document())


ROUTE = Route("/openapi.json", serve_document, methods=["GET"])
