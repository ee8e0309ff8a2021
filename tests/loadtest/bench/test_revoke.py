"""The benchmark measures what it says, at a size that takes no time; no figure is asserted."""

from pathlib import Path

import msgspec
import pytest

from loadtest.bench.__main__ import main
from loadtest.bench.revoke import Outcome

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


def test_a_small_round_tells_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real processes and sockets: every device that goes is told, and the table and the JSON say the same."""
    told = tmp_path / "revoke.json"
    assert main(["revoke", "--staying", "10", "--revoked", "10", "--rounds", "1", "--json", str(told)]) == 0
    outcome = msgspec.json.decode(told.read_bytes(), type=Outcome)
    (one,) = outcome.rounds
    assert 0 < one.first_ms <= one.last_ms < one.receipts_ms <= one.closed_ms
    assert len(one.edits_before_ms) > 0
    assert len(one.edits_ms) > 0
    assert one.retract_bytes > 0
    assert outcome.ratio == outcome.spreads["last_ms"].median / outcome.floor_last_ms.median
    table = capsys.readouterr().out
    assert f"{one.last_ms:.2f}" in table
    assert "revoke: 10 of 20 connected devices, 1 rounds" in table


def test_a_job_needs_devices(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started for a size that measures nothing."""
    with pytest.raises(SystemExit):
        main(["revoke", "--revoked", "0"])
    assert "at least one device" in capsys.readouterr().err
