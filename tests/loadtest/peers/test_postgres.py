"""The PostgreSQL of a peer keeps what it committed when it is killed, and can be asked as soon as it has started."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.bench.machine import cores
from loadtest.peers import install, postgres
from loadtest.peers.processes import Server, free_ports

PSQL = install.program("psql")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that another user may enter, as pytest's own is not: when we are the superuser, it runs as one."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.e2e
@pytest.mark.timeout(90)
@pytest.mark.skipif(install.program("postgres") is None or PSQL is None, reason="the machine has no PostgreSQL")
async def test_what_it_committed_is_there_after_a_kill(folder: Path) -> None:
    """Killed and started again on the same files, with no wait in between, it answers with all that it had."""
    (port,) = free_ports(1)
    server = Server(postgres.cluster(folder, port), cores().server, folder / "said")

    def ask(sql: str) -> str:
        """Ask it something."""
        words = [str(PSQL), "-qtA", "-h", "127.0.0.1", "-p", str(port), "-U", postgres.USER, "-c", sql]
        return subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    try:
        await server.start()
        ask("CREATE TABLE kept (n integer); INSERT INTO kept SELECT generate_series(1, 1000)")
        await server.kill()
        await server.start()
        assert ask("SELECT count(*) FROM kept") == "1000"
        assert ask("SHOW fsync") == "on"
    finally:
        await server.kill()
