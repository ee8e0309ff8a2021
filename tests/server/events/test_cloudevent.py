"""Events in both forms over HTTP, as CloudEvents 1.0 has them."""

import json

import msgspec
import pytest

from schemas.ids import Epoch, Millis, Seq
from server.events.cloudevent import CloudEvent, Mode, formed, timestamp
from tests.server.events.receiver import Call, check_event
from tests.server.events.station import record_id

EVENT = CloudEvent(
    id="0f" * 16,
    source="https://beatbook.example/ä%20",
    what="changed",
    kind="incident",
    record=record_id(1),
    at=Millis(1_760_000_000_007),
    epoch=Epoch("00c0ffee00c0ffee"),
    dataschema="urn:beatbook:v4:event:incident",
    sequence=17,
    version=Seq(9),
    occurred_at=Millis(1_760_000_000_000),
    changed=("grade", "summary"),
    data={"grade": "p1", "summary": "Ä spill.\r\nX: y"},
)


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_both_forms_say_the_same(mode: Mode) -> None:
    """Every attribute and the data come through, in one document or in headers."""
    headers, body = formed(EVENT, mode)
    event = Call("POST /hook HTTP/1.1", headers, body).event
    assert event == {
        "specversion": "1.0",
        "id": "0f" * 16,
        "source": "https://beatbook.example/ä%20",
        "type": "uk.police.beatbook.incident.changed",
        "subject": record_id(1),
        "time": "2025-10-09T08:53:20.007Z",
        "dataschema": "urn:beatbook:v4:event:incident",
        "datacontenttype": "application/json",
        "sequence": "0000000000000017",
        "epoch": "00c0ffee00c0ffee",
        "recordversion": "9",
        "occurredat": "2025-10-09T08:53:20.000Z",
        "changedfields": "grade,summary",
        "data": {"grade": "p1", "summary": "Ä spill.\r\nX: y"},
    }


def test_headers_hold_nothing_that_could_end_them() -> None:
    """What a header may not hold is percent-encoded, a percent sign and quotes too (HTTP Binding section 3.1.3.2)."""
    headers, _ = formed(CloudEvent(id='a" %\r\n', source="s:x", what="erased", kind="incident", record=record_id(1),
                                   at=Millis(0), epoch=Epoch("00c0ffee00c0ffee")), "binary")  # fmt: skip
    assert headers["ce-id"] == "a%22%20%25%0D%0A"


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_without_data_there_is_neither_a_type_nor_a_schema_of_it(mode: Mode) -> None:
    """What is withdrawn or erased has nothing to tell but that; no attribute is empty."""
    event = CloudEvent(id="1", source="s:x", what="erased", kind="medical", record=record_id(1), at=Millis(0),
                       epoch=Epoch("00c0ffee00c0ffee"))  # fmt: skip
    headers, body = formed(event, mode)
    told = Call("POST /hook HTTP/1.1", headers, body).event
    assert told["type"] == "uk.police.beatbook.medical.erased"
    assert told.keys() == {"specversion", "id", "source", "type", "subject", "time", "epoch"}


def test_what_is_no_event_is_noticed() -> None:
    """The check that the tests hold events against is one that can fail."""
    good = json.loads(formed(EVENT, "structured")[1])
    check_event(good)
    for wrong in ({"id": ""}, {"type": 5}, {"camelCase": "x"}, {"time": "yesterday"}, {"dataschema": "x"}):
        with pytest.raises(AssertionError):
            check_event(good | wrong)


def test_sequences_sort_as_text() -> None:
    """The extension asks that a later one compares greater as text."""
    told = [formed(msgspec.structs.replace(EVENT, sequence=n), "binary")[0]["ce-sequence"] for n in (9, 10, 2**53)]
    assert told == sorted(told)


def test_times_are_in_utc_with_their_milliseconds() -> None:
    """RFC 3339, as CloudEvents asks."""
    assert timestamp(Millis(1_760_000_000_007)) == "2025-10-09T08:53:20.007Z"
