"""Tables as CSV (RFC 4180), hardened: a spreadsheet must never take what somebody typed for a formula.

A cell that a spreadsheet would calculate gets an apostrophe in front, which the reader here takes off again. Numbers of
our own making are left as they are: a longitude west of Greenwich begins with a minus.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from schemas.errors import UsageError

MARK: Final = "'"
BYTES_MAX: Final = 256 * 1024 * 1024
"""A year of the largest force's searches is a quarter of that."""
CELL_CHARS_MAX: Final = 4_000
_CALCULATED: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", MARK)  # noqa: RUF001  full width counts too
_NUMBER: Final = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,9})?")


def hardened(cell: str) -> str:
    """A cell that no spreadsheet calculates. What begins so behind blanks counts too: some take them off."""
    if _NUMBER.fullmatch(cell) is not None:
        return cell
    return MARK + cell if cell.lstrip(" ").startswith(_CALCULATED) else cell


def written(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """The table as UTF-8, columns first, lines ended by CR LF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(map(hardened, row) for row in rows)
    return text.getvalue().encode()


def read(data: bytes, columns: Sequence[str], name: str) -> list[list[str]]:
    """The rows of a table, as they were before `written`.

    Args:
        data: the file.
        columns: what its first line must say.
        name: what it is called in a refusal.

    Raises:
        UsageError: it is no such table; the text names the line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 at byte {error.start}; save it as CSV in UTF-8") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[list[str]] = []
    try:
        if next(lines, None) != list(columns):
            raise UsageError(f"{name}: line 1: the columns must be {','.join(columns)}")
        for row in lines:
            if not row:
                continue
            if len(row) != len(columns):
                raise UsageError(f"{name}: line {lines.line_num}: {len(row)} cells for {len(columns)} columns")
            if any(len(cell) > CELL_CHARS_MAX for cell in row):
                raise UsageError(f"{name}: line {lines.line_num}: a cell of more than {CELL_CHARS_MAX} characters")
            found.append([cell.removeprefix(MARK) for cell in row])
    except csv.Error as error:
        raise UsageError(f"{name}: line {lines.line_num}: {error}") from None
    return found


def read_file(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """The rows of a file; as `read`.

    Raises:
        UsageError: it cannot be read, is too long, or is no such table.
    """
    try:
        if path.stat().st_size > BYTES_MAX:
            raise UsageError(f"{path}: more than {BYTES_MAX} bytes; give a file of one month")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    return read(data, columns, str(path))
