"""Reading, and the log of it: what an officer looks at is written down as they look (Data Protection Act 2018 s. 62).

At an officer's seat, what `get`, `inspect` and `explain` hand over is a consultation: who, when, which records, for the
sake of which incident, and why. What `find` hands over is a combination: these, and what was searched for. The entry is
on this device's disk before the caller has the record; the reason is asked for once per incident, and remembered with
the replica. What a program reads for itself, to draw a list anew or to look a name up, is none: it says so with
`for_itself`. A program's own seat keeps no such log.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TypeVar

import msgspec

from schemas.errors import UsageError
from schemas.ids import Millis, RecordId
from schemas.limits import REASON_CHARS_MAX
from schemas.reads import READ_WHY_BYTES_MAX
from sync.device.store import Committed, Held
from sync.device.writing import Writer
from sync.replica.reads import ReadNote, What

_T = TypeVar("_T")


class ReasonNeededError(UsageError):
    """Nobody has said yet for what these records are looked at.

    Attributes:
        matter: the incident or booking for which it is to be said; None for a search that is for none.
    """

    def __init__(self, matter: RecordId | None) -> None:
        """Name the matter."""
        about = "this search" if matter is None else f"record {matter}"
        super().__init__(f"say why you look at {about}: with handheld.matter(…, why='…'); once for each incident")
        self.matter = matter


class Matter(msgspec.Struct, frozen=True):
    """For what something is read.

    Attributes:
        record: for the sake of which incident or booking; None when it is for none.
        why: the reason; "" where it was given before.
        logged: whether it is read for a person.
        words: what is searched for.
    """

    record: RecordId | None = None
    why: str = ""
    logged: bool = True
    words: str = ""


_NONE = Matter()
_MATTER: ContextVar[Matter] = ContextVar("matter", default=_NONE)


class Consulting(Writer):
    """The part of `Handheld` that logs what is read."""

    _justify: bool = True

    @contextlib.contextmanager
    def matter(self, record: RecordId | None = None, *, why: str = "", words: str = "") -> Iterator[None]:
        """Inside it everything is read for the sake of one incident or booking, by this task and those that it starts.

        Args:
            record: which; None for work that is for none, such as reading the day's briefings.
            why: the reason. It is needed once for each incident, and remembered.
            words: what is searched for inside, where `find` is given a function: it is logged with what was found.

        Raises:
            UsageError: the reason is too long.
        """
        if len(why) > REASON_CHARS_MAX or len(why.encode(errors="replace")) > READ_WHY_BYTES_MAX:
            raise UsageError(
                f"a reason has at most {REASON_CHARS_MAX} characters and {READ_WHY_BYTES_MAX} bytes, this one has "
                f"{len(why)} characters"
            )
        with _reading(Matter(record, why.strip(), words=words.strip())):
            yield

    @contextlib.contextmanager
    def for_itself(self) -> Iterator[None]:
        """Inside it a program reads for itself, not for a person: that is not logged."""
        with _reading(Matter(logged=False)):
            yield

    # --- for the calls that read -------------------------------------------------------------------------------------

    async def _consult(self, record: RecordId, work: Callable[[Held], _T | None]) -> _T | None:
        """Read one record, and log it in the same transaction; what is not there was not read."""
        matter = self._logged_matter()
        if matter is None:
            return await self._store.read(work)

        def logged(held: Held) -> _T | None:
            found = work(held)
            if found is not None:
                about = msgspec.structs.replace(matter, record=matter.record or record, words="")
                self._note(held, "consultation", [record], about)
            return found

        return await self._store.change(logged, self._logged)

    async def _combined(self, records: Sequence[RecordId], equals: Mapping[str, object]) -> None:
        """Log records that a search has found, and what it was for, before they are handed over."""
        matter = self._logged_matter()
        if matter is not None and records:
            asked = [f"{name} {msgspec.to_builtins(value)}" for name, value in equals.items()]
            search = msgspec.structs.replace(matter, words=", ".join(filter(None, [matter.words, *asked])))
            await self._store.change(lambda held: self._note(held, "combination", records, search), self._logged)

    async def _require_reason(self) -> None:
        """See that a search has a reason, before it is made.

        Raises:
            ReasonNeededError: it has none.
        """
        matter = self._logged_matter()
        if matter is not None and self._justify:
            await self._store.read(lambda held: self._reason(held, matter))

    def _logged_matter(self) -> Matter | None:
        """For what is read now, if it is to be logged."""
        matter = _MATTER.get()
        return matter if matter.logged and self._signed_in is not None else None

    def _reason(self, held: Held, matter: Matter) -> str:
        known = None if matter.record is None else held.replica.reads.justified(matter.record)
        why = matter.why or known or ""
        if self._justify and not why:
            raise ReasonNeededError(matter.record)
        return why

    def _note(self, held: Held, what: What, records: Sequence[RecordId], matter: Matter) -> None:
        note = ReadNote(
            what=what,
            author=self._author,
            records=records,
            at=self._time.now(),
            wall=Millis(self._time.clock.wall_ms()),
            matter=matter.record,
            why=self._reason(held, matter),
            words=matter.words,
        )
        held.replica.reads.note(note)

    def _logged(self, _result: object, committed: Committed) -> None:
        self._board.count(committed.revision, committed.waiting, committed.held, committed.sealed)
        if self._client is not None:
            self._client.wake()


@contextlib.contextmanager
def _reading(matter: Matter) -> Iterator[None]:
    token = _MATTER.set(matter)
    try:
        yield
    finally:
        _MATTER.reset(token)
