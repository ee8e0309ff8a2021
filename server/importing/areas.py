"""Which Local Policing Area a place lies in.

West Midlands' seven areas have followed the district boundaries since 3 April 2023 (DOMAIN, Organisation). An LSOA's
name begins with its district's ("Birmingham 067A", an Office for National Statistics convention), so the name tells the
area. A force whose areas follow other lines gives a table of LSOA codes instead.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from schemas.errors import UsageError
from schemas.ids import SLUG_PATTERN

WEST_MIDLANDS: Final = ("Birmingham", "Coventry", "Dudley", "Sandwell", "Solihull", "Walsall", "Wolverhampton")
_LSOA_NAME: Final = re.compile(r"^(?P<district>.+) [0-9]{3}[A-Z]$")


class Areas:
    """Finds the area of an LSOA."""

    def __init__(self, names: Mapping[str, str], by_code: Mapping[str, str]) -> None:
        """Bind the tables.

        Args:
            names: district name -> area slug.
            by_code: LSOA code -> area slug; asked first.
        """
        self._names = names
        self._by_code = by_code

    @classmethod
    def of_west_midlands(cls) -> "Areas":
        """The seven areas, by district name."""
        return cls({name: name.lower() for name in WEST_MIDLANDS}, {})

    @classmethod
    def from_table(cls, path: Path) -> "Areas":
        """The areas of a CSV table with the columns `lsoa11cd` and `lpa`.

        Raises:
            UsageError: the file cannot be read, lacks a column, or names an area that makes no slug.
        """
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                if not {"lsoa11cd", "lpa"} <= set(reader.fieldnames or ()):
                    raise UsageError(f"{path}: needs the columns lsoa11cd and lpa")
                by_code = {row["lsoa11cd"]: slug(row["lpa"]) for row in reader}
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"{path}: cannot be read as a table of areas ({error})") from None
        return cls({}, by_code)

    def find(self, lsoa_code: str, lsoa_name: str) -> str | None:
        """The slug of the area, or None when the place lies in none."""
        if self._by_code:
            return self._by_code.get(lsoa_code)
        found = _LSOA_NAME.match(lsoa_name)
        return None if found is None else self._names.get(found["district"])


def slug(name: str) -> str:
    """An area's name as it stands in a scope: lower case, words joined by hyphens.

    Raises:
        UsageError: nothing usable is left.
    """
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if re.match(SLUG_PATTERN, made) is None:
        raise UsageError(f"{name!r} is no name for an area")
    return made
