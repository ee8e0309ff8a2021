"""Incidents and looks at what is about to be written, as the tests of the rules put them down; people are invented."""

from typing import Any

from schemas.ids import FieldName, Millis, OfficerId, RecordId, named_record_id
from schemas.kinds import Incident, Kind, spec_of
from schemas.roles import Role
from schemas.settings import DEFAULTS, Settings
from schemas.settings.questions import QuestionSet
from sync.policing.guards import Look

T0 = 1_760_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LEAST: dict[str, Any] = {"opened_at": T0, "area": "birmingham", "category": "public-safety", "summary": "A row."}
SIX = dict.fromkeys(("threat", "harm", "risk", "investigation", "vulnerability", "engagement"), "Said in words.")
ROBIN: dict[str, Any] = {"name": "Robin Example", "born": "1984-05-17"}
KIM: dict[str, Any] = {"name": "Kim Example", "born": "1990-01-02"}


def number(n: int) -> RecordId:
    """The n-th record."""
    return named_record_id("incidents", str(n))


def made(struct: type[Kind], values: dict[str, Any]) -> Any:  # noqa: ANN401  of the kind that was asked for
    """A record of plain values."""
    return spec_of(struct).build({FieldName(name): value for name, value in values.items()})


def incident(**values: Any) -> Incident:  # noqa: ANN401  plain values
    """An incident with these values beside the least."""
    built = made(Incident, LEAST | values)
    assert isinstance(built, Incident)
    return built


def look(
    before: Kind | None,
    after: Kind,
    changes: dict[str, Any],
    author: str = "WM21877",
    settings: Settings = DEFAULTS,
    now: int = T0,
    why: str = "",
    roles: frozenset[Role] | None = frozenset({Role.OFFICER}),
) -> Look:
    """What a guard is shown."""
    return Look(
        before=before,
        after=after,
        changes={FieldName(name): value for name, value in changes.items()},
        author=OfficerId(author),
        roles=roles,
        now=Millis(now),
        occurred_at=Millis(now),
        settings=settings,
        why=why,
    )


def change(before: dict[str, Any], changes: dict[str, Any], author: str = "WM21877", **rest: Any) -> Look:  # noqa: ANN401
    """A look at a change to an incident; entries are appended, tags as `add` or `remove`; a day has passed."""
    after = dict(before)
    for name, value in changes.items():
        if isinstance(value, dict) and "add" in value:
            after[name] = [*before.get(name, []), *value["add"]]
        elif isinstance(value, dict):
            after[name] = [one for one in before.get(name, []) if one not in value["remove"]]
        elif isinstance(value, list):
            after[name] = [*before.get(name, []), *value]
        else:
            after[name] = value
    return look(incident(**before), incident(**after), changes, author, **({"now": T0 + DAY} | rest))


def answers(asked: QuestionSet, reply: str = "no") -> list[dict[str, str]]:
    """Every question of a set answered alike."""
    return [{"question": one.id, "reply": reply} for one in asked.questions]


def assessment(who: dict[str, Any], reply: str = "no", risk: str = "standard") -> dict[str, Any]:
    """A whole assessment of somebody, with every answer alike."""
    dara = next(one for one in DEFAULTS.incidents.abuse_sets if one.name == "dara")
    said = {"question_set": dara.name, "version": dara.version, "answers": answers(dara, reply)}
    return {**who, **said, "risk": risk, "judgement": "As I found it.", "assessed_at": T0}


def crime(handle: str = "theft", sort: str = "theft", by: str = "WM21877") -> dict[str, Any]:
    """A crime recorded."""
    return {"crime": handle, "type": sort, "offence": "As told.", "by": by, "decided_at": T0}


def cancellation(handle: str = "theft", code: str = "c2") -> dict[str, Any]:
    """A crime cancelled."""
    return {
        "crime": handle,
        "code": code,
        "information": "The bicycle was in the shed.",
        "source": "Photograph 3.",
        "decided_at": T0 + HOUR,
    }
