"""What the guards of a custody booking look at: the booking, and the entries that a change adds to it."""

from typing import TypeVar

import msgspec

from schemas.ids import FieldName, Millis
from schemas.kinds import CustodyBooking
from sync.policing.guards import Look

E = TypeVar("E", bound=msgspec.Struct)


def added(look: Look, field: str, kind: type[E]) -> tuple[E, ...]:
    """The entries that a change adds to a field, without those that only take another back."""
    if booking_of(look) is None:
        return ()
    found = msgspec.convert(look.changes.get(FieldName(field), []), tuple[kind, ...])  # type: ignore[valid-type]
    return tuple(one for one in found if not getattr(one, "in_error", False))


def booking_of(look: Look) -> CustodyBooking | None:
    """The booking as it would be; None, of which no guard says anything, where another program's declaration builds it.

    A rule speaks of the fields that it was written for.
    """
    return look.after if isinstance(look.after, CustodyBooking) else None


def before_of(look: Look) -> CustodyBooking | None:
    """The booking as its author sees it; None of a new one."""
    return look.before if isinstance(look.before, CustodyBooking) else None


def moment_of(look: Look) -> Millis:
    """Now, or a little later: an assessment in the same change may bear the time of its writing."""
    return Millis(look.now + look.settings.care.early_entry_ms)
