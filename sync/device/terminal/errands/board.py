"""The custody board: everybody who is held, whose time is short first, with cell, level and what falls due next."""

from typing import Final

import msgspec
from rich.table import Table
from rich.text import Text

from schemas.ids import RecordId
from schemas.kinds import CustodyBooking, Hold, Resource
from schemas.kinds.resource import Category
from schemas.settings import Settings
from sync.device.alarm_watch import report
from sync.device.terminal.reader import BAD, LABEL, WARN, WHO, Reader
from sync.device.terminal.spec import spec
from sync.device.terminal.values import listed, safe
from sync.device.terminal.work import Errand, Work
from sync.policing.custody import clocks, words
from sync.policing.custody.clocks import Detention
from sync.policing.custody.record import is_child, is_over
from sync.policing.custody.whereabouts import Place
from sync.policing.due import Due
from sync.policing.timetable import TIMETABLE

_WHY: Final = "the custody board"
_SOON_MS: Final = 10 * 60_000
_LAST: Final = 2**63
"""Behind everything that has a time."""
_PLACE: Final = {
    Place.HOSPITAL: "hospital",
    Place.ON_BAIL: "on bail",
    Place.BAIL_ARREST: "on the way",
    Place.NOT_YET: "on the way",
}
"""Where somebody is who is not at the station."""


class ShowBoard(Errand, frozen=True):
    """`board`: who is held, in one suite or in all that are here."""

    suite: str

    async def run(self, work: Work) -> None:
        """Show it; its rows are numbered."""
        reader, settings = work.reader(), await work.settings()
        with work.handheld.matter(why=_WHY):
            held = await work.handheld.find(CustodyBooking, lambda booking: self._is_here(booking, reader))
            cells = await work.handheld.find(Resource, category=Category.CELL)
        rows = sorted((_row(record, one, settings, reader) for record, one in held), key=_order)
        late = sum(1 for row in rows if row.next is not None and row.next.at < reader.now)
        work.show(Text(f"Held: {len(rows)}, with something overdue: {late}", LABEL))
        work.show(_table(rows, _cells(cells), reader))
        views = [await work.handheld.inspect(row.record) for row in rows]
        work.sight.lay_out([view for view in views if view is not None])

    def _is_here(self, booking: CustodyBooking, reader: Reader) -> bool:
        # Who has come back on bail is held, whatever the status says.
        return self.suite in {"", booking.suite} and not is_over(booking, reader.now)


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """One person.

    Attributes:
        record, booking: who.
        found: their clocks.
        next: what falls due next; None for nothing.
        child: whether they are treated as under 18.
    """

    record: RecordId
    booking: CustodyBooking
    found: Detention
    next: Due | None
    child: bool


def _row(record: RecordId, booking: CustodyBooking, settings: Settings, reader: Reader) -> _Row:
    dues: list[Due] = []
    for rule in TIMETABLE["custody-booking"]:
        try:
            dues += rule(booking, settings, reader.now)
        except Exception as error:  # noqa: BLE001  whatever is wrong with one rule, nobody is left off the board
            report(error, f"custody-booking {record}")
    return _Row(
        record=record,
        booking=booking,
        found=clocks.of_booking(booking, settings.custody, reader.now),
        next=min(dues, key=lambda due: due.at, default=None),
        child=is_child(booking, settings, reader.now),
    )


def _order(row: _Row) -> tuple[int, str]:
    return (_LAST if row.next is None else row.next.at, row.record)


def _cells(found: list[tuple[RecordId, Resource]]) -> dict[str, str]:
    """Holder -> the cell that is held for them."""
    return {one.hold.holder: one.name for _, one in found if isinstance(one.hold, Hold)}


def _table(rows: list[_Row], cells: dict[str, str], reader: Reader) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for number, row in enumerate(rows, 1):
        booking, found = row.booking, row.found
        where = _PLACE.get(found.place) or cells.get(row.record, "no cell")
        level = "level ?" if booking.observation is None else f"level {booking.observation.value[1:]}"
        risk = "" if booking.risk is None else f"risk {booking.risk.value}"
        table.add_row(
            str(number),
            Text(safe(booking.detainee)),
            Text(safe(where), "" if row.record in cells else WHO),
            Text(f"{level} {risk}".strip()),
            _left(found),
            _next(row.next, reader),
            Text(listed(_needs(row)), WARN),
        )
    return table


def _left(found: Detention) -> Text:
    binding = found.limits.binding
    if found.contradictions:
        return Text("LOOK: clocks tells", BAD)
    if found.charged_at is not None:
        return Text("charged")
    if binding is None:
        return Text("no limit runs")
    if binding.left_ms <= 0:
        return Text(f"OVER by {words.duration(-binding.left_ms, up=True)}", BAD)
    stopped = "" if found.running else ", stopped"
    return Text(f"{words.duration(binding.left_ms)} left{stopped}", WARN if binding.left_ms < _SOON_MS else "")


def _next(due: Due | None, reader: Reader) -> Text:
    if due is None:
        return Text("nothing falls due", WHO)
    left = due.at - reader.now
    when = f"in {words.duration(left)}" if left >= 0 else f"OVERDUE by {words.duration(-left, up=True)}"
    return Text.assemble((when, BAD if left < 0 else WARN if left < _SOON_MS else ""), f"  {safe(due.words)}")


def _needs(row: _Row) -> list[str]:
    """What whoever goes to them must know first."""
    under = ["under 18"] if row.child else []
    needs = [str(need.value).replace("-", " ") for need in row.booking.needs]
    warned = ["warnings"] if row.booking.markers else []
    return [*under, *needs, *warned]


SPECS: Final = (
    spec(
        "board [SUITE]",
        "everybody who is held: cell, level, time left, what falls due next; whose is soonest first",
        lambda rest: ShowBoard(_suite(rest)),
    ),
)


def _suite(rest: str) -> str:
    (suite,) = rest.split() or [""]
    return suite.casefold()
