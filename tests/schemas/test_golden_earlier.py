"""Golden bytes of earlier versions: they are never made anew, and are read for ever, by all that may meet them.

The rows named `whole` are of the server of version 1: grade, risk and status as `latest`, stamps of 8, no `upto`.
"""

import hashlib
from pathlib import Path
from typing import Any

import jsonschema
import msgpack
import pytest

from schemas import codec, wire
from schemas.export import MESSAGES, message_schema, part_schema, record_schema, tag_of
from schemas.ids import DeviceId, FieldName, Millis, OpNumber, Seq
from schemas.kinds import KINDS, CustodyBooking, Incident
from schemas.ops import Op, Row, Stamp
from sync import check, merge
from tests import plain_merge
from tests.examples import HANDHELD, OTHER, T0, op
from tests.golden_make import FOLDERS, page, readable

FINGERPRINTS = {
    "v1": "dadb310ba191c4f725d56e5a1000307735efb97de1c19408c39713a1d9a3f079",
    "v2": "c5181eb2137e2c5b5f5b070ecaf1178579071b0ba8972f997bf06ab645024ddb",
    "v3": "4ab291daf951367425acf069db8b7a7c1e841b78d6844e4be03bca6119ee2e33",
}
"""Version -> SHA-256 over the names and bytes of its files."""
FILES = {f"{folder}/{path.stem}": path for folder in FINGERPRINTS for path in sorted((FOLDERS / folder).glob("*.bin"))}
MESSAGE_OF = {tag_of(message): message for message in MESSAGES}
FIX_MAP = 0x80
"""First byte of a MessagePack map of up to 15 pairs, without their number."""
MAP_16 = 0xDE
"""First byte of one of up to 2^16 pairs."""
DOUBT_AT = Stamp.__struct_fields__.index("doubt")


def fingerprint(folder: Path) -> str:
    """SHA-256 over every file of a folder, in order of names."""
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        found.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    return found.hexdigest()


def plain(name: str) -> dict[str, Any]:
    """A file as a plain MessagePack library reads it."""
    found: dict[str, Any] = msgpack.unpackb(FILES[name].read_bytes())
    return found


def decoded(name: str) -> Any:  # noqa: ANN401 - a message, an op or a row
    """A file as our codec reads it."""
    data = FILES[name].read_bytes()
    match name.partition("/")[2].partition("-")[0]:
        case "up":
            return codec.decode_up(data)
        case "down":
            return codec.decode_down(data)
        case "hello":
            return codec.decode_hello_body(data)
        case "op":
            return codec.decode_op(data)
        case _:
            return codec.decode_row(data)


def test_there_is_a_folder_for_every_version() -> None:
    """Whoever raises the version begins a folder, and fingerprints the one that was."""
    assert {path.name for path in FOLDERS.iterdir()} == {f"v{version}" for version in range(1, wire.SCHEMA + 1)}
    assert set(FINGERPRINTS) == {f"v{version}" for version in range(wire.SCHEMA_MIN, wire.SCHEMA)}


@pytest.mark.parametrize("folder", FINGERPRINTS)
def test_nothing_of_an_earlier_version_is_touched(folder: str) -> None:
    """Its bytes are what devices and stores hold: they cannot be changed by changing a file here."""
    assert fingerprint(FOLDERS / folder) == FINGERPRINTS[folder]


def test_a_touched_file_is_noticed(tmp_path: Path) -> None:
    """Another byte, another name, a file more: each is another fingerprint."""
    seen = []
    (tmp_path / "a.bin").write_bytes(b"ab")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "a.bin").write_bytes(b"ac")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "b.bin").write_bytes(b"")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "b.bin").rename(tmp_path / "c.bin")
    seen.append(fingerprint(tmp_path))
    assert len(set(seen)) == len(seen)


def as_now(value: Any, *, stamps: bool = False) -> Any:  # noqa: ANN401 - any plain value
    """A plain value with what the present version adds of itself: the ninth element of each stamp."""
    match value:
        case dict():
            return {key: as_now(each, stamps=key == "stamps") for key, each in value.items()}
        case list() if stamps:
            return [[*each, 0] if len(each) == DOUBT_AT else each for each in value]
        case list():
            return [as_now(each) for each in value]
        case _:
            return value


@pytest.mark.parametrize("name", FILES)
def test_our_codec_loses_nothing_of_it(name: str) -> None:
    """Decoded and encoded again, every key and value is there; only stamps have become longer."""
    found = decoded(name)
    again = msgpack.unpackb(codec.encode(found))
    # Rows inside messages are passed on as they came, and so are ops and the body of HELLO.
    assert again == (as_now(plain(name)) if isinstance(found, Row) else plain(name))


@pytest.mark.parametrize("name", FILES)
def test_plain_msgpack_reads_it_as_its_page_tells(name: str) -> None:
    """An independent implementation reads and writes the same bytes."""
    data = FILES[name].read_bytes()
    assert page(data) == FILES[name].with_suffix(".json").read_text(encoding="utf-8")
    written = msgpack.packb(msgpack.unpackb(data))
    # Of a map that may have more than 15 keys our encoder writes the longer head, however many there are.
    wide = "/op-" in name and data[0] == MAP_16
    assert written == (bytes([FIX_MAP | len(msgpack.unpackb(data))]) + data[3:] if wide else data)


@pytest.mark.parametrize("name", FILES)
def test_it_fits_the_json_schemas_of_today(name: str) -> None:
    """What an older program sends is what the published schemas of the present one allow."""
    found = decoded(name)
    part = type(found) if isinstance(found, wire.HelloBody | Op | Row) else None
    schema = part_schema(part) if part is not None else message_schema(MESSAGE_OF[plain(name)["t"]])
    told = readable(plain(name))
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(told)] == []
    if part in (Op, Row):
        key, title = ("changes", "Changes") if part is Op else ("cells", "Cells")
        kind = record_schema(KINDS[found.kind])
        validator = jsonschema.Draft202012Validator({**kind["$defs"][title], "$defs": kind["$defs"]})
        assert [error.message for error in validator.iter_errors(told[key])] == []  # type: ignore[index]


@pytest.mark.parametrize("name", [name for name in FILES if "/op-" in name])
def test_an_old_op_is_taken(name: str) -> None:
    """By the checks of today: fields that were retired since are still written by the devices that know them."""
    found = decoded(name)
    assert check.op_alone(found) is KINDS[found.kind]
    if found.create:
        assert check.op_on(None, found, KINDS[found.kind]) is None
        state = merge.apply(merge.new_state(found, KINDS[found.kind]), found, T0, Seq(1))
        row = merge.to_row(state)
        assert check.outcome(state, row, len(codec.encode(row))) is None


@pytest.mark.parametrize("name", [name for name in FILES if "/row-" in name])
def test_an_old_row_is_read_alike_by_the_core_and_by_a_client_made_from_the_page(name: str) -> None:
    """Values, and what it says of the ops that it holds; in the first version that follows from its stamps."""
    state = merge.from_row(decoded(name))
    record = plain_merge.record_of(plain(name))
    assert record.values() == state.values()
    assert record.upto == state.upto
    first_version = name.startswith("v1/")
    by_stamps = {
        stamp[0]: max(each[1] for each in plain(name)["stamps"] if each[0] == stamp[0])
        for stamp in plain(name)["stamps"]
    }
    assert state.upto == (by_stamps if first_version else plain(name).get("upto", {}))


def test_an_old_incident_goes_on() -> None:
    """Its grade and status, written as `latest`, merge as `highest` and `state` from here on."""
    state = merge.from_row(decoded("v1/row-incident-whole"))
    built = state.build()
    assert isinstance(built, Incident)
    assert (built.grade.value, built.status.value, len(built.log)) == ("p2", "assigned", 2)
    base, standing = state.version, state.cells[FieldName("grade")].said
    assert standing is not None
    blind = op(30, state.id, "incident", {"grade": "scheduled"}, base=Seq(0), device=DeviceId("hh-0500"))
    seeing = op(31, state.id, "incident", {"grade": "scheduled"}, base=base)
    naming = op(32, state.id, "incident", {"grade": "scheduled"}, saw={"grade": (standing.stamp.op,)})
    shown = {}
    for n, made in (("blind", blind), ("seeing", seeing), ("naming", naming)):
        after = merge.apply(state, made, Millis(T0 + 9_000_000), Seq(base + 1))
        shown[n] = after.values()[FieldName("grade")]
    assert shown == {"blind": "p2", "seeing": "scheduled", "naming": "scheduled"}


def test_an_old_incident_is_closed_by_who_saw_it_and_contested_by_who_did_not() -> None:
    """A closing that saw the old status stands; an arrest whose author had not seen it contests it."""
    state = merge.from_row(decoded("v1/row-incident-whole"))
    closing = op(33, state.id, "incident", {"status": "closed"}, base=state.version)
    assert check.op_on(state, closing, state.spec) is None
    closed = merge.apply(state, closing, Millis(T0 + 9_000_000), Seq(state.version + 1))
    assert closed.values()[FieldName("status")] == "closed"
    arrest = op(
        20, state.id, "incident", {"arrests": [{"person": "Robin Example", "arrested_at": T0}]}, base=state.version,
        device=OTHER, saw={"status": ("hh-0117/9",)},
    )  # fmt: skip
    after = merge.apply(closed, arrest, Millis(T0 + 9_000_001), Seq(state.version + 2))
    assert after.values()[FieldName("status")] == "attended"


def test_an_old_booking_goes_on() -> None:
    """Risk, observation, status, the differing relevant time and the retired cell are all there, and can be changed."""
    state = merge.from_row(decoded("v1/row-booking-whole"))
    built = state.build()
    assert isinstance(built, CustodyBooking)
    assert built.risk is not None
    assert built.observation is not None
    assert (built.risk.value, built.observation.value, built.status.value, built.cell) == (
        "high",
        "l3",
        "detained",
        "M7",
    )
    assert len(state.cells[FieldName("relevant_time")].beside) == 1
    released = op(40, state.id, "custody-booking", {"status": "released"}, base=state.version)
    in_hospital = op(20, state.id, "custody-booking", {"status": "hospital"}, base=state.version, device=OTHER)
    for first, second in ((released, in_hospital), (in_hospital, released)):
        after = merge.apply(state, first, Millis(T0 + 9_000_000), Seq(state.version + 1))
        after = merge.apply(after, second, Millis(T0 + 9_000_000), Seq(state.version + 2))
        assert after.values()[FieldName("status")] == "hospital"


def test_an_old_row_tells_which_ops_it_holds() -> None:
    """An op whose value stands in it is not laid over it again; a later one is."""
    state = merge.from_row(decoded("v1/row-booking-whole"))
    kept = op(6, state.id, "custody-booking", {"risk": "standard"})
    later = op(41, state.id, "custody-booking", {"risk": "standard"})
    assert (kept.device, state.upto[HANDHELD]) == (HANDHELD, OpNumber(6))
    assert state.holds(kept)
    assert not state.holds(later)
