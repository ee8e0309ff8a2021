"""The OpenAPI description is valid, complete, and what docs/reference/http.md tells."""

import re
import typing
from pathlib import Path

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from schemas.kinds import KINDS
from server.http import bodies
from server.http.act_drafts import drafts_of
from server.http.openapi import document
from server.http.operations import BODY_BYTES_MAX, LIST_DEFAULT, LIST_MAX, Operation
from server.http.problems import HANDLERS, Problem
from server.http.routes import OPERATIONS, all_routes
from tests import http_page
from tests.server.api import client
from tests.server.running import Running

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/http.md").read_text(encoding="utf-8")
HTTP = Path(__file__).resolve().parents[2] / "server/http"


def structs(kind: object) -> set[type[msgspec.Struct]]:
    """The Structs that a body type is made of, itself included."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind.__name__ in http_page.FAMILIES:  # made at run time: its fields are told, their types have no hints
            return {kind, *(draft for draft, _ in drafts_of(kind))}
        inner = (structs(hint) for hint in typing.get_type_hints(kind, include_extras=True).values())
        return {kind}.union(*inner)
    return set().union(*(structs(part) for part in typing.get_args(kind)))


BODIES = sorted(
    set().union(*(structs(kind) for operation in OPERATIONS for kind in (operation.takes, operation.gives))),
    key=lambda body: body.__name__,
)


def sections() -> dict[str, str]:
    """Heading -> text below it, for every route of the page."""
    parts = re.split(r"^##+ (.+)$", PAGE, flags=re.MULTILINE)
    return {heading.strip("`"): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def test_the_description_is_valid() -> None:
    """It is OpenAPI 3.1, and every reference in it leads somewhere."""
    OpenAPIV31SpecValidator(document()).validate()


def test_a_broken_description_is_noticed() -> None:
    """The validator is one that can fail."""
    broken = document()
    del broken["info"]["title"]
    assert list(OpenAPIV31SpecValidator(broken).iter_errors()) != []


def test_every_route_is_described_with_its_methods() -> None:
    """What the application serves and what it describes are the same."""
    served = {
        (route.path, method)
        for route in all_routes()
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    told = {(path, method.upper()) for path, methods in document()["paths"].items() for method in methods}
    assert served == told == {(operation.path, operation.method) for operation in OPERATIONS}


def test_what_is_open_and_what_needs_proof_and_token_is_told() -> None:
    """Health and where a browser comes back are open, signing in needs no token; the rest needs both and says whose."""
    told = [(path, each) for path, methods in document()["paths"].items() for each in methods.values()]
    assert {path for path, each in told if each["security"] == []} == {
        "/livez",
        "/readyz",
        "/setup",
        "/v1/oidc/callback",
        "/status",
    }
    assert {path for path, each in told if each["security"] == [{"status": []}]} == {"/v1/public/status"}
    assert {path for path, each in told if each["security"] == [{"proof": []}]} == {
        "/v1/setup",
        "/v1/enrol",
        "/v1/sign-in",
        "/v1/token",
        "/v1/orders",
        "/v1/orders/sealed",
        "/v1/orders/wiped",
        "/v1/sign-in/oidc/begin",
        "/v1/sign-in/oidc/finish",
        "/v1/sign-in/webauthn/begin",
        "/v1/sign-in/webauthn/finish",
    }
    assert all(each["security"] == [{"token": [], "proof": []}] for _, each in told if "x-roles" in each)
    assert all(each["description"].startswith("For ") for _, each in told)


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    """Generated clients name their functions by it."""
    operations = [each for methods in document()["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names) == len(OPERATIONS)
    assert all(each["summary"].endswith(".") for each in operations)


def test_every_part_of_a_path_is_a_parameter() -> None:
    """A generated client can fill the path in."""
    for path, methods in document()["paths"].items():
        for operation in methods.values():
            told = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
            assert told == set(re.findall(r"{(\w+)}", path))


async def test_it_is_served_without_a_token(server: Running) -> None:
    """Whoever finds the server can read what it speaks."""
    async with client(server, None) as http:
        served = await http.get("/openapi.json")
    assert served.json() == document()
    assert served.headers["content-type"] == "application/json"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_the_page_tells_every_route_with_what_it_takes(operation: Operation) -> None:
    """Method, path, query parameters, and each field that a caller may send."""
    text = sections()[f"{operation.method} {operation.path}"]
    for name in operation.query:
        assert f"| `{name}` |" in text
    if operation.takes is not None:
        for field in msgspec.structs.fields(operation.takes):
            assert f"`{field.name}`" in text, field.name


def test_what_the_page_has_from_the_operations_is_up_to_date() -> None:
    """`python -m tests.http_page` would change nothing."""
    assert http_page.told() in PAGE


def test_the_page_tells_no_route_that_is_not_there() -> None:
    """Every heading that looks like a route is one."""
    told = {heading for heading in sections() if re.match(r"[A-Z]+ /", heading)}
    assert told == {f"{operation.method} {operation.path}" for operation in OPERATIONS} | {"GET /openapi.json"}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_every_field_of_every_body_is_on_the_page(body: type[msgspec.Struct]) -> None:
    """A field that is added must be told."""
    for field in msgspec.structs.fields(body):
        assert f"`{field.name}`" in PAGE, field.name


def test_the_page_tells_the_bounds_and_the_kinds() -> None:
    """Figures in prose go stale; these are held against the code."""
    assert f"1 to {LIST_MAX}; {LIST_DEFAULT} when absent" in PAGE
    assert f"at most {BODY_BYTES_MAX // 2**20} MiB" in PAGE
    assert f"1 to {bodies.DRAFTS_MAX} drafts" in PAGE
    for kind in KINDS:
        assert f"`{kind}`" in sections()["GET /v1/records"]


def test_the_page_tells_every_problem() -> None:
    """Each title that the code can answer with stands in the table, with its status."""
    source = "".join(page.read_text(encoding="utf-8") for page in HTTP.glob("*.py"))
    made = set(re.findall(r"problem\((\d+), \"([^\"]+)\"", source))
    made |= set(re.findall(r"(\d+): \"([a-z ]+)\"", source))
    assert len(made) >= len(HANDLERS)
    for status, title in made:
        assert f"| {status} | {title} |" in PAGE
    assert "| 413 | refused |" in PAGE
    assert {field.name for field in msgspec.structs.fields(Problem)} == {"title", "status", "detail", "code"}
