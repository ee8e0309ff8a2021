"""A handheld of ours against a real server that speaks TLS itself."""

import asyncio
from pathlib import Path

import pytest

from server.demo.people import Administration, Program
from server.demo.stage import link_in
from sync.device import Handheld, HeldKey, SyncStatus
from tests.server.edge.process import configure, running
from tests.server.edge.served import Authority

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this machine's programs trust."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    return authority


async def test_a_handheld_works_over_tls_and_refuses_another_name(tmp_path: Path, trusting: Authority) -> None:
    """A wss address with the right name connects; the same server under a name that its certificate lacks does not."""
    trusting.issue("localhost")
    program = Program("hh-01", "WM21877", ("area:birmingham",))
    tls = '[tls]\ncertificate_file = "certificate.pem"\nkey_file = "key.pem"\n'

    def refused_name(status: SyncStatus) -> bool:
        assert not status.connected
        return "CERTIFICATE_VERIFY_FAILED" in (status.last_error or "")

    async with running(configure(tmp_path, tls)) as server:
        base, link = f"https://localhost:{server.port}", link_in(server.said)
        administration = await asyncio.to_thread(Administration, base, link, tmp_path / "admin", str(trusting.ca_file))
        await asyncio.to_thread(administration.take_in, [program])
        await asyncio.to_thread(administration.seat, program)
        for host, condition in (("127.0.0.1", refused_name), ("localhost", lambda status: status.connected)):
            opening = Handheld.open(
                tmp_path / host,
                identity=program.identity,
                keys=HeldKey(bytes(range(32))),
                author=program.officer,
                server=f"wss://{host}:{server.port}",
            )
            async with opening as handheld, asyncio.timeout(20):
                await handheld.wait_until(condition)
