"""What a job found, in one form for all jobs: figures by name over rounds, what the machine can do, and ratios."""

from collections.abc import Mapping, Sequence

import msgspec

from loadtest.bench.figures import Spread, spread


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a job found. Names end in their unit: `_ms`, `_per_s`, `_kb`, `_cores`.

    Attributes:
        job, machine, size: what was measured, on what, how large.
        rounds: of each round, figure -> value.
        spreads: figure -> its median, least and most over the rounds.
        floors: what the machine can do at all, measured in the same run.
        ratios: what a figure is in units of its floor, or of another figure of the run.
        remarks: what a reader must know besides.
    """

    job: str
    machine: Mapping[str, object]
    size: Mapping[str, int]
    rounds: Sequence[Mapping[str, float]]
    spreads: Mapping[str, Spread]
    floors: Mapping[str, Spread]
    ratios: Mapping[str, float]
    remarks: Sequence[str] = ()


def outcome(
    job: str,
    size: msgspec.Struct,
    machine: Mapping[str, object],
    rounds: Sequence[Mapping[str, float]],
    *,
    floors: Mapping[str, Spread],
    ratios: Mapping[str, tuple[str, str]],
    remarks: Sequence[str] = (),
) -> Outcome:
    """Put the outcome of a job together.

    Args:
        job, machine, rounds, floors, remarks: as in `Outcome`.
        size: of the job.
        ratios: name -> (figure, what it is divided by: a floor or another figure).

    Raises:
        ValueError: there are no rounds.
    """
    if not rounds:
        raise ValueError("no round was measured")
    spreads = {name: spread(each[name] for each in rounds) for name in rounds[0]}
    known = {**spreads, **floors}
    said = list(remarks)
    if not machine.get("apart", True):
        said.append("server and load shared one core: these times are of both together")
    return Outcome(
        job=job,
        machine=machine,
        size=msgspec.structs.asdict(size),
        rounds=rounds,
        spreads=spreads,
        floors=floors,
        # What was too small to be measured is nobody's unit.
        ratios={name: known[what].median / known[by].median for name, (what, by) in ratios.items() if known[by].median},
        remarks=said,
    )


def table(found: Outcome, words: Mapping[str, str]) -> str:
    """The outcome for a reader.

    Args:
        found: of a job.
        words: figure, floor or ratio -> what it is called; what has no words is shown by its name.
    """
    size = ", ".join(f"{name} {value}" for name, value in found.size.items())
    lines = [
        f"{found.job}: {size}",
        f"{'':55}{'median':>12}  {'least':>12}  {'most':>12}",
        *(f"{words.get(name, name):55}{value}" for name, value in found.spreads.items()),
        *(f"{'floor: ' + words.get(name, name):55}{value}" for name, value in found.floors.items()),
        *(f"{words.get(name, name):55}{value:12.2f}" for name, value in found.ratios.items()),
        f"load average of the machine at the start: {found.machine['load_average']:.1f}",
        *found.remarks,
    ]
    return "\n".join(lines) + "\n"
