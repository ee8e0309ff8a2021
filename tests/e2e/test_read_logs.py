"""A handheld's folder that is copied and put back, so that what was read on it seems never to have been."""

import re
import shutil
from pathlib import Path

import pytest

from server.demo.stage import Stage
from tests.e2e.handsets import Handset, Ran

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def minutes(ran: Ran) -> int:
    """How long the lease lasts, as the status tells it."""
    assert ran.code == 0, ran.said
    hours, rest = re.search(r"lease +(?:(\d+) h )?(\d+) min left", ran.said).groups()  # type: ignore[union-attr]  # else it fails here
    return 60 * int(hours or 0) + int(rest)


async def test_a_read_log_that_was_set_back_costs_the_lease_until_somebody_has_looked(
    stage: Stage, tmp_path: Path
) -> None:
    """What is written goes up all the same; pardoned, the log goes on behind what is held, and the lease is whole."""
    await stage.start()
    handset = Handset(stage, tmp_path / "hh-2", "hh-2")
    await handset.enrol()
    await handset.take_in()
    first = await handset.commands("new Shop window broken in birmingham", "wait", "why list On duty", "list", "status")
    assert minutes(first) > 10
    shutil.copytree(handset.folder, tmp_path / "copy")
    assert (await handset.commands("wait", "why list Curious", "list", "list", "wait")).code == 0
    shutil.rmtree(handset.folder)
    (tmp_path / "copy").rename(handset.folder)
    for text in ("Owner told", "On scene"):
        again = await handset.commands("wait", "why list On duty", "list", f"log 1 {text}", "wait", "status", "alarms")
        assert minutes(again) < 6
        assert "set back or copied" in again.said
    (incident,) = (await stage.all_records("incident")).values()
    assert "Owner told" in str(incident)
    assert "On scene" in str(incident)
    await stage.post("/v1/seats/hh-2/pardon", {"why": "the disk was put back from an image"})
    assert (await handset.commands("wait", "why list On duty", "list", "wait")).code == 0
    assert minutes(await handset.commands("wait", "status")) > 10
