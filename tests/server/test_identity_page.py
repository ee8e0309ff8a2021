"""docs/howto/identity.md: its Python is carried out on a running server, as an administrator would."""

import asyncio
import re
from pathlib import Path

import pytest

from schemas.roles import Role
from server.cli.access import FOLDER, Access, AccessFile
from tests.server.people import person
from tests.server.running import Running

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "identity.md"


async def test_the_python_on_the_page_does_what_it_says(
    server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mission, a compartment and another lease are there afterwards; each line is the page's own."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    administrator = await person(server, "WM90001", [Role.ADMINISTRATOR])
    file = AccessFile(server=server.url, seat=administrator.seat, officer=administrator.officer)
    Access.make(tmp_path / FOLDER, administrator.identity, file)
    monkeypatch.chdir(tmp_path)
    await asyncio.to_thread(exec, compile(code, str(PAGE), "exec"), {})
    registry = server.beatbook.authority.ledger.registry
    assert list(registry.missions) == ["castle"]
    assert list(registry.compartments) == ["larch"]
    assert registry.leases[Role.CUSTODY_OFFICER] == 10 * 60_000
