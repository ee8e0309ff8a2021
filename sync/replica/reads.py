"""This seat's read log: what its officer consulted, kept until the server has it (DPA 2018 section 62).

Entries are numbered without gaps and each bears the hash of the one before: a log that was cut short, or from which
something was taken, does not fit what the server holds of it, and such a device is given no new lease.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from schemas.ids import Millis, OfficerId, RecordId
from schemas.limits import READ_BYTES_MAX
from schemas.reads import NO_LINK, READ_RECORDS_MAX, READ_WORDS_CHARS_MAX, Read
from sync.replica.tables import Tables

_NEXT: Final = "next_read"
_LINK: Final = "read_link"
_JUSTIFIED: Final = "why/{matter}"
_ENCODER: Final = msgspec.msgpack.Encoder()
_READ: Final = msgspec.msgpack.Decoder(Read)
_PAGE: Final = 256

What = Literal["consultation", "disclosure", "combination"]


class ReadNote(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an officer looks at, about to be logged.

    Attributes:
        what, author, at, wall, matter, why, recipients: as in `schemas.reads.Read`.
        words: of a search, of any length.
        records: which, any number.
    """

    what: What
    author: OfficerId
    records: Sequence[RecordId]
    at: Millis
    wall: Millis
    matter: RecordId | None = None
    why: str = ""
    recipients: tuple[str, ...] = ()
    words: str = ""


class ReadLog:
    """The log over its tables."""

    def __init__(self, tables: Tables) -> None:
        """Bind it."""
        self._tables = tables

    @property
    def next(self) -> int:
        """The number that the next entry gets."""
        raw = self._tables.meta(_NEXT)
        return 1 if raw is None else int(raw)

    def note(self, note: ReadNote) -> None:
        """Write what was looked at; many records become several entries.

        Each is of READ_BYTES_MAX at most, or the server would take neither it nor anything behind it: beside a long
        reason fewer records stand in one.
        """
        records = list(dict.fromkeys(note.records))
        most = READ_RECORDS_MAX
        while records:
            n = self.next
            body = _ENCODER.encode(self._entry(note, n, records[:most]))
            if len(body) > READ_BYTES_MAX and most > 1:
                most //= 2
                continue
            del records[:most]
            self._tables.put_reading(n, body)
            self._tables.set_meta(_NEXT, str(n + 1).encode())
            self._tables.set_meta(_LINK, hashlib.sha256(body).digest())
        if note.matter is not None and note.why:
            self._tables.set_meta(_JUSTIFIED.format(matter=note.matter), note.why.encode())

    def _entry(self, note: ReadNote, n: int, records: Sequence[RecordId]) -> Read:
        words = note.words
        if len(words) > READ_WORDS_CHARS_MAX:
            words = f"{words[: READ_WORDS_CHARS_MAX - 1]}…"
        return Read(
            n=n,
            link=self._tables.meta(_LINK) or NO_LINK,
            what=note.what,
            author=note.author,
            records=tuple(records),
            at=note.at,
            wall=note.wall,
            matter=note.matter,
            why=note.why,
            recipients=note.recipients,
            words=words,
        )

    def go_on(self, n: int, link: bytes) -> None:
        """Go on behind an entry that the server holds, after the log was set back: what waits is numbered anew.

        Args:
            n: number of the last entry that the server holds.
            link: its SHA-256.
        """
        waiting: list[bytes] = []
        after = 0
        while some := self._tables.readings(after, _PAGE):
            waiting += [body for _, body in some]
            after = some[-1][0]
        self._tables.drop_readings(after)
        for body in waiting:
            n += 1
            anew = _ENCODER.encode(msgspec.structs.replace(_READ.decode(body), n=n, link=link))
            self._tables.put_reading(n, anew)
            link = hashlib.sha256(anew).digest()
        self._tables.set_meta(_NEXT, str(n + 1).encode())
        self._tables.set_meta(_LINK, link)

    def justified(self, matter: RecordId) -> str | None:
        """The reason that was given for the sake of this incident or booking before; None when none was."""
        raw = self._tables.meta(_JUSTIFIED.format(matter=matter))
        return None if raw is None else raw.decode()

    def waiting(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """(number, bytes) of entries that the server has not said it keeps, with numbers above `after`."""
        return self._tables.readings(after, limit)

    def kept(self, upto: int) -> None:
        """The server keeps the entries up to this one."""
        self._tables.drop_readings(upto)
