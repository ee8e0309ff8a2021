"""What a run must reach, from a TOML file, and where it did not: that sets the exit code.

```toml
lost_edits_max = 0          # acknowledged, and not there afterwards
failure_ratio_max = 0.001   # of all requests together

["push to ack"]             # by the name in locust's table
p99_ms_max = 100
failure_ratio_max = 0
samples_min = 1             # a threshold without a sample proves nothing
```
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

PERCENTILES: Final = {"p50_ms_max": 0.50, "p95_ms_max": 0.95, "p99_ms_max": 0.99}
_OF_A_NAME: Final = frozenset({*PERCENTILES, "failure_ratio_max", "samples_min"})
_OF_ALL: Final = frozenset({"lost_edits_max", "failure_ratio_max"})
_WHOLE: Final = frozenset({"lost_edits_max", "samples_min"})


class ThresholdsError(Exception):
    """The file will not do; the words say where and why."""


class Entry(Protocol):
    """What locust counts under one name."""

    @property
    def num_requests(self) -> int:
        """Samples, failed ones included."""

    @property
    def num_failures(self) -> int:
        """Failed ones."""

    def get_response_time_percentile(self, percent: float) -> float:
        """In ms."""


@dataclass(frozen=True)
class Thresholds:
    """All that is asked for.

    Attributes:
        of_all: of the whole run.
        of_names: name -> what is asked of it.
    """

    of_all: Mapping[str, float] = field(default_factory=lambda: {"lost_edits_max": 0})
    of_names: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Thresholds":
        """Read the file; `lost_edits_max` is 0 where it does not say.

        Raises:
            ThresholdsError: it is not there, no TOML, or asks for what there is not.
        """
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ThresholdsError(f"{path}: {error}") from error
        names = {name: value for name, value in told.items() if isinstance(value, dict)}
        of_all = {name: value for name, value in told.items() if name not in names}
        _check(path, "", of_all, _OF_ALL)
        for name, asked in names.items():
            _check(path, f"[{name!r}] ", asked, _OF_A_NAME)
        return cls({"lost_edits_max": 0, **of_all}, names)

    def breaches(self, entries: Mapping[str, Entry], total: Entry, lost: int) -> list[str]:
        """Where a run fell short, in words; empty when it did not.

        Args:
            entries: name -> what locust counted.
            total: of all together.
            lost: acknowledged edits that are not there.
        """
        found = [f"lost edits: {lost}, at most {self.of_all['lost_edits_max']}"]
        found = found if lost > self.of_all["lost_edits_max"] else []
        found += _ratio("all requests", total, self.of_all)
        for name, asked in self.of_names.items():
            counted = entries.get(name)
            samples = 0 if counted is None else counted.num_requests
            least = asked.get("samples_min", 1)
            if samples < least:
                found.append(f"{name}: {samples} samples, at least {least:g}")
            if counted is not None and samples:
                found += _ratio(name, counted, asked)
                found += _times(name, counted.get_response_time_percentile, asked)
        return found


def _check(path: Path, where: str, asked: Mapping[str, Any], known: frozenset[str]) -> None:
    for name, value in asked.items():
        if name not in known:
            raise ThresholdsError(f"{path}: {where}{name}: there is no such threshold, only {', '.join(sorted(known))}")
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ThresholdsError(f"{path}: {where}{name} = {value!r}: a number, 0 or more")
        if name in _WHOLE and not isinstance(value, int):
            raise ThresholdsError(f"{path}: {where}{name} = {value!r}: a whole number")


def _ratio(name: str, counted: Entry, asked: Mapping[str, float]) -> Iterator[str]:
    if "failure_ratio_max" in asked and counted.num_requests:
        ratio = counted.num_failures / counted.num_requests
        if ratio > asked["failure_ratio_max"]:
            yield f"{name}: {ratio:.4%} failed, at most {asked['failure_ratio_max']:.4%}"


def _times(name: str, percentile: Callable[[float], float], asked: Mapping[str, float]) -> Iterator[str]:
    for key, percent in PERCENTILES.items():
        if key in asked and (took := percentile(percent)) > asked[key]:
            yield f"{name}: p{percent * 100:.0f} {took:.0f} ms, at most {asked[key]:g} ms"
