"""EIDO incidents: what is read of them, and what is refused with the place."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.ids import FieldName
from schemas.kinds import Incident, spec_of
from server.cli import main
from server.importing import eido
from sync import check
from tests.server.api import client
from tests.server.people import Caller
from tests.server.running import Running

REAL = Path(__file__).resolve().parents[3].parent / "shared/data/eido"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the real EIDO messages are not beside this checkout")

CIVIC = (
    '<presence xmlns="urn:ietf:params:xml:ns:pidf">'
    '<civicAddress xmlns="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr">'
    "<HNO>12</HNO><RD>Corporation</RD><STS>Street</STS><A3>Birmingham</A3><PC>B4 6QB</PC></civicAddress></presence>"
)
POINT = (
    '<presence xmlns="urn:ietf:params:xml:ns:pidf"><Point xmlns="http://www.opengis.net/gml">'
    "<pos>52.4797 -1.9027</pos></Point></presence>"
)
COMMENT = (
    '<c:EmergencyCallData.Comment xmlns:c="urn:ietf:params:xml:ns:EmergencyCallData:Comment">'
    "<c:Comment>Two men fighting.</c:Comment></c:EmergencyCallData.Comment>"
)


def incident(**parts: object) -> dict[str, Any]:
    """An invented EIDO; a part that is None is left out."""
    told: dict[str, Any] = {
        "eidoVersion": "1.0",
        "issuingElementIdentification": "control.fire.example",
        "$id": "urn:emergency:uid:incidentid:1:fire.example",
        "lastUpdateTimeStamp": "2026-01-31T14:43:49.439+00:00",
        "callComponent": [
            {"callStartTimestamp": "2026-01-31T14:42:00.0+00:00", "standardPrimaryCallType": "emergency"},
            {"callStartTimestamp": "2026-01-31T14:40:00.0+00:00", "standardPrimaryCallType": "emergency"},
        ],
        "callbackComponent": [{"$id": "cb", "callBackInformationUri": ["sip:1@x.example", "tel:+441214960000"]}],
        "personComponent": [
            {"personIncidentRoleRegistryText": ["Caller"], "callBackReference": {"$ref": "cb"}},
            {"personIncidentRoleRegistryText": ["Witness"]},
        ],
        "locationComponent": [
            {"locationTypeDescriptionRegistryText": "RoutingLocation", "locationByValue": POINT},
            {"locationTypeDescriptionRegistryText": "Caller", "locationByValue": CIVIC},
            {"locationByReferenceUrl": "https://lrf.example/?secret"},
        ],
        "additionalDataComponent": [{"additionalDataByValue": COMMENT}, {"additionalDataByValue": "<other/>"}],
    }
    return {name: value for name, value in (told | parts).items() if value is not None}


def raw(message: object) -> bytes:
    """As it travels."""
    return json.dumps(message).encode()


def test_an_incident_is_read_and_can_be_written() -> None:
    """When the first call began, where, who called from which number, what was said; nothing that it refers to."""
    (draft,) = eido.parse(raw(incident()))
    made = spec_of(Incident).build(draft.values)
    assert isinstance(made, Incident)
    assert made.opened_at == 1_769_870_400_000
    assert (made.area, made.location) == ("birmingham", "12 Corporation Street Birmingham B4 6QB")
    assert made.position is not None
    assert (made.position.longitude, made.position.latitude) == (-1.9027, 52.4797)
    assert [(one.part.value, one.telephone) for one in made.people] == [("caller", "+441214960000")]
    assert [entry.text for entry in made.log] == [
        "Two men fighting.", "A place is given by reference only, and was not fetched.",
        eido.ASKED_ELSEWHERE.format(issuer="control.fire.example"),
    ]  # fmt: skip
    assert made.source == "EIDO urn:emergency:uid:incidentid:1:fire.example"
    fields = spec_of(Incident).fields
    assert all(fields[name].problem(value) is None for name, value in check.changed_fields(dict(draft.values)).items())


def test_a_notification_brings_its_incidents_and_the_same_one_is_the_same_record() -> None:
    """Alone or in a notification, by its own name."""
    other = incident(**{"$id": "urn:emergency:uid:incidentid:2:fire.example"})
    told = eido.parse(raw({"event": {"subscriptionId": "s", "notification": [incident(), other]}}))
    assert [draft.record for draft in told] == [
        eido.parse(raw(incident()))[0].record, eido.parse(raw(other))[0].record,
    ]  # fmt: skip
    assert told[0].record != told[1].record


def test_where_no_place_names_an_area_the_one_that_is_given_counts() -> None:
    """Without one the incident is refused, with what to do."""
    elsewhere = raw(incident(locationComponent=None))
    assert eido.parse(elsewhere, area="walsall")[0].values[FieldName("area")] == "walsall"
    with pytest.raises(UsageError, match="--area"):
        eido.parse(elsewhere)
    assert eido.parse(raw(incident()), area="walsall")[0].values[FieldName("area")] == "birmingham"


def test_without_a_call_the_time_is_that_of_the_last_update() -> None:
    """Under either of the names that are in use."""
    for name in ("lastUpdateTimeStamp", "lastUpdateTimestamp"):
        told = incident(callComponent=None, lastUpdateTimeStamp=None) | {name: "2026-01-31T14:43:49.439+00:00"}
        assert eido.parse(raw(told))[0].values[FieldName("opened_at")] == 1_769_870_629_439


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"", "no JSON"),
        (b"[]", "JSON object"),
        (b"{}", "holds no EIDO, but nothing"),
        (raw({"subscribe": {}}), "holds no EIDO, but subscribe"),
        (raw({"event": {"notification": []}}), "holds no EIDO"),
        (raw({"event": {"notification": [incident(), {}]}}), "holds no EIDO"),
        (raw(incident(eidoVersion="2.0")), "eidoVersion is '2.0'"),
        (raw(incident(eidoVersion=1)), "eidoVersion is required"),
        (raw(incident(**{"$id": ""})), "$id is required"),
        (raw(incident(callComponent={})), "callComponent is no list"),
        (raw(incident(callComponent=[{"callStartTimestamp": "now"}])), "callStartTimestamp is 'now'"),
        (raw(incident(callComponent=[{"callStartTimestamp": "2026-01-31T14:40:00"}])), "with an offset"),
        (raw(incident(locationComponent=[{"locationByValue": "<a"}])), "locationByValue: is no XML"),
        (raw(incident(locationComponent=[{"locationByValue": "<!DOCTYPE a><a/>"}])), "document type"),
        (b" " * (eido.FILE_BYTES_MAX + 1), "larger than"),
    ],
)
def test_what_is_no_incident_is_refused_with_the_place(message: bytes, words: str) -> None:
    """Which source, where in it, and what is wrong."""
    with pytest.raises(UsageError) as refused:
        eido.parse(message, "a.json", "walsall")
    assert str(refused.value).startswith("a.json: ")
    assert words in str(refused.value)


_ODD: Final[list[object]] = [None, True, 7, "", "x", [], [1], {}]
_JUNK: Final = st.sampled_from(_ODD)


@given(part=st.sampled_from(sorted(incident())), junk=_JUNK, inner=_JUNK)
def test_no_message_whatever_stands_in_it_ends_in_anything_but_words(part: str, junk: object, inner: object) -> None:
    """A part of any other form, or with parts of any other form: incidents or a refusal."""
    parts = [
        {"$id": inner, "personIncidentRoleRegistryText": inner, "callBackReference": inner, "locationByValue": inner}
    ]
    for value in (junk, parts, [junk]):
        try:
            found = eido.parse(raw(incident(**{part: value})), area="walsall")
        except UsageError:
            continue
        assert len(found) == 1


def test_the_command_refuses_one_and_takes_the_others(tmp_path: Path) -> None:
    """Which file and why; imported again nothing changes."""
    (tmp_path / "good.json").write_bytes(raw(incident()))
    (tmp_path / "bad.json").write_bytes(raw({"terminate": {}}))
    arguments = ["import", "eido", *map(str, sorted(tmp_path.glob("*.json"))), "--data", str(tmp_path / "data")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert "2 messages: 1 incidents created, 0 changed, 0 already there, 1 refused" in done.output
    assert "bad.json: holds no EIDO, but terminate" in done.output
    assert "1 already there" in CliRunner().invoke(main, arguments).output
    assert CliRunner().invoke(main, [*arguments, "--area", "No Area"]).exit_code != 0


async def test_a_running_server_takes_it_in_as_its_files_do(server: Running, caller: Caller) -> None:
    """Whoever imports was not at the telephone: that nobody here asked the caller is in the log."""
    (draft,) = eido.parse(raw(incident()))
    body = {"id": draft.record, "kind": draft.kind, "values": dict(draft.values)}
    async with client(server, caller) as http:
        answer = await http.post("/v1/records", json={"records": [body]})
    assert answer.status_code == 200, answer.text
    assert [one["outcome"] for one in answer.json()["records"]] == ["created"]


def test_nobody_is_said_to_have_been_asked_where_nobody_called() -> None:
    """The log speaks of a caller only where there is one."""
    (draft,) = eido.parse(
        raw(incident(personComponent=None, additionalDataComponent=None, locationComponent=[])), area="walsall"
    )
    assert FieldName("log") not in draft.values


@real
def test_the_real_messages_are_read(tmp_path: Path) -> None:
    """Three of nine hold the one incident; the others are no incidents."""
    arguments = ["import", "eido", *map(str, sorted(REAL.iterdir())), "--data", str(tmp_path / "data")]
    done = CliRunner().invoke(main, [*arguments, "--area", "birmingham"])
    assert done.exit_code == 1
    assert "9 messages: 1 incidents created, 0 changed, 0 already there, 6 refused" in done.output
