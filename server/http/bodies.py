"""What the HTTP side takes and gives: Structs, from which the OpenAPI description is made.

What it gives of histories and the inbox stands in `server.http.accounts`.
"""

from typing import Annotated, Any

import msgspec

from schemas.ids import MillisInt, RecordText, ScopeText, SlugText
from schemas.kinds.briefing import Classification, Priority, Topic
from schemas.kinds.common import Body, Line

DRAFTS_MAX = 500
"""Records in one call of POST /v1/records."""


class NewBriefing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A briefing to create and push; whoever calls issues it.

    Attributes:
        title, body, audience, classification, handling, priority, valid_from, expires_at, review_at, replaces, topic:
            as the record's.
        urgent: as older callers say that officer safety hangs on it; `priority`, where it is said, counts.
        id: the record's id, when the caller makes it; the same call again then changes nothing.
    """

    title: Line
    body: Body
    audience: Annotated[tuple[ScopeText, ...], msgspec.Meta(min_length=1, max_length=32)]
    classification: Classification = Classification.OFFICIAL
    handling: Line | None = None
    urgent: bool = False
    priority: Priority | None = None
    valid_from: MillisInt | None = None
    expires_at: MillisInt | None = None
    review_at: MillisInt | None = None
    replaces: RecordText | None = None
    topic: Topic | None = None
    id: RecordText | None = None


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is durable and on its way to every device that may see it.

    Attributes:
        id: the record.
        outcome: `created`, `changed` or `same`.
        seq: the commit; 0 when nothing changed.
    """

    id: RecordText
    outcome: str
    seq: int


class RecordBody(msgspec.Struct, frozen=True, kw_only=True):
    """One record as it stands.

    Attributes:
        id, kind: which.
        version: seq of the commit that changed it last.
        scopes: where it is.
        values: field -> value.
        stamps: field -> op, author, occurred_at, recorded_at of the value that is shown; of a `grow` field a list;
            {"safe": true} where people differ and nobody said the safe value that is shown.
        differing: field -> what else was said of a `once` field, with the same attribution.
    """

    id: RecordText
    kind: SlugText
    version: int
    scopes: list[ScopeText]
    values: dict[str, Any]
    stamps: dict[str, Any]
    differing: dict[str, Any]


class RecordList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records.

    Attributes:
        records: in order of id.
        next: pass it as `after` for the next page; null on the last one.
    """

    records: list[RecordBody]
    next: RecordText | None


class RecordDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record to make, or to bring to these values.

    Attributes:
        id, kind: which.
        values: field -> value.
    """

    id: RecordText
    kind: SlugText
    values: dict[str, Any]


class Drafts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records to make or change in one call, by whoever calls; a record that has these values already is left alone.

    Attributes:
        records: the drafts.
    """

    records: Annotated[tuple[RecordDraft, ...], msgspec.Meta(min_length=1, max_length=DRAFTS_MAX)]


class DraftsDone(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the drafts, in order."""

    records: list[Created]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the server is.

    Attributes:
        status: `ok`; a server that cannot take edits answers with a problem.
        sockets: open WebSockets.
        epoch: the store's history.
    """

    status: str
    sockets: int = 0
    epoch: str = ""
