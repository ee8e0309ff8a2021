"""Every route there is, and every way it can answer, bears the security headers and no detail of the inside."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from schemas.roles import Role
from server.edge.bounds import BODY_BYTES_MAX
from server.edge.refusals import DATA_POLICY, security_headers
from server.http.routes import OPERATIONS
from tests.server.people import EVERYTHING, WORKING, Caller, program
from tests.server.running import Running, running

pytestmark = pytest.mark.asyncio(loop_scope="module")
EXPECTED = {name.decode(): value.decode() for name, value in security_headers([], secure=False)}
ROUTES = sorted({(operation.method, operation.path) for operation in OPERATIONS} | {("GET", "/openapi.json")})
HTML = [(b"content-type", b"text/html")]
PAGE = {name.decode(): value.decode() for name, value in security_headers(HTML, secure=False)}
PAGES = {"/setup": EXPECTED, "/status": PAGE | {"referrer-policy": "same-origin"}}
"""Routes that answer people: one that loads nothing, one with a form, which a browser sends with its origin."""
BODIES = (None, b"{}", b"{", b"\xff", b"[" * 100_000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One server for all of them."""
    async with running(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def working(server: Running) -> Caller:
    """Somebody who works with every record."""
    return await program(server, "WM1", WORKING, EVERYTHING)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def administrator(server: Running) -> Caller:
    """Somebody who administers."""
    return await program(server, "ADM1", [Role.ADMINISTRATOR], [])


def hold(response: httpx.Response) -> None:
    """Fail when a header is missing, or the answer tells of the inside."""
    is_page = response.headers.get("content-type", "").startswith("text/html")
    expected = PAGES[response.request.url.path] if is_page else EXPECTED
    assert {name: response.headers.get(name) for name in expected} == expected
    assert "server" not in response.headers or "uvicorn" not in response.headers["server"]
    assert "Traceback" not in response.text
    assert str(Path(__file__).parents[3]) not in response.text
    if response.status_code >= 400 and response.request.method != "HEAD" and not is_page:
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_answer_of_a_route_bears_the_headers(
    server: Running, working: Caller, administrator: Caller, method: str, path: str
) -> None:
    """With the token and without, with good bodies and broken ones, by methods that it does not know."""
    filled = re.sub(r"{\w+}", "01890000-0000-7000-8000-000000000001", path)
    for auth in (None, working.auth, administrator.auth):
        async with httpx.AsyncClient(base_url=server.url, auth=auth, trust_env=False) as http:
            for body in BODIES:
                hold(await http.request(method, filled, content=body))
            for other in ("HEAD", "OPTIONS", "TRACE", "PATCH"):
                hold(await http.request(other, filled))


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 404), ("/v1/../etc/passwd", {}, 404), ("/livez/", {}, 404), ("/favicon.ico", {}, 404),
        ("/v1/sync", {}, 404), ("/livez?token=x", {}, 400), ("/livez", {"host": "evil.example"}, 421),
        ("/livez", {"origin": "https://evil.example"}, 403),
    ],
)  # fmt: skip
async def test_what_is_no_route_bears_them_too(
    server: Running, path: str, headers: dict[str, str], status: int
) -> None:
    """Unknown paths, and what the edge refuses."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        response = await http.get(path, headers=headers)
    assert response.status_code == status
    hold(response)


async def test_a_body_that_grows_too_large_is_told_once(
    server: Running, working: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """413, after which nothing that the framework still says goes out, and nothing is a fault in the log."""

    async def growing() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 65_536 + 1):
            yield b"x" * 65_536

    async with httpx.AsyncClient(base_url=server.url, auth=working.auth, trust_env=False) as http:
        assert (await http.get("/v1/me")).status_code == 200  # a body that is made as it goes cannot be sent again
        response = await http.post("/v1/briefings", content=growing())
        assert response.status_code == 413
        hold(response)
        assert (await http.get("/livez")).status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_defect_bears_them_too(
    server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The framework's own last page stands outside of its middleware, and inside of ours."""

    def broken() -> bool:
        raise RuntimeError("planted defect")

    monkeypatch.setattr(type(server.beatbook), "ready", property(lambda _: broken()), raising=False)
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        response = await http.get("/readyz")
    assert response.status_code == 500
    assert "planted" not in response.text
    assert "planted defect" in caplog.text
    hold(response)


async def test_the_policy_of_data_is_what_is_expected() -> None:
    """The expectation above is not empty."""
    assert EXPECTED["content-security-policy"] == DATA_POLICY.decode()
    assert len(EXPECTED) == 9
