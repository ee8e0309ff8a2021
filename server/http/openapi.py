"""The OpenAPI 3.1 description, made from the operations and their body types."""

import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.http.operations import Operation
from server.http.problems import Problem, reply
from server.http.routes import OPERATIONS

VERSION = "1"


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
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    # As a reader of JSON gets it: a default that is an empty tuple is an empty list there.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(described))
    return plain


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
        "security": [] if operation.open else [{"token": []}],
    }
    in_path = re.findall(r"{(\w+)}", operation.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path] + [
        {"name": name, "in": "query", "required": name == "kind", "description": meaning, "schema": {"type": "string"}}
        for name, meaning in operation.query.items()
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.takes is not None:
        described["requestBody"] = {"required": True, **_content("application/json", operation.takes)}
    return described


def _content(media_type: str, body: type) -> dict[str, Any]:
    return {"content": {media_type: {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}}}


async def serve_document(_request: Request) -> Response:
    """The description itself."""
    return reply(document())


ROUTE = Route("/openapi.json", serve_document, methods=["GET"])
