"""Publishable neighbourhood update: nothing OFFICIAL-SENSITIVE, no name and no address can leave."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis, OfficerId
from schemas.kinds import Briefing, Incident
from schemas.kinds.abuse import AbuseVictim
from schemas.kinds.briefing import Classification, Topic
from schemas.kinds.common import LogEntry, Position
from schemas.kinds.crime import Crime
from schemas.kinds.incident import Category
from schemas.settings import DEFAULTS
from sync.policing.briefings.neighbourhood import ADVICE, CATEGORIES, FEW, HEADING, NOTHING, update

BEGIN, END = Millis(1_000), Millis(2_000)
NAMES = {"birmingham": "Birmingham", "dudley": "Dudley"}
RAPE = Crime(crime="one", type="rape", offence="As told.", by=OfficerId("WM1"), decided_at=Millis(1))
SECRET = st.text(st.characters(categories=["Ll", "Lu", "Nd"]), min_size=9, max_size=20).map("zq".__add__)
"""What no update may hold: a name, a street, a registration number, drawn so that it stands nowhere else."""


def briefing(**more: Any) -> Briefing:  # noqa: ANN401  any field
    """A briefing to the force about burglaries."""
    said = {"title": "x", "body": "y", "audience": ("force",), "issued_at": 1, "topic": Topic.BURGLARY}
    return Briefing(**{**said, **more})


def incident(**more: Any) -> Incident:  # noqa: ANN401  any field
    """A crime in Birmingham."""
    said = {"opened_at": BEGIN, "area": "birmingham", "category": Category.CRIME, "summary": "x"}
    return Incident(**{**said, **more})


def told(briefings: list[Briefing], incidents: list[Incident]) -> str:
    """Birmingham's update."""
    return update("birmingham", NAMES, briefings, incidents, BEGIN, END, DEFAULTS)


BRIEFINGS = st.builds(
    Briefing,
    title=SECRET,
    body=SECRET,
    audience=st.lists(
        st.sampled_from(["force", "area:birmingham", "area:dudley", "team:dogs", "compartment:larch"]), min_size=1
    ).map(tuple),
    issued_at=st.just(1),
    classification=st.sampled_from(list(Classification)),
    handling=st.none() | SECRET,
    withdrawn=st.booleans(),
    expires_at=st.none() | st.sampled_from([END - 1, END + 1]),
    topic=st.none() | st.sampled_from(list(Topic)),
)
INCIDENTS = st.builds(
    Incident,
    opened_at=st.integers(BEGIN - 2, END + 2),
    area=st.sampled_from(["birmingham", "dudley"]),
    category=st.sampled_from(list(Category)),
    summary=SECRET,
    location=st.none() | SECRET,
    position=st.none() | st.just(Position(longitude=-1.89, latitude=52.48)),
    outcome=st.none() | SECRET,
    log=st.lists(SECRET.map(lambda text: LogEntry(text=text)), max_size=2).map(tuple),
    compartment=st.none() | st.just("larch"),
    qualifiers=st.lists(st.sampled_from(["domestic-abuse", "alcohol"]), max_size=2).map(tuple),
)
WORDS = {
    word
    for text in (*CATEGORIES.values(), *ADVICE.values(), *NAMES.values(), HEADING, NOTHING, FEW)
    for word in re.findall(r"\w+", text)
}
"""Every word that an update can be made of, numbers apart."""


@given(briefings=st.lists(BRIEFINGS, max_size=6), incidents=st.lists(INCIDENTS, max_size=12))
def test_only_words_that_were_written_for_everybody_leave(briefings: list[Briefing], incidents: list[Incident]) -> None:
    """Publishable neighbourhood update: whatever the records hold, each word of it is one of a list, or a count."""
    text = told(briefings, incidents)
    for word in re.findall(r"\w+", text):
        assert word in WORDS or (word.isascii() and word.isdigit() and int(word) <= len(incidents) + 5), word
    for record in (*briefings, *incidents):
        for value in msgspec.to_builtins(record).values():
            assert not (isinstance(value, str) and value.startswith("zq") and value in text)
    assert "52.48" not in text


@given(briefings=st.lists(BRIEFINGS, max_size=6), incidents=st.lists(INCIDENTS, max_size=6))
def test_what_is_sensitive_or_closed_changes_nothing(briefings: list[Briefing], incidents: list[Incident]) -> None:
    """The same update comes of the records without them: nobody can tell that there are any, counts included."""
    plain = [one for one in briefings if one.classification == Classification.OFFICIAL and not one.closed]
    open_ones = [one for one in incidents if one.compartment is None and "domestic-abuse" not in one.qualifiers]
    assert told(briefings, incidents) == told(plain, open_ones)


def test_it_reads_as_people_are_told() -> None:
    """Counts by category, then advice on what was briefed about."""
    text = told([briefing()], [incident()] * 7)
    assert text == f"Your neighbourhood: Birmingham\n\nReports of crime: 7\n{ADVICE[Topic.BURGLARY]}\n"


def test_small_numbers_are_not_told() -> None:
    """They could be one household's; the force says from which number on they are."""
    assert "Reports of crime: fewer than 5" in told([], [incident()] * 4)
    assert "Reports of crime: 5" in told([], [incident()] * 5)


@pytest.mark.parametrize(
    "says",
    [
        {"classification": Classification.OFFICIAL_SENSITIVE},
        {"audience": ("compartment:larch", "force")},
        {"audience": ("area:dudley",)},
        {"audience": ("team:dogs",)},
        {"withdrawn": True},
        {"expires_at": END},
        {"topic": None},
    ],
)
def test_what_may_not_be_told_is_not(says: dict[str, Any]) -> None:
    """Sensitive, closed, of another place, withdrawn, run out: its topic is not told either."""
    assert told([briefing(**says)], []) == f"Your neighbourhood: Birmingham\n\n{NOTHING}\n"


@pytest.mark.parametrize(
    "says",
    [
        {"area": "dudley"},
        {"opened_at": END},
        {"opened_at": BEGIN - 1},
        {"compartment": "larch"},
        {"qualifiers": ("domestic-abuse",)},
        {"qualifiers": ("alcohol", "child")},
        {"abuse_victims": (AbuseVictim(name="Kim Example"),)},
        {"crimes": (RAPE,)},
        {"crimes": (RAPE, msgspec.structs.replace(RAPE, type="other"))},
        {"category": Category.ADMINISTRATION},
        {"category": Category.PUBLIC_SAFETY},
    ],
)
def test_what_is_not_of_this_place_and_time_is_not_counted(says: dict[str, Any]) -> None:
    """Nor what the force never publishes: a number is told too much of a household's calls."""
    assert NOTHING in told([], [incident(**says)] * 9)


def test_what_is_counted_is_what_was_asked_for() -> None:
    """A crime that the force does publish is counted, whatever else is never."""
    theft = msgspec.structs.replace(RAPE, type="theft")
    assert "Reports of crime: 9" in told([], [incident(crimes=(theft,), qualifiers=("alcohol",))] * 9)


def test_every_topic_has_its_text() -> None:
    """A topic that is added must be written for everybody first."""
    assert set(ADVICE) == set(Topic)
    assert set(DEFAULTS.briefings.public_categories) <= {one.value for one in CATEGORIES}
