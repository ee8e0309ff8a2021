"""Handhelds that are shut when their server trusts them no more: real processes, sockets and files."""

from pathlib import Path
from typing import Any

import pytest

from server.demo.stage import Stage
from sync.device.wiping import is_wiped
from tests.e2e.handsets import Handset

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
async def handset(stage: Stage, tmp_path: Path) -> Handset:
    """A handheld whose officer has an incident that the server knows, and, on it, an edit that it does not."""
    await stage.start()
    handset = Handset(stage, tmp_path / "hh-2", "hh-2")
    await handset.enrol()
    await handset.take_in()
    made = await handset.commands("new Shop window broken in birmingham", "wait", keep=True)
    assert made.code == 0, made.said
    logged = await handset.commands("why list On duty", "list", "log 1 Owner told", keep=True, offline=True)
    assert logged.code == 0, logged.said
    return handset


async def order(stage: Stage, what: str, **more: str) -> Any:  # noqa: ANN401  JSON
    """Order something of the handheld."""
    return await stage.post(f"/v1/devices/hh-2/{what}", {"why": "the test says so", **more})


async def waiting(stage: Stage) -> list[dict[str, Any]]:
    """The edits in quarantine."""
    edits: list[dict[str, Any]] = (await stage.get("/v1/quarantine"))["edits"]
    return edits


async def test_a_revoked_handheld_that_was_shut_is_told_and_hands_over_once_that_is_allowed(
    stage: Stage, handset: Handset
) -> None:
    """In plain words; nothing opens with the kept share; the edit comes once an administrator says so."""
    assert (await handset.commands("why list On duty", "list", keep=True, offline=True)).code == 0
    await order(stage, "revocation")
    refused = await handset.commands("list", keep=True)
    assert refused.code == 1
    assert "trusted no more" in refused.said
    assert "device hand-over" in refused.said
    assert "clock" not in refused.said
    shut = await handset.commands("list", keep=True, offline=True)
    assert (shut.code, "Shop window" in shut.said) == (1, False)
    assert await waiting(stage) == []
    await order(stage, "hand-over")
    done = await handset.commands("list", keep=True)
    assert done.code == 0, done.said
    assert "1 change of yours that had not been sent was handed over" in done.said
    assert "Shop window" not in done.said
    (edit,) = await waiting(stage)
    assert (edit["seat"], edit["author"]) == ("hh-2", handset.officer)
    assert is_wiped(handset.folder / "seats/hh-2")
    assert "trusted no more" in (await handset.commands("list")).said


async def test_one_shut_seat_is_wiped_and_its_officer_begins_anew_beside_the_other(
    stage: Stage, handset: Handset
) -> None:
    """The next contact of the handheld does it, whoever it is that starts it; the other officer's seat stays."""
    other = Handset(stage, handset.folder, "hh-2", "WM30002")
    await other.take_in()
    seen = await other.commands("wait", "why list On duty", "list")
    assert "Shop window" in seen.said, seen.said
    await order(stage, "wipe", seat="hh-2")
    assert (await other.commands("why list On duty", "list")).code == 0
    assert is_wiped(handset.folder / "seats/hh-2")
    told = {seat["seat"]: seat for seat in (await stage.get("/v1/devices/hh-2"))["seats"]}
    assert (told["hh-2"]["retired"], told["hh-2-2"]["retired"]) == (True, False)
    anew = await handset.commands("wait", "why list On duty", "list")
    assert anew.code == 0, anew.said
    assert "Shop window" in anew.said
    assert "Owner told" not in anew.said


async def test_a_shut_handheld_is_wiped_whole_at_its_next_contact(stage: Stage, handset: Handset) -> None:
    """It says so to whoever holds it and, signed, to the server; a new code enrols it again, in the same folder."""
    await order(stage, "wipe")
    refused = await handset.commands("list", keep=True)
    assert (refused.code, "destroy" in refused.said) == (1, True), refused.said
    assert (await stage.get("/v1/devices/hh-2"))["wiped"]
    assert not (handset.folder / "seats/hh-2/replica.db").exists()
    assert list((handset.folder / "keystore").iterdir()) == []
    await handset.enrol()
    anew = await handset.commands("wait", "why list On duty", "list")
    assert (anew.code, "Shop window" in anew.said) == (0, True), anew.said
