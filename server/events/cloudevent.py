"""A CloudEvent 1.0 and its two forms over HTTP: in one JSON document, or with its attributes in headers.

Sources: CloudEvents 1.0.2, sections "Context Attributes" and "Type System"; JSON Event Format 1.0.2; HTTP Protocol
Binding 1.0.2, section 3 (structured and binary content mode). `sequence` is the documented extension of that name;
its values sort as text.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from schemas.ids import Epoch, Millis, RecordId, Seq

Mode = Literal["structured", "binary"]
"""Which form a subscriber is sent."""
TYPE_PREFIX: Final = "uk.police.beatbook"
What = Literal["created", "changed", "withdrawn", "erased"]
"""What has happened to a record, for a subscriber: made; changed; out of their sight now; erased."""
STRUCTURED: Final = "application/cloudevents+json; charset=utf-8"
PLAIN: Final = "application/json"
SEQUENCE_DIGITS: Final = 16
"""As many as the largest number on the wire has (2^53)."""
_PRINTABLE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""What a header holds as it is (HTTP Protocol Binding section 3.1.3.2)."""


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event.

    Attributes:
        id: the same for the same event, whenever and however often it is sent.
        source: which server, as its configuration names it.
        what, kind: what happened, to a record of which kind.
        record: the record; it is the event's subject.
        at: when it was recorded (ms since 1970).
        dataschema: what `data` is according to; "" where there is none.
        sequence: the op's place in the order of commits, or an erasure's among the acts; None where there is none.
        epoch: the server's unbroken history, within which `sequence` counts.
        version: seq of the commit that changed the record last, as `data` tells it; 0 where there is none.
        occurred_at: when it happened, as the author says (ms since 1970); None where nobody said.
        changed: the fields that the op changed, of those that the subscriber is told.
        data: field -> value, as the record stands; None where nothing of it may be told.
    """

    id: str
    source: str
    what: What
    kind: str
    record: RecordId
    at: Millis
    epoch: Epoch
    dataschema: str = ""
    sequence: int | None = None
    version: Seq = Seq(0)
    occurred_at: Millis | None = None
    changed: tuple[str, ...] = ()
    data: Mapping[str, Any] | None = None

    @property
    def type(self) -> str:
        """As in `uk.police.beatbook.incident.changed`."""
        return f"{TYPE_PREFIX}.{self.kind}.{self.what}"

    def attributes(self) -> dict[str, str]:
        """Every context attribute that the event has, as text; those of its data's form are left out."""
        found = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.record,
            "time": timestamp(self.at),
            "dataschema": self.dataschema,
            "epoch": self.epoch,
            "sequence": "" if self.sequence is None else f"{self.sequence:0{SEQUENCE_DIGITS}d}",
            "recordversion": str(self.version or ""),
            "occurredat": "" if self.occurred_at is None else timestamp(self.occurred_at),
            "changedfields": ",".join(self.changed),
        }
        # An attribute that is there is never empty.
        return {name: value for name, value in found.items() if value}


def structured(event: CloudEvent) -> tuple[dict[str, str], bytes]:
    """(headers, body) with everything in the body."""
    document: dict[str, Any] = dict(event.attributes())
    if event.data is not None:
        document |= {"datacontenttype": PLAIN, "data": event.data}
    return {"content-type": STRUCTURED}, msgspec.json.encode(document)


def binary(event: CloudEvent) -> tuple[dict[str, str], bytes]:
    """(headers, body) with the attributes in headers and the data alone in the body."""
    headers = {f"ce-{name}": quote(value, safe=_PRINTABLE) for name, value in event.attributes().items()}
    if event.data is None:
        return headers, b""
    return {**headers, "content-type": PLAIN}, msgspec.json.encode(event.data)


def formed(event: CloudEvent, mode: Mode) -> tuple[dict[str, str], bytes]:
    """(headers, body) in the form that a subscriber wants."""
    return structured(event) if mode == "structured" else binary(event)


def timestamp(at: Millis) -> str:
    """A moment as RFC 3339 has it, in UTC, with its milliseconds."""
    return datetime.fromtimestamp(at // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at % 1_000:03d}Z"
