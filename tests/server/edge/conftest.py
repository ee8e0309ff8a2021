"""What every test of the edge runs under."""

import pytest

from server.edge import http_protocol


@pytest.fixture(autouse=True)
def brief_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection of this process ends soon; a real server gives its last answer more time."""
    monkeypatch.setattr(http_protocol, "LINGER_S", 0.02)
