"""What each record kind is called where people read, and which of its fields a line of a list shows: one table.

Whoever adds a kind gives it a row here; the words of `list`, the columns and what a record is about follow from it.
"""

from typing import Final

import msgspec

from schemas.kinds import (
    KINDS,
    Alarm,
    Briefing,
    BriefingReceipt,
    CallBackSample,
    Cohort,
    CustodyBooking,
    DeploymentRequest,
    ForceSettings,
    Handover,
    InboxItem,
    Incident,
    Kind,
    Medical,
    NumberSeries,
    ProtectionPlan,
    Resource,
    StopSearch,
    Suspect,
    UseOfForce,
)


class KindWords(msgspec.Struct, frozen=True, kw_only=True):
    """One kind, as people read it.

    Attributes:
        word: what its records are called together.
        gist: the fields that say together what a record is about; the first one is never empty.
        columns: the fields of a list; the first orders it: a moment the newest on top, a text by the alphabet.
    """

    word: str
    gist: tuple[str, ...]
    columns: tuple[str, ...]


def _row(word: str, gist: str, columns: str) -> KindWords:
    return KindWords(word=word, gist=tuple(gist.split()), columns=tuple(columns.split()))


TOLD: Final[dict[type[Kind], KindWords]] = {
    Incident: _row("incidents", "summary location", "opened_at grade status area"),
    Briefing: _row("briefings", "title", "issued_at classification audience"),
    CustodyBooking: _row("bookings", "detainee offence", "arrested_at suite status risk observation"),
    Resource: _row("resources", "name note", "home category service hold"),
    Suspect: _row("suspects", "name wanted_for", "area claimed"),
    Medical: _row("medical", "suite", "suite booking"),
    InboxItem: _row("decisions", "field safe_because", "opened_at due_at subject_kind field"),
    ForceSettings: _row("settings", "body", "body"),
    ProtectionPlan: _row("plans", "child concern", "begun_at team status"),
    CallBackSample: _row("call-backs", "title", "from_at area per_thousand"),
    NumberSeries: _row("series", "series day", "series day last"),
    BriefingReceipt: _row("receipts", "officer device", "on_device_at opened_at acknowledged_at"),
    Cohort: _row("cohorts", "title mission", "mission title"),
    DeploymentRequest: _row("deployments", "what purpose", "asked_at asking lending status until"),
    Handover: _row("handovers", "audience", "ends_at audience"),
    StopSearch: _row("searches", "power object location", "searched_at power object outcome"),
    UseOfForce: _row("force", "account location", "used_at officer subject_injury"),
    Alarm: _row("warnings", "words key", "raised_at due_at what subject_kind"),
}
"""Kind -> its words."""
KIND_WORDS: Final[dict[str, type[Kind]]] = {words.word: kind for kind, words in TOLD.items()}
"""Word -> kind, in the order of lists."""

if TOLD.keys() != {spec.struct for spec in KINDS.values()}:
    raise TypeError("sync.device.kind_words.TOLD does not say of every record kind what it is called")
