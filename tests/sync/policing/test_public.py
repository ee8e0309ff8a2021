"""What a victim sees of their report: where it stands, what was decided, and not a word of anything else."""

from typing import Any

import msgspec
import pytest

from schemas.ids import Millis, RecordId
from schemas.kinds import Incident
from schemas.kinds.call import Involved, Part
from schemas.kinds.crime import Cancellation, Crime, NotCrime, Outcome, VictimTold
from schemas.kinds.incident import Category, IncidentStatus
from schemas.settings import DEFAULTS
from sync.policing import public

HOUR = 3_600_000
DAY = 24 * HOUR
T0 = 1_767_268_740_000
RECORD = RecordId("019b796c-eba0-7000-8000-0000000000a1")
SETTINGS = DEFAULTS.incidents
AVA, BEN = "Ava Linden", "Ben Marsh"
SECRETS = (AVA, BEN, "WM21877", "Sheldon", "12 Elm Row", "brother", "larch", "informant", "0121", "a grudge")
"""What is in the record below and must be in nothing that is shown."""


def incident(**values: Any) -> Incident:  # noqa: ANN401  plain values
    """An incident of crime with two victims, full of what is nobody else's to know."""
    base: dict[str, Any] = {
        "opened_at": T0,
        "area": "birmingham",
        "category": Category.CRIME,
        "summary": "Her brother Sheldon broke in, an informant says",
        "location": "12 Elm Row",
        "urn": "20260101-0147",
        "people": (
            Involved(part=Part.VICTIM, name=AVA, telephone="0121 496 0000"),
            Involved(part=Part.VICTIM, name=BEN),
            Involved(part=Part.ACCUSED, name="Sheldon"),
        ),
        "investigator": "WM21877",
        "teams": ("informant-handling",),
    }
    return Incident(**{**base, **values})


def crime(handle: str = "burglary", victim: str | None = None, at: int = T0 + HOUR, kind: str = "burglary") -> Crime:
    """A recorded crime."""
    return Crime(crime=handle, type=kind, offence="Broke in over a grudge", victim=victim, by="WM21877", decided_at=at)  # type: ignore[arg-type]  # plain values


def told(person: str, at: int) -> VictimTold:
    """An entry that says that somebody was told."""
    return VictimTold(person=person, outcome=Outcome.RECORDED, told_at=Millis(at))


def shown(found: Incident, person: str = AVA) -> public.Progress:
    """What this person is shown."""
    progress = public.progress(RECORD, found, person, "Birmingham", SETTINGS)
    assert progress is not None
    return progress


NO_CRIME = (NotCrime(reason="Sheldon holds a key", by="WM21877", decided_at=Millis(T0 + 2 * HOUR)),)  # type: ignore[arg-type]  # plain values
CANCELLED = (
    Cancellation(
        crime="burglary",
        code="c2",
        information="Sheldon has a tenancy",
        source="his landlord",
        decided_at=Millis(T0 + DAY),
    ),
)


@pytest.mark.parametrize("status", IncidentStatus)
def test_every_status_is_told_in_plain_words(status: IncidentStatus) -> None:
    """Each has a sentence of its own, written for whoever reported it."""
    assert shown(incident(status=status)).stands == public.STANDS[status]
    assert len(set(public.STANDS.values())) == len(IncidentStatus)


def test_a_status_that_only_a_newer_program_knows_is_told_in_general() -> None:
    """The word itself is not shown."""
    assert shown(incident(status=IncidentStatus("under-appeal"))).stands == public.DEALT_WITH


@pytest.mark.parametrize(
    ("values", "words", "due"),
    [
        ({}, public.UNDECIDED, T0 + SETTINGS.decision_ms),
        ({"category": Category.TRANSPORT}, public.NO_CRIME_REPORTED, None),
        ({"crimes": (crime(),)}, public.RECORDED, T0 + HOUR + SETTINGS.told_ms),
        ({"crimes": (crime(victim=AVA),)}, public.RECORDED, T0 + HOUR + SETTINGS.told_ms),
        ({"not_crimes": NO_CRIME}, public.NOT_RECORDED, T0 + 2 * HOUR + SETTINGS.told_ms),
        ({"crimes": (crime(),), "cancellations": CANCELLED}, public.CANCELLED, T0 + DAY + SETTINGS.told_ms),
        (
            {"crimes": (crime(), crime("theft", at=T0)), "cancellations": CANCELLED},
            public.RECORDED,
            T0 + SETTINGS.told_ms,
        ),
        ({"crimes": (crime(kind="rape"),), "cancellations": CANCELLED}, public.RECORDED, T0 + HOUR + SETTINGS.told_ms),
    ],
    ids=["open", "none-reported", "recorded", "own", "not", "cancelled", "one-left", "not-theirs-to-cancel"],
)
def test_what_was_decided_and_when_more_is_to_be_heard(values: dict[str, Any], words: str, due: int | None) -> None:
    """Recorded or not, and by when they are told; a cancellation of rape counts only by the registrar."""
    progress = shown(incident(**values))
    assert (progress.decided, progress.next_update_at) == (words, due)


def test_a_victim_is_known_however_their_name_is_typed() -> None:
    """The crime and the word to them were written by others, in capitals or with another space."""
    typed = "AVA  Linden"
    heard = shown(incident(crimes=(crime(victim=typed),), victims_told=(told(typed, T0 + 2 * HOUR),)))
    assert (heard.decided, heard.told_at, heard.next_update_at) == (public.RECORDED, T0 + 2 * HOUR, None)
    assert shown(incident(crimes=(crime(victim=typed),)), BEN).decided == public.UNDECIDED


def test_after_the_victim_was_told_nothing_is_due_until_something_is_decided() -> None:
    """Told before the decision, or told to another victim, is not told."""
    decided = {"crimes": (crime(),)}
    heard = shown(incident(**decided, victims_told=(told(AVA, T0 + 2 * HOUR),)))
    assert (heard.told_at, heard.next_update_at) == (T0 + 2 * HOUR, None)
    before = shown(incident(**decided, victims_told=(told(AVA, T0),)))
    assert (before.told_at, before.next_update_at) == (T0, T0 + HOUR + SETTINGS.told_ms)
    other = shown(incident(**decided, victims_told=(told(BEN, T0 + 2 * HOUR),)))
    assert (other.told_at, other.next_update_at) == (None, T0 + HOUR + SETTINGS.told_ms)


def test_a_crime_against_another_victim_is_not_told() -> None:
    """Each learns of their own; a crime that was first ascribed to them and then to another is the other's."""
    both = incident(crimes=(crime(victim=BEN),))
    assert shown(both, AVA).decided == public.UNDECIDED
    assert shown(both, BEN).decided == public.RECORDED
    moved = incident(crimes=(crime(victim=AVA), crime(victim=BEN)))
    assert shown(moved, AVA).decided == public.UNDECIDED
    assert shown(moved, BEN).decided == public.RECORDED


def test_it_is_called_by_its_number_and_before_by_its_provisional_id() -> None:
    """What they quote on the telephone is found."""
    assert shown(incident()).reference == "20260101-0147"
    assert shown(incident(urn=None)).reference.startswith("P-")


@pytest.mark.parametrize("person", ["Sheldon", "Nobody Here", ""])
def test_only_a_victim_in_it_is_shown_anything(person: str) -> None:
    """Not the accused, not whoever was a victim once and was corrected out of it."""
    assert public.progress(RECORD, incident(), person, "Birmingham", SETTINGS) is None


def test_nothing_of_a_compartment_is_told() -> None:
    """Not even to a victim in it."""
    found = incident(compartment="larch")
    assert not public.tellable(found)
    assert public.progress(RECORD, found, AVA, "Birmingham", SETTINGS) is None


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"crimes": (crime(victim=BEN),)},
        {"crimes": (crime(),), "cancellations": CANCELLED, "victims_told": (told(AVA, T0), told(BEN, T0 + DAY))},
        {"not_crimes": NO_CRIME, "outcome": "No further action: Sheldon is an informant"},
        {"status": IncidentStatus.CLOSED, "closing_code": "no-crime", "units": ("BX10",)},
    ],
)
def test_no_word_of_the_record_leaves_but_its_number(values: dict[str, Any]) -> None:
    """Names, numbers of officers, places and reasons stay, whatever was written into it."""
    text = msgspec.json.encode(shown(incident(**values))).decode()
    assert [word for word in SECRETS if word.lower() in text.lower()] == []
    allowed = {"reference", "reported_at", "stands", "decided", "told_at", "next_update_at", "contact"}
    assert set(msgspec.json.decode(text)) == allowed
