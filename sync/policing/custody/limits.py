"""How long a person may be held without charge, on whose authority, and who may extend it now (PACE 1984 ss.41 to 44).

An authority counts only with everything that the Act asks of it recorded; what lacks something is told and has no
effect, so that the limit shown is never later than the law allows. All amounts are counted time of the detention
clock: a person in hospital does not use up a warrant either (section 41(6)).
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.ids import Millis
from schemas.kinds.detention import DetentionEvent, Rank, Step, ref
from schemas.settings import CustodySettings
from schemas.settings.custody import HOUR_MS
from schemas.tokens import Token
from sync.policing.custody.events import Contradiction, Held
from sync.policing.custody.intervals import Clock
from sync.policing.custody.ranks import at_least, in_words


class By(Token):
    """On whose authority a person is held without charge."""

    CUSTODY_OFFICER = "custody-officer"
    SUPERINTENDENT = "superintendent"
    COURT_HEARING = "court-hearing"
    WARRANT = "warrant"
    WARRANT_EXTENDED = "warrant-extended"
    ABSOLUTE = "absolute"


SOURCES: Final = {
    By.CUSTODY_OFFICER: "PACE 1984 s.41(1)",
    By.SUPERINTENDENT: "PACE 1984 s.42(1)",
    By.COURT_HEARING: "PACE 1984 s.43(5)(b) and (6)",
    By.WARRANT: "PACE 1984 s.43(10) to (12)",
    By.WARRANT_EXTENDED: "PACE 1984 s.44",
    By.ABSOLUTE: "PACE 1984 s.44(3)(b)",
}


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One limit.

    Attributes:
        by: on whose authority it stands.
        counted_ms: how much counted time it allows, from the relevant time (ms).
        at: when that is reached (ms since 1970); None while the clock is stopped before it.
        left_ms: how much is left of it (ms); less than 0 once it has passed.
        in_force: whether detention up to it is authorised.
        source: where it is laid down.
    """

    by: By
    counted_ms: int
    at: Millis | None
    left_ms: int
    in_force: bool
    source: str


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may allow more.

    Attributes:
        by: which authority.
        who: who, in words.
        may: whether they may now.
        not_yet: why not, when they may not.
        certify: what they must be satisfied of besides.
        source: where it is laid down.
    """

    by: By
    who: str
    may: bool
    not_yet: tuple[str, ...]
    certify: tuple[str, ...]
    source: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """All of them.

    Attributes:
        binding: the limit that binds now; None once the person is charged or released.
        every: each limit that there is or may come to be, in order.
        authorities: who may extend, and why not yet.
    """

    binding: Limit | None
    every: tuple[Limit, ...]
    authorities: tuple[Authority, ...]


_CERTIFY: Final = (
    "the offence is indictable",
    "detention is necessary to secure or preserve evidence or to obtain it by questioning",
    "the investigation is conducted diligently and expeditiously",
)


class _Granted(msgspec.Struct, kw_only=True):
    """What has been allowed, in counted time (ms)."""

    extension: int = 0
    warrant: int = 0
    warrant_at: int | None = None
    extended_at: int | None = None
    extended_from: int = 0
    was_extended: bool = False
    applied: int | None = None
    hearing: int = 0
    refused: bool = False


def limits(
    runs: Clock,
    entries: Held,
    reviewed_at: Iterable[Millis],
    *,
    charged: bool,
    held: bool,
    now: Millis,
    settings: CustodySettings,
) -> tuple[Limits, list[Contradiction]]:
    """The limits of a detention, and what is wrong with the authorities that did not count.

    Args:
        runs: the detention clock.
        entries: the entries that hold.
        reviewed_at: when the reviews that count were carried out.
        charged: whether the person has been charged: then this clock no longer runs (section 41(1)).
        held: whether they are in police detention now.
        now: the moment (ms since 1970).
        settings: the force's.
    """
    reviews = tuple(reviewed_at)
    granted = _Granted()
    found = _extensions(runs, entries, reviews, granted, settings)
    for event in entries.of(Step.WARRANT_APPLIED, Step.WARRANT, Step.WARRANT_EXTENDED, Step.WARRANT_REFUSED):
        wrong = _court(event, runs.counted_ms(event.at), granted, settings)
        if wrong is not None:
            found.append(_against("custody-warrant", wrong, event))
    every = _every(runs, granted, now, settings)
    binding = max((one for one in every if one.in_force), key=lambda one: one.counted_ms)
    done = sum(1 for at in reviews if at <= now)
    why_none = "They have been charged." if charged else "" if held else "They are not in police detention."
    return Limits(
        binding=None if charged else binding,
        every=every,
        authorities=_authorities(runs.counted_ms(now), granted, done, why_none, settings),
    ), found


# --- a superintendent's extension (section 42) ------------------------------------------------------------


def _extensions(
    runs: Clock, entries: Held, reviews: tuple[Millis, ...], granted: _Granted, settings: CustodySettings
) -> list[Contradiction]:
    found: list[Contradiction] = []
    last: Millis | None = None
    before = 0
    for event in entries.of(Step.EXTENSION):
        done = sum(1 for at in reviews if at <= event.at)
        wrong = _wrong_extension(event, runs.counted_ms(event.at), done, settings)
        if wrong is not None:
            found.append(_against("custody-extension", f"An extension has no effect: {wrong} (PACE 1984 s.42).", event))
            continue
        allowed = settings.extension_limit_ms
        if event.hours is not None:
            allowed = min(allowed, event.hours * HOUR_MS)
        if last is not None and event.at - last < settings.same_step_ms:
            # Two accounts of one decision: the shorter stands.
            granted.extension = max(before, min(granted.extension, allowed))
        else:
            before = granted.extension
            granted.extension = max(before, allowed)
        last = event.at
    return found


def _wrong_extension(event: DetentionEvent, counted: int, reviews: int, settings: CustodySettings) -> str | None:
    """Why an extension has no effect; None when it has."""
    needed = Rank(settings.extension_rank)
    if not at_least(event.rank, needed):
        return f"it takes {in_words(needed)} or above, and the entry does not say so"
    if counted > settings.detention_limit_ms:
        return f"it came after {_hours(settings.detention_limit_ms)} had passed"
    if reviews < settings.reviews_before_extension:
        return f"only {reviews} of {settings.reviews_before_extension} reviews had been carried out"
    if event.indictable is not True:
        return "that the offence is indictable is not recorded"
    if event.represented is not True:
        return "that representations could be made and were considered is not recorded"
    return None


# --- warrants (sections 43 and 44) ------------------------------------------------------------------------


def _court(event: DetentionEvent, counted: int, granted: _Granted, settings: CustodySettings) -> str | None:
    """Take one step before a court; what is wrong with it, or None."""
    if event.what is Step.WARRANT_APPLIED:
        return _applied(event, counted, granted, settings)
    if event.what is Step.WARRANT_REFUSED:
        granted.refused, granted.hearing = True, 0
        return None
    if event.rank is not None and event.rank != Rank.COURT:
        return "A warrant has no effect: only a magistrates' court grants it (PACE 1984 s.43(1))."
    if not event.hours:
        return "A warrant has no effect: the period that it states is not recorded (PACE 1984 s.43(10))."
    if event.what is Step.WARRANT:
        return _warrant(event, counted, granted, settings)
    return _warrant_extended(event, counted, granted, settings)


def _applied(event: DetentionEvent, counted: int, granted: _Granted, settings: CustodySettings) -> str | None:
    waits = event.court_cannot_sit is True and granted.extension >= settings.extension_limit_ms
    latest = settings.extension_limit_ms + (settings.court_sits_within_ms if waits else 0)
    if counted > latest:
        return (
            f"The application for a warrant came after {_hours(settings.extension_limit_ms)}: it must be dismissed if "
            "it could have been made before (PACE 1984 s.43(7))."
        )
    granted.applied = counted
    if waits:
        granted.hearing = latest
    return None


def _warrant(event: DetentionEvent, counted: int, granted: _Granted, settings: CustodySettings) -> str | None:
    if event.indictable is False:
        return "A warrant has no effect: the offence is not indictable (PACE 1984 s.43(4)(b))."
    if granted.applied is None and counted > settings.extension_limit_ms:
        return (
            f"A warrant has no effect: it came after {_hours(settings.extension_limit_ms)}, and no application before "
            "that is recorded (PACE 1984 s.43(5))."
        )
    allowed = max(settings.detention_limit_ms, granted.extension, granted.hearing)
    end = min(counted + _period(event, settings), settings.absolute_limit_ms)
    if granted.warrant_at is not None and counted - granted.warrant_at >= settings.same_step_ms:
        return "A second warrant has no effect: a warrant is extended, not granted anew (PACE 1984 s.44)."
    # Two accounts of one hearing: the shorter stands.
    granted.warrant = end if granted.warrant_at is None else min(granted.warrant, end)
    granted.warrant_at, granted.hearing, granted.refused = counted, 0, False
    if counted > allowed:
        return f"The warrant came after {_hours(allowed)}, up to which detention was authorised."
    return _too_long(event, settings)


def _warrant_extended(event: DetentionEvent, counted: int, granted: _Granted, settings: CustodySettings) -> str | None:
    again = granted.extended_at is not None and counted - granted.extended_at < settings.same_step_ms
    if granted.warrant_at is None:
        return "An extension of a warrant has no effect: no warrant is recorded (PACE 1984 s.44(1))."
    if counted > granted.warrant and not again:
        return "An extension of a warrant has no effect: the warrant had run out (PACE 1984 s.44(1))."
    base = granted.extended_from if again else granted.warrant
    start = base if settings.warrant_extension_adds else counted
    end = min(start + _period(event, settings), settings.absolute_limit_ms)
    # Two accounts of one hearing: the shorter stands.
    granted.warrant = max(base, min(granted.warrant, end) if again else end)
    granted.was_extended, granted.refused = True, False
    granted.extended_at, granted.extended_from = counted, base
    return _too_long(event, settings)


def _period(event: DetentionEvent, settings: CustodySettings) -> int:
    return min(event.hours or 0, settings.warrant_hours_max) * HOUR_MS


def _too_long(event: DetentionEvent, settings: CustodySettings) -> str | None:
    if (event.hours or 0) <= settings.warrant_hours_max:
        return None
    return (
        f"A warrant states {event.hours} hours. The most is {settings.warrant_hours_max}: no more is counted "
        "(PACE 1984 s.43(12))."
    )


# --- told ---------------------------------------------------------------------------------------------------


def _every(runs: Clock, granted: _Granted, now: Millis, settings: CustodySettings) -> tuple[Limit, ...]:
    counted = runs.counted_ms(now)

    def limit(by: By, amount: int, *, in_force: bool) -> Limit:
        return Limit(
            by=by,
            counted_ms=amount,
            at=runs.reaches(amount),
            left_ms=amount - counted,
            in_force=in_force,
            source=SOURCES[by],
        )

    extended = granted.extension > settings.detention_limit_ms
    found = [
        limit(By.CUSTODY_OFFICER, settings.detention_limit_ms, in_force=True),
        limit(
            By.SUPERINTENDENT,
            granted.extension if extended else settings.extension_limit_ms,
            in_force=extended,
        ),
    ]
    if granted.hearing:
        found.append(limit(By.COURT_HEARING, granted.hearing, in_force=True))
    if granted.warrant:
        by = By.WARRANT_EXTENDED if granted.was_extended else By.WARRANT
        found.append(limit(by, granted.warrant, in_force=True))
    found.append(limit(By.ABSOLUTE, settings.absolute_limit_ms, in_force=False))
    return tuple(found)


def _authorities(
    counted: int, granted: _Granted, reviews: int, why_none: str, settings: CustodySettings
) -> tuple[Authority, ...]:
    def authority(by: By, who: str, why_not: list[str], *also: str) -> Authority:
        reasons = (why_none,) if why_none else tuple(why_not)
        return Authority(
            by=by, who=who, may=not reasons, not_yet=reasons, certify=(*_CERTIFY, *also), source=SOURCES[by]
        )

    extension: list[str] = []
    if granted.extension >= settings.extension_limit_ms:
        extension.append(f"Detention up to {_hours(settings.extension_limit_ms)} is authorised already.")
    if counted > settings.detention_limit_ms:
        extension.append(f"{_hours(settings.detention_limit_ms).capitalize()} have passed.")
    if reviews < settings.reviews_before_extension:
        extension.append(
            f"{settings.reviews_before_extension} reviews must have been carried out; {reviews} have been."
        )
    warrant: list[str] = []
    if granted.warrant:
        warrant.append("A warrant has been granted: it can be extended.")
    elif granted.refused:
        warrant.append("The court refused: only new evidence allows another application (PACE 1984 s.43(17)).")
    elif counted > max(settings.extension_limit_ms, granted.hearing):
        warrant.append(f"{_hours(settings.extension_limit_ms).capitalize()} have passed.")
    more: list[str] = []
    if not granted.warrant:
        more.append("No warrant has been granted.")
    elif counted > granted.warrant:
        more.append("The warrant has run out.")
    elif granted.warrant >= settings.absolute_limit_ms:
        more.append(f"{_hours(settings.absolute_limit_ms).capitalize()} is the most that there is.")
    return (
        authority(
            By.SUPERINTENDENT,
            f"{in_words(Rank(settings.extension_rank))} or above",
            extension,
            "the detainee and their solicitor could make representations",
        ),
        authority(By.WARRANT, "a magistrates' court", warrant),
        authority(By.WARRANT_EXTENDED, "a magistrates' court", more),
    )


def _hours(amount_ms: int) -> str:
    hours, rest = divmod(amount_ms, HOUR_MS)
    return f"{hours} hours" if not rest else f"{hours} h {rest // 60_000} min"


def _against(rule: str, words: str, event: DetentionEvent) -> Contradiction:
    return Contradiction(rule=rule, words=words, refs=(ref(event),))
