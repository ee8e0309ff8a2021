"""What is refused before it is written: by the guards, in words, unless a reason is given where that is allowed."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from schemas.errors import UsageError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId
from schemas.kinds import Incident, spec_of
from schemas.settings import SETTINGS_RECORD, Settings, as_text, from_text
from sync.policing import rulebook
from sync.policing.guards import Breach, Look
from sync.policing.rulebook import RuleError
from sync.replica import MemoryTables, Replica, WriteFacts
from tests.examples import INCIDENT, LEAST, T0

SPEC = spec_of(Incident)
FACTS = WriteFacts(author=OfficerId("WM21877"), now=T0, wall=T0, occurred_at=T0)


def no_shouting(look: Look) -> Iterable[Breach]:
    """An invented rule of the law: summaries are not in capitals."""
    if look.sets("summary") and isinstance(look.after, Incident) and look.after.summary.isupper():
        yield Breach(rule="no-shouting", why="The summary shouts.", remedy="Write it quietly.", source="invented s.1")


def a_place(look: Look) -> Iterable[Breach]:
    """An invented rule that leaves judgement: a place is known."""
    if isinstance(look.after, Incident) and look.after.location is None and look.before is not None:
        yield Breach(rule="a-place", why="No place.", remedy="Say where.", source="invented s.2", override=True)


@pytest.fixture
def replica(monkeypatch: pytest.MonkeyPatch) -> Replica:
    """A replica with one incident, and two guards before it."""
    replica = Replica(MemoryTables(), DeviceId("hh-0042"))
    changes = {FieldName(name): value for name, value in LEAST["incident"].items()}
    replica.write(INCIDENT, SPEC, changes, FACTS, create=True)
    monkeypatch.setattr(rulebook, "GUARDS", {"incident": (no_shouting, a_place)})
    return replica


def change(replica: Replica, **changes: Any) -> None:  # noqa: ANN401  plain values
    """Write, an hour later."""
    named: Mapping[FieldName, Any] = {FieldName(name): value for name, value in changes.items()}
    replica.write(INCIDENT, SPEC, named, FACTS)


def waiting(replica: Replica) -> int:
    """How many ops are in the outbox."""
    return len(replica.queued(0, 10))  # type: ignore[arg-type]  # from the first on


def test_what_breaks_a_rule_is_refused_with_every_reason_at_once(replica: Replica) -> None:
    """The text says which rules, by what source, and how to go on; nothing is written."""
    with pytest.raises(RuleError, match="quietly") as refused:
        change(replica, summary="HELP")
    assert [breach.rule for breach in refused.value.breaches] == ["no-shouting", "a-place"]
    said = str(refused.value)
    assert "[no-shouting: invented s.1]" in said
    assert "Say where. Or give your reason for going on. [a-place: invented s.2]" in said
    assert isinstance(refused.value, UsageError)
    assert waiting(replica) == 1


def test_a_reason_in_the_log_overrides_what_leaves_judgement(replica: Replica) -> None:
    """It is written in the same change, and names the rule."""
    change(replica, summary="Quiet", log=[{"text": "The caller did not know.", "overrides": "a-place"}])
    assert waiting(replica) == 2


def test_no_reason_overrides_the_law(replica: Replica) -> None:
    """A rule that leaves no judgement stands, whatever the log says; so does another than the one that is named."""
    for rule in ("no-shouting", "a-place"):
        with pytest.raises(RuleError) as refused:
            change(replica, summary="HELP", log=[{"text": "I must.", "overrides": rule}])
        assert "no-shouting" in {breach.rule for breach in refused.value.breaches}
    with pytest.raises(RuleError):
        change(replica, summary="Quiet", log=[{"text": "I must.", "overrides": "no-shouting"}])
    assert waiting(replica) == 1


def test_a_record_without_guards_is_written(replica: Replica) -> None:
    """What no rule is about is nobody's to refuse."""
    change(replica, location="Corporation Street", summary="Quiet")
    assert waiting(replica) == 2


def test_settings_read_back_as_they_were_written() -> None:
    """In a fixed order; what a newer program adds is passed over, what is not said has its default."""
    assert from_text(as_text(Settings())) == Settings()
    assert as_text(Settings()) == as_text(Settings())
    assert from_text('{"custody": {"of_tomorrow": 1}, "drones": {}}') == Settings()
    assert SETTINGS_RECORD.count("-") == 4


@pytest.mark.parametrize("text", ["", "[]", '{"custody": 7}', '{"custody": {}'])
def test_settings_that_cannot_be_read_are_refused(text: str) -> None:
    """With a word on what is wrong, and no traceback."""
    with pytest.raises(UsageError, match="settings cannot be read"):
        from_text(text)


def test_a_guard_is_told_when_and_by_whom(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """The author, their roles, the time they say and the settings of the force."""
    looks: list[Look] = []

    def noted(look: Look) -> Iterable[Breach]:
        looks.append(look)
        return ()

    monkeypatch.setattr(rulebook, "GUARDS", {"incident": (noted,)})
    change(replica, summary="Quiet")
    (look,) = looks
    assert (look.author, look.roles, look.occurred_at) == (FACTS.author, None, T0)
    assert look.now >= T0
    assert look.now < Millis(T0 + 1_000)
    assert isinstance(look.before, Incident)
