"""docs/benchmarks.md is what its run gives, and the page of any run can be made."""

from pathlib import Path

import msgspec
import pytest

from loadtest.bench import page
from loadtest.bench.figures import spread
from loadtest.bench.jobs import growth
from loadtest.bench.outcome import Outcome
from loadtest.bench.suite import Peer, Run


def test_the_page_is_what_its_run_gives() -> None:
    """Nobody has mended a figure by hand; after a change of words, `python -m loadtest.bench.page` writes it anew."""
    assert page.PAGE.read_text("utf-8") == page.page(page.read(page.LATEST))


def test_a_figure_that_was_changed_by_hand_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check fails on a page of another run."""
    altered = tmp_path / "benchmarks.md"
    altered.write_text(page.PAGE.read_text("utf-8").replace("kB", "MB", 1), "utf-8")
    assert page.main(["--check"]) == 0
    monkeypatch.setattr(page, "PAGE", altered)
    assert page.main(["--check"]) == 1


def test_a_run_of_which_everything_failed_has_a_page() -> None:
    """The reasons stand where the figures would."""
    run = Run(
        at="2026-01-01 00:00",
        length="usual",
        took_s=1,
        machine={"load_average": 7.0},
        outcomes={},
        failed={"ack": "given up after 300 s", "peers": "not installed"},
    )
    text = page.page(run)
    assert "| ack | failed: given up after 300 s |" in text
    assert "None in this run: not installed." in text
    assert "not alone on its machine" in text
    assert "{{" not in text


def test_a_peer_shows_what_it_loses_and_what_it_cannot_do() -> None:
    """Of several sizes the largest one is shown, and why there is no figure is told once."""
    peers = [
        Peer(peer="P", version="1.2", durability="memory", job="ack", figures={"edits_per_s": 10.0}, lost_pct=97.5),
        Peer(peer="P", job="fanout", size={"devices": 500}, figures={"single_per_s": 1.0}),
        Peer(peer="P", job="fanout", size={"devices": 2_000}, figures={"single_per_s": 2.0}),
        Peer(peer="P", job="storm", notes=["it has no replica"]),
    ]
    run = Run(at="2026-01-01 00:00", length="usual", took_s=1, machine={}, outcomes={}, peers=peers)
    text = page.page(run)
    assert "| P 1.2 | memory | 97.5% | 10 | 2 |" in text
    assert "- P, `storm`: it has no replica." in text


def test_a_peer_at_another_size_is_said_to_be() -> None:
    """Its figures stand in the table of peers, and are no measure for ours."""
    ours = Outcome(
        job="storm", machine={}, size={"devices": 200, "edits": 20}, rounds=[{}], spreads={}, floors={}, ratios={}
    )
    peers = [
        Peer(peer="few", job="storm", size={"devices": 50, "edits": 20}, figures={"equal_s": 1.0}),
        Peer(peer="as many", job="storm", size={"devices": 200, "edits": 20}, figures={"equal_s": 1.0}),
    ]
    run = Run(at="2026-01-01 00:00", length="usual", took_s=1, machine={}, outcomes={"storm": ours}, peers=peers)
    text = page.page(run)
    assert "- few, `storm`: at another size than ours (devices 50, edits 20), so it is held against nothing." in text
    assert "- as many" not in text


def grown() -> Outcome:
    """What `growth` finds, each figure twice its step; and how edits grow with data."""
    figures = {name: 2.0 * int(name.rpartition("_")[2]) for name in growth.FIGURES} | {"fill_per_s": 7.0}
    return Outcome(
        job="growth",
        machine={},
        size={"records": 100},
        rounds=[figures],
        spreads={name: spread([value]) for name, value in figures.items()},
        floors={},
        ratios={f"data_edit_us_grows_{step}": float(step) for step in growth.STEPS[1:]},
    )


def test_growth_is_one_line_for_each_operation() -> None:
    """Each size stands beside what it is of the first, in one table for data and one for devices."""
    run = Run(at="2026-01-01 00:00", length="usual", took_s=1, machine={}, outcomes={"growth": grown()})
    text = page.page(run)
    assert "| records on the server | 1x | 10x | of 1x | 100x | of 1x |" in text
    assert "| devices connected | 1x | 10x | of 1x | 100x | of 1x |" in text
    assert "| server's time for an edit, several at once, us | 2 | 20 | 10 | 200 | 100 |" in text
    assert "| server's time for a heartbeat, us | 2 | 20 |  | 200 |  |" in text
    assert "| growth | server's time for an edit, several at once, us, records at 100x / 1x | 100 |" in text
    assert "filled at 7 records a second" in text


def test_a_cost_below_what_measurements_vary_by_is_no_figure() -> None:
    """It is a difference of two measurements: where it came out below zero nothing is said, and nothing held to it."""
    told = grown()
    outcome = msgspec.structs.replace(told, spreads={**told.spreads, "data_edit_us_1": spread([-3.0])})
    run = Run(at="2026-01-01 00:00", length="usual", took_s=1, machine={}, outcomes={"growth": outcome})
    assert "| server's time for an edit, several at once, us | too little to tell | 20 |  | 200 |  |" in page.page(run)


def test_growth_to_a_million_is_a_run_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown with its own moment and machine, whatever run the page is of, and holds what it says it holds."""
    million = page.read(page.MILLION).outcomes["growth"]
    assert million.size["records"] == 1_000_000
    assert {f"data_edit_us_{step}" for step in growth.STEPS} <= set(million.spreads)
    own = Run(
        at="2031-01-01 00:00", length="full", took_s=90, machine={"processor": "slow"}, outcomes={"growth": grown()}
    )
    monkeypatch.setattr(page, "MILLION", tmp_path / "own.json")
    (tmp_path / "own.json").write_bytes(msgspec.json.encode(own))
    text = page.page(Run(at="2026-01-01 00:00", length="usual", took_s=1, machine={}, outcomes={}))
    shown = text[text.index("## Growth to a million") : text.index("## What limits them")]
    assert "| when | 2031-01-01 00:00 UTC; the run took 1.50 minutes |" in shown
    assert "| processor | slow |" in shown
    assert "| server's time for an edit, several at once, us | 2 | 20 | 10 | 200 | 100 |" in shown


def test_growth_that_was_broken_off_shows_what_there_is() -> None:
    """An operation without a figure at each size has no line, and what grows has no table where none has one."""
    found = grown()
    left = {name: one for name, one in found.spreads.items() if name.startswith(("data_", "fill"))}
    del left["data_find_us_10"]
    text = page._growth(msgspec.structs.replace(found, spreads=left))
    assert "| server's time for an edit, several at once, us | 2 | 20 | 10 | 200 | 100 |" in text
    assert "search looks at" not in text
    assert "devices connected" not in text


def test_growth_of_another_time_has_a_page_too() -> None:
    """A run that was kept before more was measured is shown as it is."""
    found = grown()
    without = {name: one for name, one in found.spreads.items() if name != "devices_stalled_kb_100"}
    old = msgspec.structs.replace(found, spreads=without)
    run = Run(at="2026-01-01 00:00", length="usual", took_s=1, machine={}, outcomes={"growth": old})
    assert "| server's time for a heartbeat, us, devices at 10x | 20 | 20 | 20 |" in page.page(run)


def test_another_file_is_kept_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run and the page change together."""
    run = msgspec.structs.replace(page.read(page.LATEST), at="2030-01-01 00:00")
    given = tmp_path / "bench.json"
    given.write_bytes(msgspec.json.encode(run))
    monkeypatch.setattr(page, "LATEST", tmp_path / "latest.json")
    monkeypatch.setattr(page, "PAGE", tmp_path / "benchmarks.md")
    assert page.main([str(given)]) == 0
    assert (tmp_path / "latest.json").read_bytes() == given.read_bytes()
    assert "2030-01-01" in (tmp_path / "benchmarks.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"{}", "holds no run"), (b"\xff", "holds no run")]
)
def test_what_is_no_run_is_refused_in_words(
    content: bytes | None, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the page nor the run that is kept changes."""
    given = tmp_path / "bench.json"
    if content is not None:
        given.write_bytes(content)
    before = page.PAGE.read_bytes()
    with pytest.raises(SystemExit):
        page.main([str(given)])
    assert why in capsys.readouterr().err
    assert page.PAGE.read_bytes() == before
