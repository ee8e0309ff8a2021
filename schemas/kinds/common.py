"""Types that several kinds share."""

from typing import Annotated, Final

import msgspec

from schemas.ids import MillisInt, OpText, SlugText
from schemas.limits import OP_TEXT_CHARS_MAX

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
"""A single line: a title, a place, a name."""
Note = Annotated[str, msgspec.Meta(min_length=1, max_length=4_000)]
"""What an officer writes at once."""
Body = Annotated[str, msgspec.Meta(min_length=1, max_length=OP_TEXT_CHARS_MAX)]
"""A whole document: a briefing."""
DATE_PATTERN: Final = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$(?!\n)"
DateText = Annotated[str, msgspec.Meta(pattern=DATE_PATTERN)]
"""A day of the calendar: `1984-05-17`."""


class Position(msgspec.Struct, frozen=True):
    """A place on the ground in WGS 84 degrees. One value, so that two officers' moves never mix into a third place.

    Attributes:
        longitude: degrees east of Greenwich.
        latitude: degrees north of the equator.
    """

    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]


class LogEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of an append-only log. Author, device and times are its stamp's.

    Attributes:
        text: what is recorded.
        corrects: (op, k) of the entry that this one corrects; the old one stays.
        overrides: id of the rule that its author goes on against in the same change; the text says why.
    """

    text: Note
    corrects: tuple[OpText, Annotated[int, msgspec.Meta(ge=0, le=4_096)]] | None = None
    overrides: SlugText | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person says that they have read something. Who it was is its stamp's.

    Attributes:
        read_at: when they read it (ms since 1970).
    """

    read_at: MillisInt


class Marker(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A warning about a person or a place: what officers must know before they knock.

    Attributes:
        warning: what: `violent`, `dog at address`.
        source: where it comes from.
        expires_at: until when it holds (ms since 1970).
    """

    warning: Line
    source: Line | None = None
    expires_at: MillisInt | None = None


class Arrest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An arrest made at an incident.

    Attributes:
        person: who.
        arrested_at: when (ms since 1970).
        offence: what for.
    """

    person: Line
    arrested_at: MillisInt
    offence: Line | None = None
