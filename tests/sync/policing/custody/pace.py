"""Reads the table of PACE cases: events with clock times as on the wall in London, and what must follow from them."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.ids import Millis
from schemas.kinds.detention import DetentionEvent, ref
from schemas.settings import CustodySettings
from sync.policing.custody.relevant import Facts

TABLE: Final = Path(__file__).with_name("pace_cases.toml")
LONDON: Final = ZoneInfo("Europe/London")
_TIME: Final = re.compile(r"^(?:(\d{4}-\d\d-\d\d) |\+(\d+) )?(\d\d):(\d\d)(GMT|BST)?$")
_EVENT: Final = re.compile(
    r"^(?P<at>(?:\S+ )?\d\d:\d\d(?:GMT|BST)?) (?P<what>[a-z-]+)"
    r"(?P<rest>(?: [a-z_]+=[^ ]+)*)(?: #(?P<name>[a-z0-9-]+))?$"
)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One row.

    Attributes:
        title: what it shows.
        source: where it is laid down.
        day: the day that its times are of.
        facts: what the booking says once.
        entries: its entries.
        now: the moment at which it is looked at (ms since 1970).
        settings: the force's.
        expect: what must follow, as the table says it.
    """

    title: str
    source: str
    day: date
    facts: Facts
    entries: tuple[DetentionEvent, ...]
    now: Millis
    settings: CustodySettings
    expect: Mapping[str, Any]

    def ms(self, text: str) -> Millis:
        """A clock time of the row in ms since 1970."""
        return moment(text, self.day)


def moment(text: str, day: date) -> Millis:
    """`10:05`, `+1 10:05` (days later), `2025-03-30 10:05`; GMT or BST behind it where an hour comes twice."""
    found = _TIME.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no time: write 10:05, '+1 10:05' or '2025-03-30 10:05'")
    that = date.fromisoformat(found[1]) if found[1] else day + timedelta(days=int(found[2] or 0))
    fold = 1 if found[5] == "GMT" else 0
    there = datetime(that.year, that.month, that.day, int(found[3]), int(found[4]), tzinfo=LONDON, fold=fold)
    return Millis(int(there.timestamp()) * 1_000)


def amount(text: str) -> int:
    """`3:55`, `-0:10`, in ms."""
    sign = -1 if text.startswith("-") else 1
    hours, minutes = text.removeprefix("-").split(":")
    return sign * (int(hours) * 60 + int(minutes)) * 60_000


def read(table: Path = TABLE) -> list[Case]:
    """The rows of the table."""
    rows = tomllib.loads(table.read_text(encoding="utf-8"))["case"]
    return [_case(row) for row in rows]


def _case(row: Mapping[str, Any]) -> Case:
    day = date.fromisoformat(row.get("day", "2025-01-14"))
    facts = Facts(
        arrested_at=moment(row["arrested"], day),
        arrived_at=moment(row["arrived"], day) if "arrived" in row else None,
        relevant_time=moment(row["relevant_time"], day) if "relevant_time" in row else None,
        detention_authorised_at=moment(row["authorised"], day) if "authorised" in row else None,
    )
    return Case(
        title=row["title"],
        source=row["source"],
        day=day,
        facts=facts,
        entries=tuple(events(row.get("events", ()), day)),
        now=moment(row["now"], day),
        settings=msgspec.convert(row.get("settings", {}), CustodySettings),
        expect=row["expect"],
    )


def events(lines: Sequence[str], day: date) -> list[DetentionEvent]:
    """Entries from lines such as `16:10 review rank=inspector by=INS-Marlow #first`; `corrects=first` names one."""
    named: dict[str, str] = {}
    found = []
    for line in lines:
        parts = _EVENT.match(line)
        if parts is None:
            raise ValueError(f"{line!r} is no event: write '16:10 review rank=inspector'")
        plain: dict[str, Any] = {"what": parts["what"], "at": moment(parts["at"], day)}
        for pair in parts["rest"].split():
            key, value = pair.split("=", 1)
            plain[key] = _value(key, value, day, named)
        event = msgspec.convert(plain, DetentionEvent)
        found.append(event)
        if parts["name"]:
            named[parts["name"]] = ref(event)
    return found


def _value(key: str, value: str, day: date, named: Mapping[str, str]) -> Any:  # noqa: ANN401  a field's value
    match key:
        case "corrects":
            return named[value]
        case "until":
            return moment(value.replace("_", " "), day)
        case "hours" | "months":
            return int(value)
        case "earlier_ms":
            return amount(value)
        case "treatment" | "involved" | "indictable" | "represented" | "court_cannot_sit":
            return {"yes": True, "no": False}[value]
        case _:
            return value.replace("_", " ")
