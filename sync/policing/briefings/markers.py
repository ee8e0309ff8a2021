"""Warning markers as they are shown: with where they come from, and whether they still hold.

One that has expired is shown as expired, and never left out: an officer at the door decides better with an old warning
that is called old than with none. Taking it away is a person's act. Source: DOMAIN, Briefings and information: markers
carry provenance and expiry.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.ids import Millis
from schemas.kinds.common import Marker
from schemas.limits import INT_MAX
from schemas.settings import Settings
from schemas.tokens import Token

UNKNOWN_SOURCE: Final = "source not recorded"


class Hold(Token):
    """Whether a marker holds."""

    CURRENT = "current"
    EXPIRING = "expiring"
    EXPIRED = "expired"


class ShownMarker(msgspec.Struct, frozen=True, kw_only=True):
    """A marker at a moment.

    Attributes:
        marker: it, as it was set.
        hold: whether it still holds.
        source: where it comes from; in words where nobody said.
    """

    marker: Marker
    hold: Hold
    source: str


def warnings(markers: Iterable[Marker], settings: Settings, now: Millis) -> tuple[ShownMarker, ...]:
    """Every marker with how it stands, those that hold first and of them the one that ends last; none is left out.

    Args:
        markers: of a person, an incident or a booking.
        settings: the force's.
        now: the moment (ms since 1970).
    """
    found = [
        ShownMarker(marker=one, hold=hold(one, settings, now), source=one.source or UNKNOWN_SOURCE) for one in markers
    ]
    return tuple(sorted(found, key=lambda one: (one.hold == Hold.EXPIRED, -_end(one.marker), one.marker.warning)))


def hold(marker: Marker, settings: Settings, now: Millis) -> Hold:
    """Whether a marker holds at a moment, and whether that is about to end."""
    if marker.expires_at is None or marker.expires_at > now + settings.briefings.marker_warn_ms:
        return Hold.CURRENT
    return Hold.EXPIRED if marker.expires_at <= now else Hold.EXPIRING


def ending(markers: Sequence[Marker], settings: Settings, now: Millis) -> tuple[Marker, ...]:
    """The markers that are about to expire, the first to end first."""
    soon = [one for one in markers if hold(one, settings, now) == Hold.EXPIRING]
    return tuple(sorted(soon, key=lambda one: (_end(one), one.warning)))


def _end(marker: Marker) -> int:
    return INT_MAX if marker.expires_at is None else marker.expires_at
