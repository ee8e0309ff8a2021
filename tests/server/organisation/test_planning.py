"""The plan: what files would change, no more and no less, whatever was there before; and what can never be changed."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis, OfficerId
from schemas.roles import Role
from server.organisation.definition import OfficerTold, OrganisationError, OrganisationTold, SpanTold, UnitTold
from server.organisation.planning import Changes, changes_of
from server.organisation.reading import read_organisation
from server.registry import Registry, roles_of
from server.registry import acts as a
from tests.server.organisation.files import FORCE, SHIPPED, also, write

BY = "WM9"
NOW = Millis(1_690_000_000_000)
"""22 July 2023."""
OFFICERS = ("WM1", "WM2")
UNITS = ("dudley", "walsall")
MOMENTS = range(12)


def apply(registry: Registry, told: OrganisationTold, now: int = NOW, by: str = BY) -> Changes:
    """Plan, and do it; the same again must find nothing to do."""
    changes = changes_of(registry, told, by, Millis(now))
    for step in changes.steps:
        registry.check(step.act)
        registry.apply(step.act)
    assert changes_of(registry, told, by, Millis(now)).steps == ()
    return changes


def said(changes: Changes) -> list[str]:
    """The changes as a person reads them."""
    return [f"{step.sign} {step.what}" for step in changes.steps]


def refused(registry: Registry, told: OrganisationTold) -> tuple[str, str]:
    """Where and what the one problem is."""
    with pytest.raises(OrganisationError) as caught:
        changes_of(registry, told, BY, NOW)
    (problem,) = caught.value.problems
    return problem.where, problem.what


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry that is as the small force's files say."""
    registry = Registry()
    apply(registry, read_organisation(write(tmp_path)))
    return registry


def test_the_shipped_force_comes_into_an_empty_registry_and_again_changes_nothing() -> None:
    """Every act of it is one that the registry takes, in the order of the plan; nothing differs afterwards."""
    registry = Registry()
    told = read_organisation(SHIPPED)
    changes = apply(registry, told)
    assert changes.notes == ()
    assert {one.unit for one in told.units} == set(registry.units)
    assert {one.officer for one in told.officers or ()} == set(registry.officers)
    assert len(told.spans) == len(registry.spans)
    assert all(step.act.by == BY and step.where for step in changes.steps)


def test_a_posting_that_is_told_no_more_ends_now(registry: Registry, tmp_path: Path) -> None:
    """It held until now, and the file has no line to point at."""
    changes = apply(registry, read_organisation(write(tmp_path, postings="collar,unit,from\n")))
    (step,) = changes.steps
    assert (step.sign, step.where) == ("-", "")
    assert "WM2 is posted to dudley-response, ends at 2023-07-22" in step.what
    assert isinstance(step.act, a.SpanEnded)
    assert step.act.until == NOW


def test_a_posting_that_ends_earlier_and_one_that_goes_on_longer(registry: Registry, tmp_path: Path) -> None:
    """An end comes nearer in place; a later end is another span that begins where the first one ends."""
    row = "collar,unit,from,until\nWM2,dudley-response,2023-01-01,{}\n"
    assert said(apply(registry, read_organisation(write(tmp_path, postings=row.format("2023-09-01"))))) == [
        "- WM2 is posted to dudley-response, ends at 2023-08-31T23:00:00Z: it ends earlier"
    ]
    assert said(apply(registry, read_organisation(write(tmp_path, postings=row.format("2023-12-01"))))) == [
        "+ WM2 is posted to dudley-response, from 2023-08-31T23:00:00Z until 2023-12-01T00:00:00Z"
    ]
    assert said(apply(registry, read_organisation(write(tmp_path, postings=row.format(""))))) == [
        "+ WM2 is posted to dudley-response, from 2023-12-01T00:00:00Z"
    ]


def test_what_people_gave_by_hand_is_theirs(registry: Registry, tmp_path: Path) -> None:
    """The files end nothing that they did not give, and officers whom they do not name stay."""
    registry.apply(a.OfficerAdded(by=BY, at=NOW, officer=OfficerId("WM77"), name="Ada", start=NOW))
    registry.apply(a.Posted(by=BY, at=NOW, span="by-hand", officer=OfficerId("WM77"), unit="dudley", start=NOW))
    assert apply(registry, read_organisation(write(tmp_path))).steps == ()
    apply(registry, read_organisation(write(tmp_path, postings="collar,unit,from\n")))
    assert registry.spans["by-hand"].until is None
    assert registry.officers[OfficerId("WM77")].until is None


def test_a_sort_that_the_files_tell_nothing_of_is_left_alone(registry: Registry, tmp_path: Path) -> None:
    """Taking a table out of the TOML ends nothing: to end what it gave, its rows are taken out."""
    assert (
        apply(registry, read_organisation(write(tmp_path, FORCE.replace('postings = "postings.csv"\n', "")))).steps
        == ()
    )


def test_a_new_commander_takes_over_every_unit_of_the_area(registry: Registry, tmp_path: Path) -> None:
    """One ends, the other begins, on the day that is told; the area, its team and its suite alike."""
    force = FORCE.replace(
        'commander = "WM1"\ncommander_from = 2023-02-01', 'commander = "WM2"\ncommander_from = 2023-07-20'
    )
    lines = said(apply(registry, read_organisation(write(tmp_path, force))))
    units = ("dudley", "dudley-response", "suite-dudley")
    assert [line.partition(",")[0] for line in lines if line[0] == "+"] == [f"+ WM2 commands {unit}" for unit in units]
    assert sum(line.startswith("- WM1 commands") for line in lines) == 3


def test_units_are_renamed_merged_and_ended(registry: Registry, tmp_path: Path) -> None:
    """What is told of a unit later changes it; what has once ended stays as it ended."""
    merged = FORCE.replace('title = "Walsall"', 'title = "Old Walsall"\nuntil = 2023-08-01\ninto = "dudley"')
    lines = said(apply(registry, read_organisation(write(tmp_path, merged))))
    assert lines == [
        "~ unit walsall is called Old Walsall, and no longer Walsall",
        "- unit walsall goes up in dudley at 2023-07-31T23:00:00Z",
    ]
    where, what = refused(registry, read_organisation(write(tmp_path, FORCE.replace('"Walsall"', '"Old Walsall"'))))
    assert (where, "goes up in dudley at 2023-07-31T23:00:00Z, for ever" in what) == (
        "force.toml [[area]] walsall",
        True,
    )
    ended = FORCE.replace('title = "Dudley Response"', 'title = "Dudley Response"\nuntil = 2024-01-01')
    ended = ended.replace('title = "Walsall"', 'title = "Old Walsall"\nuntil = 2023-08-01\ninto = "dudley"')
    assert said(apply(registry, read_organisation(write(tmp_path, ended)))) == [
        "- unit dudley-response ends at 2024-01-01T00:00:00Z"
    ]


def test_what_a_unit_serves_is_for_ever(registry: Registry, tmp_path: Path) -> None:
    """Other places are another unit: history must say what somebody could see when they were there."""
    force = FORCE.replace('title = "Dudley Response"\narea = "dudley"', 'title = "Dudley Response"\narea = "walsall"')
    where, what = refused(registry, read_organisation(write(tmp_path, force)))
    assert where == "force.toml [[team]] dudley-response"
    assert "tell a new unit, and let this one go up in it" in what


def test_missions_begin_and_end_and_do_not_change(registry: Registry, tmp_path: Path) -> None:
    """The end may come nearer; a later one, and another title, is another mission."""
    until = FORCE.replace("from = 2023-05-01", "from = 2023-05-01\nuntil = {}")
    assert said(apply(registry, read_organisation(write(tmp_path, until.format("2023-10-01"))))) == [
        "- mission castle ends at 2023-09-30T23:00:00Z"
    ]
    assert "ends already (2023-09-30T23:00:00Z)" in refused(registry, read_organisation(write(tmp_path)))[1]
    longer = read_organisation(write(tmp_path, until.format("2023-11-01")))
    assert "tell a new one for what follows" in refused(registry, longer)[1]
    other = read_organisation(write(tmp_path, until.format("2023-10-01").replace("Operation Castle", "Moat")))
    assert "is Operation Castle" in refused(registry, other)[1]


def test_officers_leave_and_return(registry: Registry, tmp_path: Path) -> None:
    """Who is told to leave leaves; to be back they need a new beginning, or the files would undo a dismissal."""
    row = "collar,name,from,until\nWM1,Nell Fernley,2023-01-01,\nWM2,Ivo Rowan,{}\n"
    left = read_organisation(write(tmp_path, officers=row.format("2023-01-01,2023-07-01")))
    assert said(apply(registry, left)) == ["- officer WM2 leaves at 2023-06-30T23:00:00Z"]
    where, what = refused(registry, read_organisation(write(tmp_path)))
    assert (where, "give in `from` when they came back" in what) == ("officers.csv line 3", True)
    lines = said(apply(registry, read_organisation(write(tmp_path, officers=row.format("2023-07-20,")))))
    assert lines[0] == "+ officer WM2 returns at 2023-07-19T23:00:00Z"


def test_what_is_kept_as_it_was_told_first_is_noted(registry: Registry, tmp_path: Path) -> None:
    """A name and a beginning stand in the log for ever: the plan says that they differ, and goes on."""
    officers = "collar,name,from,until\nWM1,Nell Fernley,2023-01-01,\nWM2,Ivo Rowanshaw,2023-01-02,\n"
    changes = apply(registry, read_organisation(write(tmp_path, officers=officers)))
    assert changes.steps == ()
    assert len(changes.notes) == 2
    assert "officers.csv line 3: officer WM2 is called Ivo Rowan: that name is kept" in map(str, changes.notes)


def test_an_administrator_is_there_before_the_last_one_ends(tmp_path: Path) -> None:
    """A handover in one file: in the other order the registry would refuse it, for nobody would administer."""
    registry = Registry()
    roles = "collar,role,unit,from\n{},administrator,,2023-01-01\n"
    apply(registry, read_organisation(write(tmp_path, roles=roles.format("WM1"))))
    lines = said(apply(registry, read_organisation(write(tmp_path, roles=roles.format("WM2")))))
    assert [line[:24] for line in lines] == ["+ WM2 is administrator, ", "- WM1 is administrator, "]


def test_an_auditor_and_an_administrator_change_places(tmp_path: Path) -> None:
    """Nobody is both at once, and somebody administers all the while: one order alone does both."""
    registry = Registry()
    roles = "collar,role,unit,from\nWM1,{0},,{2}\nWM2,{1},,{2}\n"
    apply(registry, read_organisation(write(tmp_path, roles=roles.format("administrator", "auditor", "2023-01-01"))))
    apply(registry, read_organisation(write(tmp_path, roles=roles.format("auditor", "administrator", "2023-07-23"))))
    later = Millis(NOW + 2 * 24 * 60 * 60_000)
    assert roles_of(registry, OfficerId("WM1"), later) == {Role.SUPERINTENDENT, Role.AUDITOR}
    assert roles_of(registry, OfficerId("WM2"), later) == {Role.ADMINISTRATOR}


# --- whatever files follow one another -------------------------------------------------------------------------------


def organisation(postings: list[tuple[str, str, int, int | None]]) -> OrganisationTold:
    """A force with these postings."""
    return OrganisationTold(
        force="marches",
        title="Marches",
        units=tuple(
            UnitTold(unit=name, title=name, places=(f"area:{name}",), start=Millis(0), where=name)  # type: ignore[arg-type]  # plain texts
            for name in UNITS
        ),
        officers=tuple(OfficerTold(officer=OfficerId(one), name=one, start=Millis(0), where=one) for one in OFFICERS),
        tells=("posting",),
        spans=tuple(
            SpanTold(
                sort="posting", officer=OfficerId(officer), target=unit, start=Millis(start),
                until=None if until is None else Millis(until), where=f"{n}",
            )
            for n, (officer, unit, start, until) in enumerate(postings)
        ),
    )  # fmt: skip


@st.composite
def versions(draw: st.DrawFn) -> list[tuple[int, list[tuple[str, str, int, int | None]]]]:
    """Files that follow one another as time passes: (when, postings without an overlap)."""
    found = []
    now = 0
    for _ in range(draw(st.integers(1, 5))):
        now += draw(st.integers(0, 4))
        rows: list[tuple[str, str, int, int | None]] = []
        for officer in OFFICERS:
            for unit in UNITS:
                ends = sorted(draw(st.sets(st.sampled_from(MOMENTS), max_size=4)))
                pairs = list(zip(ends[::2], ends[1::2], strict=False))
                rows += [(officer, unit, start, until) for start, until in pairs]
                if len(ends) % 2:
                    rows.append((officer, unit, ends[-1], None))
        found.append((now, draw(st.permutations(rows))))
    return found


@given(versions())
def test_from_now_on_everybody_is_posted_where_the_last_file_says(
    files: list[tuple[int, list[tuple[str, str, int, int | None]]]],
) -> None:
    """Whatever files came before, at every later moment; and what had passed by then stays as it was told."""
    registry = Registry()
    past: dict[tuple[int, str, str], bool] = {}
    for now, rows in files:
        apply(registry, organisation(rows), now)
        for at in MOMENTS:
            for officer in OFFICERS:
                for unit in UNITS:
                    posted = posted_at(registry, officer, unit, at)
                    if at >= now:
                        told = any(
                            (one, other) == (officer, unit) and start <= at and (until is None or at < until)
                            for one, other, start, until in rows
                        )
                        assert posted == told, (now, at, officer, unit)
                    elif past.get((at, officer, unit)):
                        earlier = [until for one, other, _, until in rows if (one, other) == (officer, unit)]
                        assert posted or any(until is not None and until <= at for until in earlier)
                    past[at, officer, unit] = posted


def posted_at(registry: Registry, officer: str, unit: str, at: int) -> bool:
    """Whether the registry has somebody posted somewhere at a moment."""
    spans = registry.officers[OfficerId(officer)].spans
    return any(isinstance(one.act, a.Posted) and one.act.unit == unit and one.holds(Millis(at)) for one in spans)


def test_the_same_span_may_end_and_begin_again_under_another_name() -> None:
    """A row that is taken out before it began and put in again: names are never used twice."""
    registry = Registry()
    rows: list[tuple[str, str, int, int | None]] = [("WM1", "dudley", 8, None)]
    for each in (rows, [], rows, [], rows):
        apply(registry, organisation(each), 2)
    assert posted_at(registry, "WM1", "dudley", 9)
    assert len(registry.spans) == 3
    assert msgspec.json.encode(sorted(registry.spans)).count(b"org-posting-") == 3


def test_roles_are_given_where_they_are_told(registry: Registry, tmp_path: Path) -> None:
    """A role in one unit and the same role everywhere are two things."""
    changes = apply(
        registry, read_organisation(write(tmp_path, roles=also("roles", "WM2,supervisor,walsall,2023-01-01,")))
    )
    (step,) = changes.steps
    assert isinstance(step.act, a.RoleGiven)
    assert (step.act.role, step.act.unit) == (Role.SUPERVISOR, "walsall")
