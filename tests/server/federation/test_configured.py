"""A server in a process of its own, told by its file how people may sign in: the sections reach the routes."""

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from server.cli.proving import DpopAuth
from server.demo.stage import link_in
from server.serving import read_address
from sync.device.keys import DeviceIdentity

pytestmark = pytest.mark.e2e
FILE = """
data = "data"
[oidc]
issuer = "http://127.0.0.1:9/o"
client_id = "beatbook"
redirect_uri = "https://beatbook.example/v1/oidc/callback"
client_secret_file = "secret"
[webauthn]
rp_id = "force.example"
origins = ["https://beatbook.force.example"]
"""
PASSPHRASE = "seven grey herons"


async def test_what_the_file_says_is_what_the_server_offers(tmp_path: Path) -> None:
    """An enrolled device is led to the provider, which is not there, and is given a challenge for a security key."""
    (tmp_path / "beatbook.toml").write_text(FILE)
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text("of the client")
    command = ["-m", "server.cli", "serve", "--config", str(tmp_path / "beatbook.toml"), "--port", "0", "--stop-on-eof"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        said = ""
        while "HTTP:" not in said:
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
        address = read_address(tmp_path / "data")
        assert address is not None
        identity = DeviceIdentity.generate("admin-01")
        body = {"code": link_in(said).rpartition("#")[2], "officer": "WM7001", "name": "Ada", "passphrase": PASSPHRASE}
        device = {"device": identity.device}
        async with httpx.AsyncClient(base_url=address.http, auth=DpopAuth(identity), trust_env=False) as http:
            assert (await http.post("/v1/setup", json=body | device)).status_code == 201
            led = await http.post("/v1/sign-in/oidc/begin", json=device)
            asked = await http.post("/v1/sign-in/webauthn/begin", json=device)
        assert (led.status_code, led.json()["code"]) == (502, "oidc_unavailable")
        assert (asked.status_code, asked.json()["options"]["rpId"]) == (200, "force.example")
    finally:
        process.stdin.close()
        await process.wait()
    assert process.returncode == 0
