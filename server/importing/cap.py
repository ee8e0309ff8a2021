"""OASIS CAP 1.2 alerts (Common Alerting Protocol): each a briefing.

A weather warning, a missing child, a chemical fire: whoever warns the public warns officers first. An alert names its
sender, its identifier and when it was sent, and these three name it for ever (section 3.2.1), so the same alert makes
the same record. An update or a cancellation is a briefing of its own that stands in the place of those it refers to.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from lxml import etree

from schemas.errors import UsageError
from schemas.ids import FieldName, RecordId, named_record_id
from schemas.kinds.briefing import REPLACED_MAX, Classification, Priority
from schemas.limits import INT_MAX, OP_TEXT_CHARS_MAX
from schemas.scopes import FORCE, area
from server.importing.areas import WEST_MIDLANDS
from server.importing.safe_xml import read_xml
from server.office import Draft

NAMESPACES: Final = ("urn:oasis:names:tc:emergency:cap:1.2", "urn:oasis:names:tc:emergency:cap:1.1")
"""CAP 1.1 differs in what it leaves out; what is read here is the same in both."""
FILE_BYTES_MAX: Final = 1024 * 1024
_SOURCE: Final = "cap"
_TITLE_CHARS_MAX: Final = 200
_DISTRICTS: Final = {
    "E08000025": "Birmingham",
    "E08000026": "Coventry",
    "E08000027": "Dudley",
    "E08000028": "Sandwell",
    "E08000029": "Solihull",
    "E08000030": "Walsall",
    "E08000031": "Wolverhampton",
}
"""Codes of the Office for National Statistics for the seven districts, as a geocode may give them."""
_ALERT_VALUES: Final = {
    "status": ("Actual", "Exercise", "System", "Test", "Draft"),
    "msgType": ("Alert", "Update", "Cancel", "Ack", "Error"),
    "scope": ("Public", "Restricted", "Private"),
}
_INFO_VALUES: Final = {
    "urgency": ("Immediate", "Expected", "Future", "Past", "Unknown"),
    "severity": ("Extreme", "Severe", "Moderate", "Minor", "Unknown"),
    "certainty": ("Observed", "Likely", "Possible", "Unlikely", "Unknown"),
}
"""Required elements with the values that sections 3.2.1 and 3.2.2 allow. CAP 1.1 has no other ones."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")
"""Section 3.3.2: with an offset, never with a `Z`."""
_NOT_FOR_BRIEFING: Final = {
    "System": "it is about the alerting system itself",
    "Test": "it is a test, and nobody is to act on it",
    "Draft": "it is a draft, and nobody is to act on it",
    "Ack": "it acknowledges another message",
    "Error": "it rejects another message",
}
Words = Mapping[str, str]
"""A word of an area's description, in lower case -> the slug of a Local Policing Area."""
WEST_MIDLANDS_WORDS: Final[Words] = {name.casefold(): name.lower() for name in WEST_MIDLANDS}


class NotForBriefing(msgspec.Struct, frozen=True):
    """A sound message that makes no briefing, and why."""

    reason: str


def read(path: Path, words: Words = WEST_MIDLANDS_WORDS) -> Draft | NotForBriefing:
    """A file with one alert.

    Raises:
        UsageError: it cannot be read, or is no CAP alert; the text says which file, where in it and what is wrong.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    return parse(raw, str(path), words)


def parse(raw: bytes, name: str = "alert", words: Words = WEST_MIDLANDS_WORDS) -> Draft | NotForBriefing:
    """One alert as a draft.

    Args:
        raw: the XML.
        name: what the source is called in an error.
        words: where an area's description leads.

    Raises:
        UsageError: it is no CAP alert; the text says where in it and what is wrong.
    """
    alert = _Part(_root(raw, name), name)
    for element, allowed in _ALERT_VALUES.items():
        alert.one_of(element, allowed)
    source = (alert.text("sender"), alert.text("identifier"), alert.text("sent"))
    sent = alert.time("sent")
    infos = alert.parts("info")
    for info in infos:
        info.text("event")
        info.text("category")
        for element, allowed in _INFO_VALUES.items():
            info.one_of(element, allowed)
    status, kind = alert.text("status"), alert.text("msgType")
    reason = _NOT_FOR_BRIEFING.get(status) or _NOT_FOR_BRIEFING.get(kind)
    if reason is None and alert.text("scope") == "Private":
        reason = "it is addressed to others by name"
    if reason is None and not infos:
        reason = "it says nothing of what has happened (no info)"
    if reason is not None:
        return NotForBriefing(reason)
    info = next((one for one in infos if one.maybe("language", "en-US").casefold().startswith("en")), infos[0])
    mark = {"Cancel": "CANCELLED: ", "Update": "UPDATE: "}.get(kind, "")
    if status == "Exercise":
        mark = f"EXERCISE: {mark}"
    values: dict[str, object] = {
        "title": _line(mark + (info.maybe("headline") or info.text("event"))),
        "body": _body(alert, info),
        "audience": _audience(infos, words),
        "issued_at": sent,
        "priority": _priority(kind, infos).value,
    }
    ends = [end for one in infos if (end := one.maybe_time("expires")) is not None]
    values |= {"expires_at": max(ends)} if ends else {}
    # Section 3.2.2: the alert holds from `effective` on; `onset` is when what it warns of begins, which may be days
    # later and after the alert's own end. Officers are told before the storm, and its beginning stands in the text.
    begins = info.maybe_time("effective")
    values |= {"valid_from": begins} if begins is not None and all(begins < end for end in ends) else {}
    if alert.text("scope") == "Restricted":
        caveat = alert.maybe("restriction", "Not for the public.")
        values |= {"classification": Classification.OFFICIAL_SENSITIVE.value, "handling": _line(caveat)}
    before = _referred(alert) if kind in {"Update", "Cancel"} else []
    values |= {"replaces": before[0]} if before else {}
    # Whoever missed an update in between is told by this one all the same that the first alert no longer stands.
    values |= {"also_replaces": before[1:]} if before[1:] else {}
    return Draft(
        record=named_record_id(_SOURCE, *source),
        kind="briefing",
        values={FieldName(field): value for field, value in values.items()},
    )


class _Part:
    """An element of the alert, asked for its parts by name; what is missing or wrong says where."""

    def __init__(self, element: etree._Element, name: str) -> None:
        self._element = element
        self._name = name
        self._space = etree.QName(element).namespace

    def parts(self, element: str) -> list["_Part"]:
        return [_Part(each, self._name) for each in self._element.findall(f"{{{self._space}}}{element}")]

    def texts(self, element: str) -> list[str]:
        found = (each.text for each in self._element.findall(f"{{{self._space}}}{element}"))
        return [text.strip() for text in found if text and text.strip()]

    def text(self, element: str) -> str:
        """Of the first such element.

        Raises:
            UsageError: there is none, or it is empty.
        """
        found = self.texts(element)
        if not found:
            raise self._wrong(f"<{element}> is required and is missing or empty")
        return found[0]

    def maybe(self, element: str, otherwise: str = "") -> str:
        return next(iter(self.texts(element)), otherwise)

    def one_of(self, element: str, allowed: Sequence[str]) -> None:
        if self.text(element) not in allowed:
            raise self._wrong(f"<{element}> is {self.text(element)!r}, and can be {', '.join(allowed)}")

    def time(self, element: str) -> int:
        """In ms since 1970."""
        text = self.text(element)
        try:
            ms = int(datetime.fromisoformat(text).timestamp() * 1_000) if _TIME.fullmatch(text) else None
        except ValueError:
            ms = None
        if ms is None:
            raise self._wrong(f"<{element}> is {text!r}, and no time like 2026-01-31T14:05:00+00:00")
        if not 0 <= ms <= INT_MAX:
            raise self._wrong(f"<{element}> is {text!r}, before 1970")
        return ms

    def maybe_time(self, element: str) -> int | None:
        return self.time(element) if self.texts(element) else None

    def _wrong(self, what: str) -> UsageError:
        here = etree.QName(self._element).localname
        return UsageError(f"{self._name}: line {self._element.sourceline}, in <{here}>: {what}. Nothing was imported")


def _root(raw: bytes, name: str) -> etree._Element:
    if len(raw) > FILE_BYTES_MAX:
        raise UsageError(f"{name}: is larger than {FILE_BYTES_MAX} bytes, and no alert that is read here")
    root = read_xml(raw, name)
    if etree.QName(root).localname != "alert" or etree.QName(root).namespace not in NAMESPACES:
        raise UsageError(f"{name}: is no CAP alert: it begins with <{etree.QName(root).localname}>")
    return root


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _TITLE_CHARS_MAX else flat[: _TITLE_CHARS_MAX - 1] + "…"


def _body(alert: _Part, info: _Part) -> str:
    """What happened, what to do, where, and who says so."""
    areas = ", ".join(text for part in info.parts("area") for text in part.texts("areaDesc"))
    weight = ", ".join(f"{element} {info.text(element)}" for element in _INFO_VALUES)
    onset = info.maybe("onset") if info.maybe_time("onset") is not None else ""
    told = [
        info.maybe("description"),
        info.maybe("instruction"),
        f"Where: {areas}." if areas else "",
        f"Expected from {onset[:10]} {onset[11:16]} (UTC{onset[19:]})." if onset else "",
        f"{info.text('event')}: {weight}.",
        f"Says {info.maybe('senderName') or alert.text('sender')}, in alert {alert.text('identifier')}.",
        f"Contact: {info.maybe('contact')}" if info.maybe("contact") else "",
    ]
    return "\n\n".join(filter(None, told))[:OP_TEXT_CHARS_MAX]


def _audience(infos: Sequence[_Part], words: Words) -> list[str]:
    """The areas that the alert names, by code or by a word of the description; the force where it names none."""
    found = set()
    for part in (part for info in infos for part in info.parts("area")):
        codes = [value for code in part.parts("geocode") for value in code.texts("value")]
        named = " ".join([*part.texts("areaDesc"), *(_DISTRICTS.get(code, "") for code in codes)]).casefold()
        found |= {slug for word, slug in words.items() if re.search(rf"\b{re.escape(word)}\b", named)}
    return sorted(area(slug) for slug in found) or [FORCE]


def _priority(kind: str, infos: Sequence[_Part]) -> Priority:
    """Urgent what is at hand and grave; nothing that comes from outside is taken for officer safety by itself."""
    grave = any(one.text("urgency") == "Immediate" and one.text("severity") in {"Extreme", "Severe"} for one in infos)
    return Priority.URGENT if grave and kind != "Cancel" else Priority.ROUTINE


def _referred(alert: _Part) -> list[RecordId]:
    """The messages that this one refers to, the last sent first: `sender,identifier,sent` each (section 3.2.1)."""
    named = [tuple(one.split(",")) for one in alert.maybe("references").split()]
    whole = {
        (one[2], one[0], one[1]) for one in named if len(one) == len(("sender", "identifier", "sent")) and all(one)
    }
    last = sorted(whole, reverse=True)[: REPLACED_MAX + 1]
    return [named_record_id(_SOURCE, sender, identifier, sent) for sent, sender, identifier in last]
