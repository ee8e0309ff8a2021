"""Where a detained person is, from the entries: the spans for which the detention clock stands still.

One machine over the entries in their order. It never refuses: what does not fit is told as a contradiction and taken in
the detainee's favour, so that no clock is longer than the law allows. That means: time is left out only as far as it is
attested. A second departure starts the absence anew; a return that nobody recorded, shown by a later entry, gives back
only the time up to the last word from outside.

Sources: PACE 1984 section 41(6) (hospital), sections 47(6) and 46A (bail), section 34 (release).
"""

from collections.abc import Callable, Mapping
from typing import Final

from schemas.ids import Millis
from schemas.kinds.detention import DetentionEvent, Step, ref
from schemas.settings import CustodySettings
from schemas.tokens import Token
from sync.policing.custody.events import Contradiction, Held
from sync.policing.custody.intervals import FOR_EVER, Span, Why, span


class Place(Token):
    """Where the person is, as far as the clocks go."""

    NOT_YET = "not-yet"
    STATION = "station"
    HOSPITAL = "hospital"
    ON_BAIL = "on-bail"
    BAIL_ARREST = "bail-arrest"
    RELEASED = "released"


COMING: Final = (
    Step.ARRIVAL,
    Step.STATION_ARREST,
    Step.STREET_BAIL_RETURN,
    Step.TRANSFER_ARRIVED,
    Step.BAIL_RETURN,
)
"""The person comes to a station, or is there already."""
PRESENT: Final = (
    *COMING,
    Step.AUTHORISED,
    Step.LEFT_FOR_HOSPITAL,
    Step.AT_HOSPITAL,
    Step.QUESTIONED_IN_HOSPITAL,
    Step.LEFT_HOSPITAL,
    Step.BACK_FROM_HOSPITAL,
    Step.TRANSFER_LEFT,
    Step.REVIEW,
    Step.REVIEW_POSTPONED,
    Step.EXTENSION,
)
"""The person is in police detention when it happens."""


class Whereabouts:
    """The machine. `walk` makes it; what it found stands in its attributes.

    Attributes:
        place: where the person is after the last entry.
        since: when they came to be there (ms since 1970).
        away: the spans that do not count, and the questioning in hospital that does.
        released_at: when they were released; None when they were not.
        last_word_at: the last entry of an absence that goes on (ms since 1970).
        travelling: whether the last word of that absence is of a journey back.
        contradictions: what did not fit.
    """

    def __init__(self, settings: CustodySettings) -> None:
        self._settings = settings
        self.place = Place.NOT_YET
        self.since = Millis(0)
        self.away: list[Span] = []
        self.released_at: Millis | None = None
        self.last_word_at = Millis(0)
        self.travelling = False
        self.contradictions: list[Contradiction] = []
        self._stops = True
        self._left_from = Place.NOT_YET
        self._questioned: list[tuple[Millis, Millis]] = []

    def take(self, event: DetentionEvent) -> None:
        """One entry, in order."""
        step = _AT[self.place].get(event.what)
        if step is not None:
            step(self, event)

    def finish(self) -> None:
        """After the last entry: what is open goes on."""
        if self.place is Place.HOSPITAL:
            self._end_stay(None)
        elif self.place is Place.ON_BAIL:
            self._leave_out(self.since, None, Why.ON_BAIL)
        elif self.place is Place.BAIL_ARREST:
            # Until the arrival is recorded the pause counts from the arrest, which is never later.
            self._pause(self.since)

    # --- moves --------------------------------------------------------------------------------------

    def _go(self, place: Place, at: int) -> None:
        self.place, self.since, self.last_word_at, self.travelling = place, Millis(at), Millis(at), False

    def _left(self) -> None:
        if self.place is not Place.HOSPITAL:
            self._left_from = self.place

    def _leave_out(self, start: int, end: int | None, why: Why) -> None:
        if (end is None or end > start) and (why is not Why.HOSPITAL or self._stops):
            self.away.append(span(Millis(start), None if end is None else Millis(end), why, counts=False))

    def _end_stay(self, end: Millis | None) -> None:
        """The stay in hospital is left out but for the questioning in it."""
        self._leave_out(self.since, end, Why.HOSPITAL)
        close = FOR_EVER if end is None else end
        for start, until in self._questioned:
            last = min(until, close)
            if last > start:
                shown = None if last == FOR_EVER else last
                self.away.append(span(start, shown, Why.QUESTIONED_IN_HOSPITAL, counts=True))
        self._questioned = []

    def _pause(self, start: int) -> None:
        self._leave_out(start, start + self._settings.bail_arrest_pause_ms, Why.BAIL_ARREST_PAUSE)

    def _against(self, rule: str, words: str, event: DetentionEvent) -> None:
        self.contradictions.append(Contradiction(rule=rule, words=words, refs=(ref(event),)))

    # --- at the station, or not there yet -----------------------------------------------------------

    def arrive(self, event: DetentionEvent) -> None:
        """The first time."""
        self._go(Place.STATION, event.at)

    def to_hospital(self, event: DetentionEvent) -> None:
        """They leave for hospital: for treatment, unless the entry says otherwise."""
        self._left()
        self._stops = event.treatment is not False
        self._questioned = []
        self._go(Place.HOSPITAL, event.at)

    def hospital_unannounced(self, event: DetentionEvent) -> None:
        """They are at a hospital, and nobody recorded that they left for it."""
        if self.place is Place.STATION:
            self._against(
                "custody-hospital-journey",
                "They are at a hospital, but when they left for it is not recorded: the journey counts.",
                event,
            )
        self._left()
        self._stops = event.treatment is not False
        self._go(Place.HOSPITAL, event.at)

    def never_left(self, event: DetentionEvent) -> None:
        """A return, or an end of a stay, of which no beginning is recorded."""
        self._against(
            "custody-return-without-leaving",
            f"{_said(event)}, but that they had left is not recorded: all of the time counts.",
            event,
        )

    def bailed(self, event: DetentionEvent) -> None:
        """They are bailed from the station."""
        self._go(Place.ON_BAIL, event.at)

    def bail_arrested(self, event: DetentionEvent) -> None:
        """An arrest for breach of bail, with no bail in this record: that stands in an earlier one."""
        if self.place is Place.STATION:
            self.never_left(event)
        else:
            self._go(Place.BAIL_ARREST, event.at)

    def released(self, event: DetentionEvent) -> None:
        """They are released, or handed over to a court: the police detain them no longer (section 118(2))."""
        self.released_at = event.at
        self._go(Place.RELEASED, event.at)

    # --- in hospital ----------------------------------------------------------------------------------

    def left_again(self, event: DetentionEvent) -> None:
        """Two departures and no return between: the absence counts from the later."""
        self._against(
            "custody-left-twice",
            "They left for hospital twice with no return between: time is left out from the later one.",
            event,
        )
        self.to_hospital(event)

    def in_hospital(self, event: DetentionEvent) -> None:
        """Word from the hospital."""
        self.last_word_at, self.travelling = event.at, False

    def questioned(self, event: DetentionEvent) -> None:
        """Questioning in hospital or on the way counts (section 41(6))."""
        self.last_word_at = event.at
        until = event.until
        if until is None or until < event.at:
            self._against(
                "custody-questioning-end",
                "They were questioned in hospital, but when that ended is not rightly recorded: the time counts on.",
                event,
            )
            until = FOR_EVER
        self._questioned.append((event.at, until))

    def left_hospital(self, event: DetentionEvent) -> None:
        """They are on the way back."""
        self.last_word_at, self.travelling = event.at, True

    def back(self, event: DetentionEvent) -> None:
        """They are back at a station: the clock goes on."""
        self._end_stay(event.at)
        # Whoever was taken to hospital from the arrest has not been at a station: that they arrive there is the truth.
        if self._left_from is Place.STATION and event.what in (
            Step.ARRIVAL,
            Step.BAIL_RETURN,
            Step.STREET_BAIL_RETURN,
            Step.STATION_ARREST,
        ):
            self._against(
                "custody-return-as-arrival",
                f"{_said(event)} while they were in hospital: taken as the return from it.",
                event,
            )
        self._go(Place.STATION, event.at)

    def back_unseen(self, event: DetentionEvent) -> None:
        """An entry shows them back, and no return is recorded: only what is attested is left out."""
        self._end_stay(self.last_word_at)
        self._against(
            "custody-return-not-recorded",
            f"{_said(event)}, but no return from hospital is recorded: the time counts from the last word from there.",
            event,
        )
        self._go(Place.STATION, event.at)

    def bailed_from_hospital(self, event: DetentionEvent) -> None:
        """They are bailed where they are."""
        self._end_stay(event.at)
        self._go(Place.ON_BAIL, event.at)

    def released_from_hospital(self, event: DetentionEvent) -> None:
        """They are released where they are."""
        self._end_stay(event.at)
        self.released(event)

    # --- on bail ----------------------------------------------------------------------------------------

    def bail_ends(self, event: DetentionEvent) -> None:
        """They come back to a station."""
        self._leave_out(self.since, event.at, Why.ON_BAIL)
        if event.what is not Step.BAIL_RETURN:
            self._against("custody-return-as-arrival", f"{_said(event)} on bail: taken as the return on it.", event)
        self._go(Place.STATION, event.at)

    def bail_breached(self, event: DetentionEvent) -> None:
        """They are arrested while on bail (section 46A)."""
        self._leave_out(self.since, event.at, Why.ON_BAIL)
        self._go(Place.BAIL_ARREST, event.at)

    def bailed_again(self, event: DetentionEvent) -> None:
        """Bailed while on bail: they must have been back between, for how long nobody recorded."""
        self._against(
            "custody-bailed-twice",
            "They were bailed twice with no return between: the time before the later bail counts.",
            event,
        )
        self._go(Place.ON_BAIL, event.at)

    def never_away(self, event: DetentionEvent) -> None:
        """An entry shows them in detention while they were on bail or released: nothing is left out."""
        self._against(
            "custody-return-not-recorded",
            f"{_said(event)}, but they were on bail or released and no return is recorded: all of the time counts "
            "until it is.",
            event,
        )
        self.released_at = None
        self._go(Place.STATION, event.at)
        self.take(event)

    def bail_dropped(self, event: DetentionEvent) -> None:
        """Bail ends without a return: there is nothing left to answer."""
        self._leave_out(self.since, event.at, Why.ON_BAIL)
        self.released(event)

    # --- arrested on bail ---------------------------------------------------------------------------------

    def brought_in(self, event: DetentionEvent) -> None:
        """They come to the station: the pause starts, once the journey has taken no longer than an arrest's may."""
        start = min(event.at, self.since + self._settings.arrest_to_station_ms)
        self._leave_out(self.since, start, Why.BAIL_ARREST_JOURNEY)
        self._pause(start)
        self._go(Place.STATION, event.at)

    def brought_in_unseen(self, event: DetentionEvent) -> None:
        """An entry shows them at the station, and no arrival is recorded: the pause counts from the arrest."""
        self._pause(self.since)
        self._against(
            "custody-return-not-recorded",
            f"{_said(event)}, but no arrival after the arrest on bail is recorded: the pause counts from the arrest.",
            event,
        )
        self._go(Place.STATION, event.at)
        self.take(event)

    def arrested_again(self, event: DetentionEvent) -> None:
        """Two accounts of one arrest on bail: the first counts."""
        self._against(
            "custody-arrested-twice", "They were arrested on bail twice with no bail between: the first counts.", event
        )

    def bailed_on_the_way(self, event: DetentionEvent) -> None:
        """Bailed again before any arrival: the pause counts from the arrest."""
        self._pause(self.since)
        self._go(Place.ON_BAIL, event.at)

    def released_on_the_way(self, event: DetentionEvent) -> None:
        """Released before any arrival."""
        self._pause(self.since)
        self.released(event)

    # --- released -----------------------------------------------------------------------------------------

    def released_again(self, event: DetentionEvent) -> None:
        """Two accounts of one release: the later counts."""
        if event.at - self.since >= self._settings.same_time_ms:
            self._against("custody-released-twice", "They were released twice: the later one counts.", event)
        self.released(event)

    def bailed_after_release(self, event: DetentionEvent) -> None:
        """Bail after a release: they were there until then."""
        self._against("custody-released-twice", "They were released, and bailed later: the later one counts.", event)
        self.released_at = None
        self._go(Place.ON_BAIL, event.at)


_Act = Callable[[Whereabouts, DetentionEvent], None]
_M: Final = Whereabouts


def _each(steps: tuple[Step, ...], act: _Act) -> dict[Step, _Act]:
    return dict.fromkeys(steps, act)


_FROM_STATION: Final[Mapping[Step, _Act]] = {
    Step.LEFT_FOR_HOSPITAL: _M.to_hospital,
    Step.AT_HOSPITAL: _M.hospital_unannounced,
    Step.BAILED: _M.bailed,
    Step.BAIL_ARREST: _M.bail_arrested,
    Step.HANDED_TO_COURT: _M.released,
    Step.RELEASED: _M.released,
}
_AT: Final[Mapping[Place, Mapping[Step, _Act]]] = {
    Place.NOT_YET: {**_each((*COMING, Step.AUTHORISED), _M.arrive), **_FROM_STATION},
    Place.STATION: {
        **_FROM_STATION,
        **_each((Step.LEFT_HOSPITAL, Step.BACK_FROM_HOSPITAL, Step.BAIL_RETURN), _M.never_left),
    },
    Place.HOSPITAL: {
        **_each((*COMING, Step.BACK_FROM_HOSPITAL), _M.back),
        Step.LEFT_FOR_HOSPITAL: _M.left_again,
        Step.AT_HOSPITAL: _M.in_hospital,
        Step.QUESTIONED_IN_HOSPITAL: _M.questioned,
        Step.LEFT_HOSPITAL: _M.left_hospital,
        Step.TRANSFER_LEFT: _M.back_unseen,
        Step.BAILED: _M.bailed_from_hospital,
        Step.BAIL_ARREST: _M.back_unseen,
        Step.HANDED_TO_COURT: _M.released_from_hospital,
        Step.RELEASED: _M.released_from_hospital,
    },
    Place.ON_BAIL: {
        **_each(PRESENT, _M.never_away),
        Step.BAIL_RETURN: _M.bail_ends,
        Step.ARRIVAL: _M.bail_ends,
        Step.BAIL_ARREST: _M.bail_breached,
        Step.BAILED: _M.bailed_again,
        Step.HANDED_TO_COURT: _M.bail_dropped,
        Step.RELEASED: _M.bail_dropped,
    },
    Place.BAIL_ARREST: {
        **_each(PRESENT, _M.brought_in_unseen),
        **_each(COMING, _M.brought_in),
        Step.BAIL_ARREST: _M.arrested_again,
        Step.BAILED: _M.bailed_on_the_way,
        Step.HANDED_TO_COURT: _M.released_on_the_way,
        Step.RELEASED: _M.released_on_the_way,
    },
    Place.RELEASED: {
        **_each((*PRESENT, Step.BAIL_ARREST), _M.never_away),
        Step.HANDED_TO_COURT: _M.released_again,
        Step.RELEASED: _M.released_again,
        Step.BAILED: _M.bailed_after_release,
    },
}
"""Place -> step -> what follows. A step that is not named changes nothing there."""


def walk(entries: Held, settings: CustodySettings) -> Whereabouts:
    """Follow the entries that hold, in their order."""
    found = Whereabouts(settings)
    for event in entries.events:
        found.take(event)
    found.finish()
    return found


def _said(event: DetentionEvent) -> str:
    return f"An entry says {event.what.value!r}"
