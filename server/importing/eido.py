"""NENA EIDO 1.0 (NENA-STA-021.1, Emergency Incident Data Object): the incident that another control room hands over.

An EIDO is a flat list of components that refer to each other by `$id`. Read are the calls, who called and from which
number, the places by value (PIDF-LO, RFC 4119, with a civic address of RFC 5139 or a point of GML), and the comments
beside the calls (RFC 7852). A place or data by reference is not fetched: it is named in the log, for a person. What is
not read stays where it is, so the log says which object it was. The same incident makes the same record.

An EIDO comes alone, or as the notification of a subscription; the other messages of the interface carry no incident.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from lxml import etree

from schemas.errors import UsageError
from schemas.ids import FieldName, named_record_id
from schemas.kinds.incident import Category
from schemas.limits import INT_MAX
from server.importing.areas import WEST_MIDLANDS
from server.importing.safe_xml import read_xml
from server.office import Draft

FILE_BYTES_MAX: Final = 1024 * 1024
_SOURCE: Final = "eido"
_VERSION: Final = "1."
_LINE_CHARS_MAX: Final = 200
_NOTE_CHARS_MAX: Final = 4_000
_TELEPHONE_CHARS_MAX: Final = 40
_CIVIC: Final = ("HNO", "HNS", "PRD", "RD", "STS", "A4", "A3", "A2", "A1", "PC")
"""Parts of a civic address (RFC 5139, RFC 6848) in the order in which people say them."""
_AREAS: Final = {name.casefold(): name.lower() for name in WEST_MIDLANDS}
_POINT: Final = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s+(-?\d+(?:\.\d+)?)")
"""GML, by EPSG:4326: latitude first."""
_ASKED: Final = "first-contact"
"""The rule that whoever speaks to a caller first asks about their vulnerability (`sync.policing.incidents.guards`)."""
ASKED_ELSEWHERE: Final = (
    "Taken over from {issuer}, who spoke to the caller. What they asked about vulnerability was not handed over: ask "
    "them, or the caller."
)
"""What the log says of it."""
Component = Mapping[str, Any]


def read(path: Path, area: str | None = None) -> list[Draft]:
    """The incidents in a file.

    Args:
        path: the file.
        area: slug of the area of an incident whose place names none.

    Raises:
        UsageError: it cannot be read, or is no EIDO; the text says which file, where in it and what is wrong.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    return parse(raw, str(path), area)


def parse(raw: bytes, name: str = "eido", area: str | None = None) -> list[Draft]:
    """The incidents in a message: one, or those of a notification.

    Raises:
        UsageError: it holds none, or one is not sound; the text says where and what is wrong. No draft is given then.
    """
    if len(raw) > FILE_BYTES_MAX:
        raise UsageError(f"{name}: is larger than {FILE_BYTES_MAX} bytes, and no EIDO that is read here")
    try:
        message = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{name}: is no JSON that can be read: {error}. Nothing was imported") from None
    if not isinstance(message, dict):
        raise UsageError(f"{name}: is no EIDO: a JSON object is expected")
    told = message.get("event")
    found = told.get("notification") if isinstance(told, dict) else [message]
    if not isinstance(found, list) or not found or not all(_is_eido(one) for one in found):
        keys = ", ".join(list(message)[:3]) or "nothing"
        raise UsageError(f"{name}: holds no EIDO, but {keys}. Nothing was imported")
    return [_Eido(one, name).draft(area) for one in found]


def _is_eido(value: object) -> bool:
    return isinstance(value, dict) and "eidoVersion" in value


class _Eido:
    """One object, asked for its parts."""

    def __init__(self, value: dict[str, Any], name: str) -> None:
        self._value = value
        self._name = name

    def draft(self, area: str | None) -> Draft:
        version = self._text(self._value, "eidoVersion")
        if not version.startswith(_VERSION):
            raise self._wrong("eidoVersion", f"is {version!r}; read here is {_VERSION}x")
        identifier, issuer = self._text(self._value, "$id"), self._text(self._value, "issuingElementIdentification")
        calls = self._components("callComponent")
        times = [self._time(call, "callStartTimestamp") for call in calls if "callStartTimestamp" in call]
        places = list(self._places())
        slug = next((slug for text, _ in places if (slug := _area_in(text)) is not None), area)
        if slug is None:
            raise UsageError(
                f"{self._name}: {identifier}: its place names no Local Policing Area; say which with --area, over HTTP "
                "with ?area=. Nothing was imported"
            )
        kinds = sorted({self._text(call, "standardPrimaryCallType") for call in calls})
        values: dict[str, Any] = {
            "opened_at": min(times) if times else self._updated(),
            "area": slug,
            "category": Category.PUBLIC_SAFETY.value,
            "summary": f"{', '.join(kinds) or 'Incident'} from {issuer}"[:_NOTE_CHARS_MAX],
            "source": f"EIDO {identifier}"[:_LINE_CHARS_MAX],
        }
        said = next((text for text, _ in places if text), "")
        values |= {"location": said[:_LINE_CHARS_MAX]} if said else {}
        point = next((point for _, point in places if point is not None), None)
        values |= {"position": point} if point is not None else {}
        people = list(self._callers())
        values |= {"people": people} if people else {}
        notes = [{"text": text[:_NOTE_CHARS_MAX]} for text in self._notes() if text]
        # The caller spoke to others. What those asked is not in an EIDO, and nobody here was there to ask it.
        notes += (
            [{"text": ASKED_ELSEWHERE.format(issuer=issuer[:_LINE_CHARS_MAX]), "overrides": _ASKED}] if people else []
        )
        values |= {"log": notes} if notes else {}
        return Draft(
            record=named_record_id(_SOURCE, identifier),
            kind="incident",
            values={FieldName(field): value for field, value in values.items()},
        )

    def _components(self, name: str) -> list[Component]:
        found = self._value.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._wrong(name, "is no list of objects")
        return found

    def _callers(self) -> Iterator[dict[str, str]]:
        """Who called, each with the number by which they can be called back, as it was given."""
        numbers = {
            str(one.get("$id")): one.get("callBackInformationUri") for one in self._components("callbackComponent")
        }
        for person in self._components("personComponent"):
            roles, reference = person.get("personIncidentRoleRegistryText"), person.get("callBackReference")
            if not isinstance(roles, list) or "Caller" not in roles:
                continue
            given = numbers.get(str(reference.get("$ref"))) if isinstance(reference, dict) else None
            uris = [uri for uri in given if isinstance(uri, str)] if isinstance(given, list) else []
            number = next((uri.removeprefix("tel:") for uri in uris if uri.startswith("tel:")), "")
            told = {"part": "caller", "name": "Caller"}
            yield told | ({"telephone": number[:_TELEPHONE_CHARS_MAX]} if number else {})

    def _places(self) -> Iterator[tuple[str, dict[str, float] | None]]:
        """(civic address or "", point or None) of each place by value; the caller's before one only for routing."""
        routing = "RoutingLocation"
        for place in sorted(
            self._components("locationComponent"),
            key=lambda one: one.get("locationTypeDescriptionRegistryText") == routing,
        ):
            text = place.get("locationByValue")
            if isinstance(text, str):
                root = read_xml(text.encode(), f"{self._name}: locationByValue")
                yield _civic(root), _point(root)

    def _notes(self) -> Iterator[str]:
        for data in self._components("additionalDataComponent"):
            text = data.get("additionalDataByValue")
            if isinstance(text, str) and "EmergencyCallData.Comment" in text:
                root = read_xml(text.encode(), f"{self._name}: additionalDataByValue")
                yield " ".join(one.text.strip() for one in root.iter("{*}Comment") if one.text)
        for place in self._components("locationComponent"):
            if isinstance(place.get("locationByReferenceUrl"), str):
                yield "A place is given by reference only, and was not fetched."

    def _updated(self) -> int:
        """The samples of the standard's working group write its name in two ways."""
        name = "lastUpdateTimeStamp" if "lastUpdateTimeStamp" in self._value else "lastUpdateTimestamp"
        return self._time(self._value, name)

    def _text(self, part: Component, name: str) -> str:
        found = part.get(name)
        if not isinstance(found, str) or not found.strip():
            raise self._wrong(name, "is required and is missing or no text")
        return found.strip()

    def _time(self, part: Component, name: str) -> int:
        text = self._text(part, name)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        ms = int(at.timestamp() * 1_000) if at is not None and at.tzinfo is not None else -1
        if not 0 <= ms <= INT_MAX:
            raise self._wrong(name, f"is {text!r}, and no time with an offset since 1970")
        return ms

    def _wrong(self, where: str, what: str) -> UsageError:
        return UsageError(f"{self._name}: {where} {what}. Nothing was imported")


def _civic(root: etree._Element) -> str:
    for address in root.iter("{*}civicAddress"):
        parts = {etree.QName(part).localname: (part.text or "").strip() for part in address}
        return " ".join(parts[name] for name in _CIVIC if parts.get(name))
    return ""


def _point(root: etree._Element) -> dict[str, float] | None:
    for position in root.iter("{*}pos"):
        found = _POINT.match(position.text or "")
        if found is not None:
            latitude, longitude = map(float, found.groups())
            if abs(latitude) <= 90 and abs(longitude) <= 180:  # noqa: PLR2004  degrees
                return {"longitude": longitude, "latitude": latitude}
    return None


def _area_in(text: str) -> str | None:
    words = text.casefold()
    return next((slug for name, slug in _AREAS.items() if re.search(rf"\b{re.escape(name)}\b", words)), None)
