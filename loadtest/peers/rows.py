"""What a run of peers gives: one row for each peer and job, under the names that our own jobs give their figures."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

JOBS: Final = ("ack", "fanout", "bootstrap", "storm", "idle")
_SHOWN: Final = {
    "ack": ("edits_per_s", "ack_p50_ms", "ack_p99_ms"),
    "fanout": ("last_ms", "single_per_s", "burst_per_s"),
    "bootstrap": ("records_per_s", "seconds", "wire_mb"),
    "storm": ("durable_s", "equal_s", "edits_per_s"),
    "idle": ("device_kb", "server_kb"),
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one peer did in one job.

    Attributes:
        peer: its name, with how it was set up where that is not the only way.
        version: what was installed; "" when nothing is.
        durability: what its acknowledgement is worth, in words.
        job: which.
        size: how large the job was, which may be less than ours: see `notes`.
        figures: name -> value, named as in `loadtest.bench`; empty when it could not do the job.
        lost_pct: of the edits that it had acknowledged, how many were gone after `kill -9` (%), where that was tried.
        notes: why there are no figures, or what a reader must know of them.
    """

    peer: str
    version: str
    durability: str
    job: str
    size: Mapping[str, int] = {}
    figures: Mapping[str, float] = {}
    lost_pct: float | None = None
    notes: Sequence[str] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """All of a run, as `--json` writes it.

    Attributes:
        machine: what a reader must know to compare.
        rows: one for each peer, job and size.
    """

    machine: Mapping[str, object]
    rows: Sequence[Row]


def line(row: Row) -> str:
    """A row for a reader, on one line."""
    size = " ".join(f"{name} {value}" for name, value in row.size.items())
    figures = [f"{name} {row.figures[name]:,.1f}" for name in _SHOWN[row.job] if name in row.figures]
    cores = [
        f"{name.removesuffix('_cores')} {row.figures[name]:.2f}"
        for name in ("server_cores", "load_cores")
        if name in row.figures
    ]
    lost = [] if row.lost_pct is None else [f"lost {row.lost_pct:.1f}%"]
    told = ", ".join([*figures, *lost, *([f"cores: {', '.join(cores)}"] if cores else []), *row.notes])
    return f"{row.peer:34} {row.job:10} {told or 'nothing'}{f'  ({size})' if size and row.figures else ''}"
