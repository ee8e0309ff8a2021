"""CAP alerts become briefings; what is none is refused with the place, and what is not for officers with the reason."""

import functools
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.ids import FieldName, named_record_id
from schemas.kinds import Briefing, spec_of
from schemas.kinds.briefing import REPLACED_MAX
from server.cli import main
from server.importing import cap
from server.office import Draft
from sync import check

REAL = Path(__file__).resolve().parents[3].parent / "shared/data/cap"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the real CAP alerts are not beside this checkout")

INFO = """<info><language>en-GB</language><category>Fire</category><event>Factory fire</event>
<urgency>Immediate</urgency><severity>Severe</severity><certainty>Observed</certainty>
<onset>2026-01-31T14:05:00+00:00</onset><expires>2026-01-31T20:00:00+00:00</expires>
<senderName>Fire control</senderName><headline>Large fire at a paint works</headline>
<description>Smoke over the A38.</description><instruction>Keep upwind.</instruction>
<area><areaDesc>Aston, Birmingham</areaDesc></area></info>"""


def alert(info: str = INFO, namespace: str = cap.NAMESPACES[0], **elements: str) -> bytes:
    """An invented alert; an element that is "" is left out."""
    told = {
        "identifier": "WM-1", "sender": "control@fire.example", "sent": "2026-01-31T14:00:00+00:00",
        "status": "Actual", "msgType": "Alert", "scope": "Public",
    } | elements  # fmt: skip
    parts = "".join(f"<{name}>{text}</{name}>" for name, text in told.items() if text)
    return f'<?xml version="1.0"?>\n<alert xmlns="{namespace}">\n{parts}\n{info}</alert>'.encode()


def values(raw: bytes) -> dict[str, object]:
    """What the briefing says."""
    found = cap.parse(raw)
    assert isinstance(found, Draft)
    return {str(name): value for name, value in found.values.items()}


def test_an_alert_becomes_a_briefing_that_can_be_written() -> None:
    """Title, text, audience, times and priority; the record is what the server would take."""
    found = cap.parse(alert())
    assert isinstance(found, Draft)
    briefing = spec_of(Briefing).build(found.values)
    assert isinstance(briefing, Briefing)
    assert briefing.title == "Large fire at a paint works"
    for words in ("Smoke over the A38.", "Keep upwind.", "Aston, Birmingham", "Fire control", "WM-1"):
        assert words in briefing.body
    assert briefing.audience == ("area:birmingham",)
    assert (briefing.issued_at, briefing.valid_from, briefing.expires_at) == (
        1_769_868_000_000, None, 1_769_889_600_000,
    )  # fmt: skip
    assert briefing.priority is not None
    assert briefing.priority.value == "urgent"
    assert all(
        spec_of(Briefing).fields[name].problem(value) is None
        for name, value in check.changed_fields(dict(found.values)).items()
    )


def timed(**times: str) -> bytes:
    """The invented alert with these times of its own."""
    info = re.sub(r"<(onset|effective|expires)>[^<]*</\1>", "", INFO)
    told = "".join(f"<{name}>{text}</{name}>" for name, text in times.items())
    return alert(info=info.replace("<headline>", f"{told}<headline>", 1))


def test_officers_are_told_before_what_they_are_warned_of_begins() -> None:
    """The alert holds from when it says so, or at once; when the storm begins is told in its text."""
    effective, onset, expires = "2026-01-31T15:00:00+00:00", "2026-02-02T06:00:00+01:00", "2026-01-31T23:00:00+00:00"
    told = values(timed(effective=effective, onset=onset, expires=expires))
    assert (told["valid_from"], told["expires_at"]) == (1_769_871_600_000, 1_769_900_400_000)
    assert "Expected from 2026-02-02 06:00 (UTC+01:00)." in str(told["body"])
    assert "valid_from" not in values(timed(onset=onset, expires=expires))


def test_an_alert_that_says_it_ends_before_it_holds_is_shown_until_its_end() -> None:
    """Whoever mixed up the two times meant to warn: it is not hidden, and no rule of briefings refuses it."""
    told = values(timed(effective="2026-01-31T23:00:00+00:00", expires="2026-01-31T22:00:00+00:00"))
    assert "valid_from" not in told
    assert told["expires_at"] == 1_769_896_800_000


def test_the_same_alert_is_the_same_record() -> None:
    """By sender, identifier and time of sending, whatever else a copy of it says."""
    one, again = cap.parse(alert()), cap.parse(alert(info=INFO.replace("Keep upwind.", "Stay inside.")))
    other = cap.parse(alert(identifier="WM-2"))
    assert isinstance(one, Draft)
    assert isinstance(again, Draft)
    assert isinstance(other, Draft)
    assert (
        one.record
        == again.record
        == named_record_id("cap", "control@fire.example", "WM-1", "2026-01-31T14:00:00+00:00")
    )
    assert other.record != one.record


@pytest.mark.parametrize(("kind", "mark"), [("Update", "UPDATE: "), ("Cancel", "CANCELLED: ")])
def test_an_update_stands_in_the_place_of_all_that_it_refers_to(kind: str, mark: str) -> None:
    """The last one first; whoever missed one in between is not left with the first. A cancellation is never urgent."""
    references = (
        "control@fire.example,WM-2,2026-01-31T15:00:00+00:00 control@fire.example,WM-1,2026-01-31T14:00:00+00:00"
    )
    told = values(alert(identifier="WM-3", msgType=kind, references=references))
    assert told["replaces"] == named_record_id("cap", "control@fire.example", "WM-2", "2026-01-31T15:00:00+00:00")
    assert told["also_replaces"] == [
        named_record_id("cap", "control@fire.example", "WM-1", "2026-01-31T14:00:00+00:00")
    ]
    assert str(told["title"]).startswith(mark)
    assert told["priority"] == ("urgent" if kind == "Update" else "routine")
    assert "replaces" not in values(alert(msgType=kind, references="no reference control@fire.example,,WM-1 ,,"))


def test_it_names_no_more_than_a_briefing_holds() -> None:
    """Of a warning that was brought up to date for days the last ones; one that is named twice is one."""
    named = [f"a@fire.example,WM-{n},2026-01-31T{n:02}:00:00+00:00" for n in range(REPLACED_MAX + 9)]
    found = cap.parse(alert(msgType="Cancel", references=" ".join([*named, *named])))
    assert isinstance(found, Draft)
    replaced = [found.values[FieldName("replaces")], *found.values[FieldName("also_replaces")]]
    expected = [named_record_id("cap", *one.split(",")) for one in sorted(named, key=lambda one: one.split(",")[2])]
    assert replaced == expected[::-1][: REPLACED_MAX + 1]
    changes = check.changed_fields(dict(found.values))
    assert all(spec_of(Briefing).fields[name].problem(value) is None for name, value in changes.items())


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ({"status": "Test"}, "test"),
        ({"status": "System"}, "system"),
        ({"status": "Draft"}, "draft"),
        ({"msgType": "Ack"}, "acknowledges"),
        ({"msgType": "Error"}, "rejects"),
        ({"scope": "Private"}, "addressed to others"),
        ({"info": ""}, "nothing of what has happened"),
    ],
)
def test_what_nobody_is_to_act_on_makes_no_briefing(elements: dict[str, str], why: str) -> None:
    """It is sound, and the reason is told."""
    found = cap.parse(alert(**elements))
    assert isinstance(found, cap.NotForBriefing)
    assert why in found.reason


def test_an_exercise_is_marked_and_a_restricted_alert_has_its_caveat() -> None:
    """Nobody takes an exercise for the real thing; what is not for the public is marked so."""
    assert str(values(alert(status="Exercise"))["title"]).startswith("EXERCISE: ")
    told = values(alert(scope="Restricted", restriction="Blue lights only."))
    assert (told["classification"], told["handling"]) == ("official-sensitive", "Blue lights only.")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (alert(scope=""), ["line 2, in <alert>", "<scope> is required"]),
        (alert(status="Real"), ["<status> is 'Real'", "Actual, Exercise"]),
        (alert(sent="yesterday"), ["<sent> is 'yesterday'"]),
        (alert(sent="2026-01-31T14:00:00Z"), ["<sent>"]),
        (alert(sent="2026-02-31T14:00:00+00:00"), ["<sent>"]),
        (alert(sent="1969-01-31T14:00:00+00:00"), ["before 1970"]),
        (alert(info=INFO.replace("<event>Factory fire</event>", "")), ["in <info>", "<event> is required"]),
        (alert(info=INFO.replace("Severe", "Awful")), ["<severity> is 'Awful'"]),
        (alert(namespace="urn:example"), ["no CAP alert"]),
        (b"<feed/>", ["no CAP alert", "<feed>"]),
        (b"", ["no XML"]),
        (alert()[:-20], ["no XML"]),
        (b'<!DOCTYPE alert [<!ENTITY a "b">]>' + alert().split(b"?>\n", 1)[1], ["document type"]),
        (b" " * (cap.FILE_BYTES_MAX + 1), ["larger than"]),
    ],
)  # fmt: skip
def test_what_is_no_alert_is_refused_with_the_place(raw: bytes, words: list[str]) -> None:
    """Which source, where in it, and what is wrong."""
    with pytest.raises(UsageError) as refused:
        cap.parse(raw, "a.xml")
    assert str(refused.value).startswith("a.xml: ")
    for word in words:
        assert word in str(refused.value)


def test_where_no_area_is_named_the_whole_force_is_told() -> None:
    """A district's code names an area as its name does; a part of a word does not."""
    assert values(alert(info=INFO.replace("Aston, Birmingham", "Staffordshire")))["audience"] == ["force"]
    assert values(alert(info=INFO.replace("Aston, Birmingham", "Dudleyshire")))["audience"] == ["force"]
    coded = "<area><areaDesc>X</areaDesc><geocode><valueName>ONS</valueName><value>E08000031</value></geocode></area>"
    both = values(alert(info=INFO.replace("</info>", f"{coded}</info>")))["audience"]
    assert both == ["area:birmingham", "area:wolverhampton"]


def test_of_several_languages_the_english_one_is_read() -> None:
    """Else the first; the areas of all of them count."""
    welsh = INFO.replace("en-GB", "cy-GB").replace("Large fire at a paint works", "Tân").replace("Aston, ", "")
    assert values(alert(info=welsh + INFO))["title"] == "Large fire at a paint works"
    assert values(alert(info=welsh))["title"] == "Tân"


@given(st.data())
def test_no_alert_whatever_was_done_to_it_ends_in_anything_but_words(data: st.DataObject) -> None:
    """Bytes taken out, put in and changed: a briefing, a reason or a refusal."""
    raw = bytearray(alert())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw)))
        raw[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=6))
    try:
        found = cap.parse(bytes(raw))
    except UsageError:
        return
    if isinstance(found, Draft):
        assert FieldName("title") in found.values


def run(*arguments: str) -> Result:
    """`beatbook import cap`."""
    return CliRunner().invoke(main, ["import", "cap", *arguments])


def test_the_command_refuses_one_and_takes_the_others(tmp_path: Path) -> None:
    """Which files, in words; imported again nothing changes."""
    for name, raw in (("good", alert()), ("copy", alert()), ("test", alert(status="Test")), ("bad", alert(scope=""))):
        (tmp_path / f"{name}.xml").write_bytes(raw)
    files = [str(path) for path in sorted(tmp_path.glob("*.xml"))]
    data = ["--data", str(tmp_path / "data")]
    done = run(*files, *data)
    assert done.exit_code == 1
    assert "4 alerts: 1 briefings created, 0 changed, 0 already there, 1 refused" in done.output
    assert "bad.xml: line 2" in done.output
    assert "test.xml: makes no briefing" in done.output
    assert "1 already there" in run(files[2], *data).output
    assert run(files[2], *data).exit_code == 0


@real
def test_the_real_alerts_are_read(tmp_path: Path) -> None:
    """Six of seven are sound, one of them says nothing; the one that lacks its scope is refused."""
    reading = functools.partial(run, "--data", str(tmp_path / "data"))
    done = reading(*map(str, sorted(REAL.iterdir())))
    assert done.exit_code == 1
    assert "7 alerts: 5 briefings created, 0 changed, 0 already there, 1 refused" in done.output
    assert "invalid.cap: line 2, in <alert>: <scope> is required and is missing or empty" in done.output
    assert "no_optional_fields.cap: makes no briefing" in done.output
