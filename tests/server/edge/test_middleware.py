"""What passes the edge and what does not, over real sockets: proxies, names, secrets in addresses, pace, size."""

import pytest
from starlette.requests import ClientDisconnect

from server.edge.bounds import BODY_BYTES_MAX, DEVICE_CALLS_BURST_MAX, DEVICE_CONNECTS_BURST_MAX
from server.edge.buckets import Rate
from server.edge.middleware import DevicePace, EdgeSettings
from tests.server.edge.served import HOST, UPGRADE, Answer, Served, served

PROXY = "127.0.0.9"
BEHIND = EdgeSettings(hosts=("beatbook.example",), trusted_proxies=(PROXY,), proxies_only=True)


def request(*headers: str, host: str = HOST, path: str = "/", upgrade: bool = False, method: str = "GET") -> bytes:
    """A request, or an opening handshake."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    if upgrade:
        lines += UPGRADE.decode().rstrip().split("\r\n")[2:]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def asked(server: Served, data: bytes, address: str = HOST) -> Answer:
    """Ask on a connection of its own."""
    return await (await server.call(address)).ask(data)


@pytest.mark.parametrize("upgrade", [False, True], ids=["http", "socket"])
@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        (None, True), ("OWN", True), ("null", False), ("", False), ("http://127.0.0.1", False),
        ("https://127.0.0.1:PORT", False), ("http://127.0.0.1:PORT.evil.example", False),
        ("HTTP://127.0.0.1:PORT", False),
        ("http://127.0.0.1:PORT/", False), ("http://localhost:PORT", False), ("http://127.0.0.1:1", False),
        ("http://evil.example", False),
    ],
)  # fmt: skip
async def test_a_browser_passes_from_our_own_pages_only(origin: str | None, passes: bool, upgrade: bool) -> None:  # noqa: FBT001  a parameter
    """HTTP and WebSocket alike; a device, which sends no Origin, passes. What is refused reaches nothing."""
    async with served(settings=EdgeSettings()) as server:
        host = f"{HOST}:{server.port}"
        shown = None if origin is None else origin.replace("OWN", f"http://{host}").replace("PORT", str(server.port))
        answer = await asked(
            server, request(*([] if shown is None else [f"Origin: {shown}"]), host=host, upgrade=upgrade)
        )
        if passes:
            assert answer.status == (101 if upgrade else 200)
        else:
            assert answer.status == 403
            assert answer.problem["title"] == "origin not allowed"
            assert server.app.scopes == []


@pytest.mark.parametrize("upgrade", [False, True], ids=["http", "socket"])
@pytest.mark.parametrize(
    ("path", "headers", "host", "status"),
    [
        ("/?token=s3cr3t", (), HOST, 400),
        ("/eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJXTTIxODc3In0.c2ln", (), HOST, 400),
        ("/", (), "evil.example", 421),
        ("/", ("Host: 127.0.0.1",), HOST, 400),
    ],
)
async def test_refusals_are_the_same_for_both(
    path: str, headers: tuple[str, ...], host: str, status: int, *, upgrade: bool
) -> None:
    """A WebSocket is refused before its handshake is answered, in the same words; nothing of a secret is said back."""
    async with served(settings=EdgeSettings()) as server:
        answer = await asked(server, request(*headers, host=host, path=path, upgrade=upgrade))
        if upgrade and headers:
            # The parser of handshakes sees two Hosts first.
            assert answer.status in {400, status}
        else:
            assert answer.status == status
        assert b"s3cr3t" not in answer.body
        assert b"eyJ" not in answer.body
        assert answer.problem["title"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert server.app.scopes == []


async def test_only_a_listed_proxy_is_believed() -> None:
    """Whom it forwards for is the caller; what anyone else writes into these headers is not even seen inside."""
    lines = ("X-Forwarded-For: 203.0.113.9, 198.51.100.4", "X-Forwarded-Proto: https", "Forwarded: for=198.51.100.4")
    async with served(settings=BEHIND, proxies=[PROXY]) as server:
        answer = await asked(server, request(*lines, host="beatbook.example"), PROXY)
        assert answer.status == 200
        assert "strict-transport-security" in answer.headers
        scope = server.app.scopes[-1]
        assert (scope["client"][0], scope["scheme"]) == ("198.51.100.4", "https")
        answer = await asked(server, request(*lines, host="beatbook.example"), "127.0.0.8")
        assert answer.status == 200
        assert "strict-transport-security" not in answer.headers
        scope = server.app.scopes[-1]
        assert (scope["client"][0], scope["scheme"]) == ("127.0.0.8", "http")
        for scope in server.app.scopes:
            assert not any(b"forwarded" in name for name, _ in scope["headers"])
        answer = await asked(server, request("X-Forwarded-For: me", host="beatbook.example"), PROXY)
        assert (answer.status, answer.problem["title"]) == (400, "forwarding not understood")


async def test_behind_a_proxy_our_own_origin_is_https() -> None:
    """The page's scheme is that of the caller, as the proxy tells it."""
    lines = ("X-Forwarded-For: 198.51.100.4", "X-Forwarded-Proto: https")
    async with served(settings=BEHIND, proxies=[PROXY]) as server:
        for origin, status in (("https://beatbook.example", 200), ("http://beatbook.example", 403)):
            data = request(*lines, f"Origin: {origin}", host="beatbook.example")
            assert (await asked(server, data, PROXY)).status == status


async def test_clear_text_past_the_proxy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that other machines reach in clear serves the proxy and this machine, and tells everyone else so."""
    monkeypatch.setattr("server.edge.middleware.is_loopback", lambda host: host == "127.0.0.1")
    async with served(settings=BEHIND, proxies=[PROXY]) as server:
        data = request(host="beatbook.example")
        answer = await asked(server, data, "127.0.0.8")
        assert (answer.status, answer.problem["title"]) == (403, "not through the proxy")
        assert (await asked(server, data, PROXY)).status == 200
        assert (await asked(server, data)).status == 200


async def test_an_address_that_calls_too_fast_is_told_when_to_come_back() -> None:
    """The burst passes, the next is refused with Retry-After, whether it is a request or a handshake; others pass."""
    settings = EdgeSettings(requests=Rate(0.001, 3))
    async with served(settings=settings) as server:
        for upgrade in (False, True, False):
            assert (await asked(server, request(upgrade=upgrade))).status in {200, 101}
        for upgrade in (False, True):
            answer = await asked(server, request(upgrade=upgrade))
            assert (answer.status, answer.problem["title"]) == (429, "too many requests")
            assert 990 <= int(answer.headers["retry-after"]) <= 1_000
        assert (await asked(server, request(), "127.0.0.2")).status == 200
    assert len(server.app.scopes) == 4


async def test_callers_behind_a_proxy_have_a_pace_each() -> None:
    """One who floods through the proxy does not use up the others' pace."""
    settings = EdgeSettings(hosts=(HOST,), trusted_proxies=(PROXY,), requests=Rate(0.001, 1))
    async with served(settings=settings, proxies=[PROXY]) as server:
        first, second = (request(f"X-Forwarded-For: {address}") for address in ("198.51.100.4", "2001:db8::1"))
        assert (await asked(server, first, PROXY)).status == 200
        assert (await asked(server, first, PROXY)).status == 429
        assert (await asked(server, second, PROXY)).status == 200
        assert (await asked(server, request("X-Forwarded-For: 2001:db8::2"), PROXY)).status == 429


@pytest.mark.parametrize("length", [str(BODY_BYTES_MAX + 1), "9" * 19])
async def test_a_body_that_says_it_is_too_large_is_refused_at_once(length: str) -> None:
    """Before a byte of it has come, and before the application is asked."""
    async with served(settings=EdgeSettings()) as server:
        answer = await asked(server, request(f"Content-Length: {length}", method="POST"))
        assert (answer.status, answer.problem["title"]) == (413, "body too large")
        assert server.app.scopes == []


async def test_a_body_that_turns_out_too_large_is_refused() -> None:
    """In chunks nothing says how long it will be; one at the bound passes."""
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    fitting = BODY_BYTES_MAX // 65_536
    async with served(settings=EdgeSettings()) as server:
        for count, status in ((fitting, 200), (fitting + 1, 413)):
            caller = await server.call()
            await caller.send(request("Transfer-Encoding: chunked", method="POST"))
            await caller.send(chunk * count)
            await caller.send(b"0\r\n\r\n")
            assert (await caller.answer()).status == status
        assert server.app.bodies == [BODY_BYTES_MAX]


async def test_who_leaves_in_the_middle_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    """No traceback in the log for a caller that has gone."""
    async with served(settings=EdgeSettings()) as server:
        server.app.failing = ClientDisconnect()
        caller = await server.call()
        await caller.send(request())
        await server.until(pending=0)
    assert "Traceback" not in caplog.text
    assert all(record.levelname != "ERROR" or "without" in record.getMessage() for record in caplog.records)


def test_a_device_has_a_pace_of_its_own() -> None:
    """Its connections and its calls are counted apart, and told when to come back; another device is not held back."""
    now = 0.0
    pace = DevicePace(lambda: now)
    assert [pace.connect("hh-1") for _ in range(DEVICE_CONNECTS_BURST_MAX)] == [None] * DEVICE_CONNECTS_BURST_MAX
    assert pace.connect("hh-1") == 2_000
    assert [pace.call("hh-1") for _ in range(DEVICE_CALLS_BURST_MAX)] == [None] * DEVICE_CALLS_BURST_MAX
    assert pace.call("hh-1") == 50
    assert pace.connect("hh-2") is None
    now = 2.0
    assert pace.connect("hh-1") is None
