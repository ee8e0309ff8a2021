"""`beatbook demo` as a stranger runs it, only shorter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def test_the_demo_keeps_its_promises_and_writes_its_figures(tmp_path: Path) -> None:
    """Exit code 0, a server kill on the way, and every figure that the command promises."""
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "server.cli", "demo", "--headless", "--seconds", "6", "--devices", "6"]
    done = subprocess.run(
        [*command, "--seed", "3", "--json", str(out)], capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(out.read_bytes())
    assert (figures["devices"], figures["desks"]) == (6, 4)
    # Of one that was on its way when its device was revoked, the device may never have been told.
    assert figures["ops_made"] >= figures["ops_durable"] + figures["quarantined"] > 20
    assert (figures["ops_lost"], figures["ops_twice"], figures["plaintext_found"]) == (0, 0, 0)
    assert figures["replicas_equal"] is True
    assert figures["server_kills"] >= 1
    assert figures["ops_without_signal"] > 0
    assert figures["unexplained"] == 0
    assert figures["conflicts_by_rule"] == sum(figures["rules"].values()) >= 3
    assert {"latest", "highest", "state"} <= figures["rules"].keys()
    assert figures["conflicts_in_inbox"] >= 5
    assert "an adult is called" in done.stdout
    assert (figures["revoked_held_after"], figures["wiped_readable_after"]) == (0, 0)
    assert figures["quarantined"] > 0
    assert figures["receipts"] > 0
    assert (figures["log_verified"], figures["export_verified"]) == (True, True)
    assert {"briefing_ms_p50", "briefing_ms_p99", "catchup_ms_p99"} <= figures.keys()
    assert "Every promise held." in done.stdout
