"""Signed calls: the proof is one that any other implementation of RFC 9449 accepts, and the nonce is followed."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import pytest

from loadtest.locust.calls import Caller, CallError, proof
from loadtest.locust.cast import Cast, CastError, Seat
from loadtest.locust.chain import Key, Link, first_link
from loadtest.locust.client import pause_s, sync_url
from loadtest.locust.enrolling import code_of
from tests.loadtest.locust.hearing import SEED

URL = "https://beatbook.example/v1/me"


def test_the_proof_is_a_signed_token_that_names_its_call() -> None:
    """A JOSE library that is not ours verifies it with the key that it carries."""
    made = proof(Key(SEED), "GET", URL, at_s=1_700_000_000, nonce="n0", token="token")
    header = jwt.get_unverified_header(made)
    assert (header["typ"], header["alg"]) == ("dpop+jwt", "EdDSA")
    claims = jwt.decode(made, jwt.PyJWK(header["jwk"]), algorithms=["EdDSA"], options={"verify_iat": False})
    assert (claims["htm"], claims["htu"], claims["nonce"], claims["iat"]) == ("GET", URL, "n0", 1_700_000_000)
    assert base64.urlsafe_b64decode(claims["ath"] + "=") == __import__("hashlib").sha256(b"token").digest()
    assert proof(Key(SEED), "GET", URL, at_s=1, nonce="") != proof(Key(SEED), "GET", URL, at_s=1, nonce="")


class Server(BaseHTTPRequestHandler):
    """Asks for a nonce first, then answers; what it was asked is noted."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str]] = []  # noqa: RUF012  one for the test

    def do_GET(self) -> None:
        """Answer."""
        claims = jwt.decode(self.headers["DPoP"], options={"verify_signature": False})
        self.seen.append((self.path, claims.get("nonce", "")))
        if self.path == "/shy" and len(self.seen) == 1:
            self.close_connection = True
            return
        status, body = (401, {"code": "use_dpop_nonce"}) if claims.get("nonce") != "n1" else (200, {"it": "is done"})
        if self.path == "/refused":
            status, body = 403, {"code": "not_entitled", "detail": "an administrator could"}
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("DPoP-Nonce", "n1")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def base() -> Iterator[str]:
    """The address of such a server."""
    Server.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_first_call_learns_the_nonce_and_later_ones_have_it(base: str) -> None:
    """One refusal, once."""
    caller = Caller(base, Key(SEED))
    assert caller.call("GET", "/v1/me?x=1") == {"it": "is done"}
    assert caller.call("GET", "/v1/me") == {"it": "is done"}
    caller.close()
    assert Server.seen == [("/v1/me?x=1", ""), ("/v1/me?x=1", "n1"), ("/v1/me", "n1")]


def test_a_refusal_is_told_in_the_servers_words(base: str) -> None:
    """Status, stable code and detail."""
    caller = Caller(base, Key(SEED))
    with pytest.raises(CallError, match="an administrator could") as told:
        caller.call("GET", "/refused")
    caller.close()
    assert (told.value.status, told.value.code) == (403, "not_entitled")


def test_a_call_that_was_ended_unheard_is_made_again(base: str) -> None:
    """Once, on a connection of its own: a server at its limit ends some before they have asked."""
    caller = Caller(base, Key(SEED))
    assert caller.call("GET", "/shy") == {"it": "is done"}
    caller.close()
    assert Server.seen == [("/shy", ""), ("/shy", ""), ("/shy", "n1")]


def test_a_server_that_is_not_there_is_named() -> None:
    """No traceback of a socket."""
    with pytest.raises(CallError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        Caller("http://127.0.0.1:9", Key(SEED)).call("GET", "/v1/me")


def test_a_cast_comes_back_from_its_file_which_only_its_owner_reads(tmp_path: Path) -> None:
    """Keys and passphrases are in it."""
    seat = Seat("officer", "lt-1", "LT1", Key(SEED).text(), "secret", "lt-1.x", "dudley")
    assert seat.chain() == first_link("lt-1.x")
    seat.remember(Link(4, b"\x04" * 32), 2, b"\x02" * 32)
    path = tmp_path / "load" / "cast.json"
    Cast("http://127.0.0.1:1", seat, [seat]).write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    again = Cast.read(path)
    assert again.seats == [seat]
    assert again.seats[0].chain() == Link(4, b"\x04" * 32)
    assert (again.of("officer"), again.of("control")) == ([0], [])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seats": [{"sort": 1}], "administrator": {}}'])
def test_a_file_that_is_no_cast_is_refused_in_words(tmp_path: Path, text: str) -> None:
    """What it is, and what to do."""
    path = tmp_path / "cast.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CastError, match="no cast of a load test"):
        Cast.read(path)
    with pytest.raises(CastError, match="make it with"):
        Cast.read(tmp_path / "absent.json")


def test_a_link_gives_its_secret() -> None:
    """As the server printed it, alone or among other lines."""
    assert code_of("Beatbook serves\n  http://127.0.0.1:8700/setup#ebg-_4\n") == "ebg-_4"
    with pytest.raises(CastError, match="no one-time link"):
        code_of("http://127.0.0.1:8700/setup")


@pytest.mark.parametrize(
    ("failures", "error", "pause"),
    [
        (0, None, 0.125),
        (3, {"recovery": "retry"}, 1.0),
        (90, None, 7.5),
        (0, {"recovery": "stop"}, 15.0),
        (5, {"recovery": "retry", "retry_after_ms": 3_100}, 3.1),
    ],
)
def test_coming_back_is_jittered_as_the_page_says(failures: int, error: dict[str, object] | None, pause: float) -> None:
    """Full jitter below a bound that doubles; what the server says counts before that."""
    assert pause_s(failures, error, 0.5) == pytest.approx(pause)


def test_the_socket_is_beside_the_http_side() -> None:
    """With TLS where that has it."""
    assert sync_url("http://127.0.0.1:1/") == "ws://127.0.0.1:1/v1/sync"
    assert sync_url("https://beatbook.example") == "wss://beatbook.example/v1/sync"
