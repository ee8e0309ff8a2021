"""What no force can mean: settings that are of the right kind and would make a rule say nothing, or nonsense.

A review period of nothing, a list of warnings that warns nobody, a rank that there is not: what the rules of
`sync.policing` take for granted is asked here, once, before it reaches a handheld. Whether a period is what the law
allows is the force's to answer: laws change before programs do.
"""

import itertools
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from schemas.kinds import Incident
from schemas.kinds.booking import Disposal
from schemas.kinds.call import Grade
from schemas.kinds.detention import Rank
from schemas.kinds.incident import Category
from schemas.limits import OP_TEXT_CHARS_MAX
from schemas.settings import Settings, as_text
from schemas.settings.incidents import IncidentSettings

Wrong = tuple[str, str]
"""(key, why it cannot be and what can)."""

MS_MIN: Final = 1_000
"""Less is hours or minutes where milliseconds belong."""
MS_MAX: Final = 366 * 24 * 60 * 60_000
"""No period of police work is longer than a year; what is, has a zero too many."""
COUNT_MAX: Final = 1_000_000
QUESTIONS_MAX: Final = 64
"""An entry holds so many answers (`schemas.kinds.abuse`)."""
MONTHS_MAX: Final = 120
YEARS_MAX: Final = 100
_OFF_AT_ZERO: Final = frozenset(
    {
        "court_sits_within_ms", "same_step_ms", "same_time_ms", "bail_arrest_pause_ms", "late_entry_ms",
        "early_entry_ms", "same_note_ms", "marker_warn_ms", "receipts_within_ms", "safety_receipts_within_ms",
    }
)  # fmt: skip
"""Periods that a force may do without."""
_NONE_NEEDED: Final = frozenset({"reviews_before_extension", "main_meals", "light_meals"})
_WARN: Final = "_warn_ms"
_AFTER_TOO: Final = frozenset({"check_warn_ms"})
"""Warnings that may also be given after what they warn of."""
_NOBODY: Final = frozenset({"informing_delay_ranks", "advice_delay_ranks", "codes_delay_ranks", "strip_search_ranks"})
"""Lists of ranks whose emptiness says something."""
_RANKS: Final = tuple(str(rank.value) for rank in Rank)
_MOST: Final = {"repeat_months": MONTHS_MAX, "child_age": YEARS_MAX, "secure_accommodation_age": YEARS_MAX}


def find_nonsense(settings: Settings) -> Iterator[Wrong]:
    """All that cannot be; nothing when the settings can be gone by."""
    for subject in settings.__struct_fields__:
        section = getattr(settings, subject)
        hints = typing.get_type_hints(type(section))
        for name in section.__struct_fields__:
            value = getattr(section, name)
            found = _once([_first(each) for each in value]) if _is_coded(hints[name]) else _alone(name, value)
            for why in found:
                yield f"{subject}.{name}", why
    yield from _custody(settings)
    yield from _care(settings)
    yield from _incidents(settings.incidents)
    yield from _briefings(settings)
    length = len(as_text(settings))
    if length > OP_TEXT_CHARS_MAX:
        yield "incidents", f"all settings together are {length:,} characters; a handheld takes {OP_TEXT_CHARS_MAX:,}"


def _is_coded(hint: Any) -> bool:  # noqa: ANN401  a type form
    """Whether it is a list of entries that begin with their code."""
    inner = typing.get_args(hint)[:1]
    return any(isinstance(each, type) and issubclass(each, msgspec.Struct) and _is_row(each) for each in inner)


def _is_row(struct: type[msgspec.Struct]) -> bool:
    return bool(struct.__struct_config__.array_like)


def _first(row: msgspec.Struct) -> object:
    return getattr(row, row.__struct_fields__[0])


def _alone(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401  of the type that the key declares
    """What is wrong with one value, whatever the others are."""
    if name.endswith(_WARN) and isinstance(value, tuple):
        yield from _warnings(name, value)
    elif name.endswith("_ms"):
        if value != 0 or name not in _OFF_AT_ZERO:
            yield from _period(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        least, most = 0 if name in _NONE_NEEDED else 1, _MOST.get(name, COUNT_MAX)
        if not least <= value <= most:
            yield f"{value}; give {least} to {most:,}"
    elif name.endswith(("_rank", "_rank_charged", "_ranks")):
        ranks = (value,) if isinstance(value, str) else value
        if not ranks and name not in _NOBODY:
            yield "nobody is named; name at least one rank"
        for rank in ranks:
            if rank not in _RANKS:
                yield f"{rank!r} is no rank; there are {', '.join(_RANKS)}"


def _period(value: int) -> Iterator[str]:
    if value <= 0:
        yield f"{value}; a period is longer than nothing: give it in milliseconds, as 21_600_000 for 6 h"
    elif value < MS_MIN:
        yield f"{value} milliseconds are less than a second; 6 h are written 21_600_000"
    elif value > MS_MAX:
        yield f"{value:,} milliseconds are longer than a year; 6 h are written 21_600_000"


def _warnings(name: str, value: tuple[int, ...]) -> Iterator[str]:
    if not value:
        yield "nobody would be warned; name at least one moment, where 0 is when it falls due"
    for one in value:
        if one < 0 and name not in _AFTER_TOO:
            yield f"{one} is after what it warns of; give 0 or more"
        elif one != 0:
            yield from _period(abs(one))
    if any(later >= earlier for earlier, later in itertools.pairwise(value)):
        yield "name each moment once, the earliest (the largest number) first"


def _once(codes: Sequence[object]) -> Iterator[str]:
    if not codes:
        yield "the list is empty; name at least one, or leave the key out for the default"
    for number, code in enumerate(codes):
        if code in codes[:number]:
            yield f"{code!r} stands there twice; a code means one thing"


def _custody(settings: Settings) -> Iterator[Wrong]:
    custody = settings.custody
    limits = ("detention_limit_ms", "extension_limit_ms", "absolute_limit_ms")
    for lower, upper in itertools.pairwise(limits):
        if getattr(custody, lower) > getattr(custody, upper):
            yield f"custody.{lower}", f"longer than custody.{upper}; the later limit is never the shorter one"
    if list(custody.bail_months) != sorted(set(custody.bail_months)) or not custody.bail_months:
        yield "custody.bail_months", "name each step once, the shortest first"
    if len(custody.bail_months) != len(custody.bail_ranks):
        both = f"{len(custody.bail_months)} steps and {len(custody.bail_ranks)} ranks"
        yield "custody.bail_ranks", f"{both}; each step of bail_months needs the rank that may allow it"


def _care(settings: Settings) -> Iterator[Wrong]:
    care = settings.care
    if care.rest_ms > care.day_ms:
        yield "care.rest_ms", "longer than care.day_ms, the day in which it is counted"
    if care.secure_accommodation_age > care.child_age:
        yield "care.secure_accommodation_age", f"older than care.child_age ({care.child_age}): it is about children"
    yield from _known(
        "care.released_without_assessment", care.released_without_assessment, (one.value for one in Disposal)
    )


def _briefings(settings: Settings) -> Iterator[Wrong]:
    public = settings.briefings.public_categories
    yield from _known("briefings.public_categories", public, (one.value for one in Category))
    # One that is spelled otherwise than it is written into incidents keeps nothing from being published.
    written = (*settings.incidents.qualifiers, *settings.incidents.crime_types)
    yield from _known("briefings.public_never", settings.briefings.public_never, (one.code for one in written))


def _incidents(incidents: IncidentSettings) -> Iterator[Wrong]:
    qualifiers = [each.code for each in incidents.qualifiers]
    grades = [each.grade for each in incidents.attendance]
    yield from _known("incidents.attendance", grades, (one.value for one in Grade))
    for target in incidents.attendance:
        for why in _period(target.within_ms):
            yield "incidents.attendance", f"{target.grade}: {why}"
    yield from _known("incidents.abuse_qualifier", (incidents.abuse_qualifier,), qualifiers)
    yield from _known(
        "incidents.registrar_only", incidents.registrar_only, (each.code for each in incidents.crime_types)
    )
    for why in _once([(each.name, each.version) for each in incidents.abuse_sets]):
        yield "incidents.abuse_sets", why
    for name, asked in (
        *(("abuse_sets", one) for one in incidents.abuse_sets),
        ("vulnerability", incidents.vulnerability),
        ("child_protection", incidents.child_protection),
    ):
        if not len(asked.ids) == len(asked.questions) <= QUESTIONS_MAX or not asked.questions:
            yield f"incidents.{name}", f"{asked.name} {asked.version}: 1 to {QUESTIONS_MAX} questions, no id twice"
    categories = [one.value for one in Category]
    fields = [field.replace("_", "-") for field in Incident.__struct_fields__]
    for guide in incidents.guides:
        yield from _known("incidents.guides", (guide.when,), [*categories, *qualifiers])
        yield from _known("incidents.guides", guide.fields, fields)


def _known(key: str, named: Iterable[object], there: Iterable[object]) -> Iterator[Wrong]:
    known = [str(one) for one in there]
    for one in named:
        if str(one) not in known:
            yield key, f"{one!r} is not there; there are {', '.join(known)}"
