"""The real OpenID provider that these tests sign in with: one process for all of them; a server of ours for each."""

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.server.federation.browser import REDIRECT_URI, RunningProvider
from tests.server.federation.station import Station

START_S_MAX = 15.0


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    """Start it; it says its port when it serves, and ends when its standard input does."""
    folder = tmp_path_factory.mktemp("provider")
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    command = [sys.executable, str(Path(__file__).with_name("idp.py")), str(folder), REDIRECT_URI]
    with (
        (folder / "errors.txt").open("w") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        # A provider that hangs is killed, and its silence is what the next line reads.
        deadline = threading.Timer(START_S_MAX, process.kill)
        deadline.start()
        try:
            port = process.stdout.readline().strip()
            deadline.cancel()
            assert port.isdigit(), (folder / "errors.txt").read_text()
            yield RunningProvider(issuer=f"http://127.0.0.1:{port}/o", key=key)
        finally:
            deadline.cancel()
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
async def station(provider: RunningProvider) -> AsyncIterator[Station]:
    """A server that has not asked the provider for anything yet."""
    made = Station(provider)
    yield made
    await made.client.aclose()
