"""Every bound fits its neighbours, says its unit and its reason, and the types and kinds stay inside."""

import ast
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import bounds, limits
from schemas.codec import decode_down, decode_hello_body, decode_op, encode
from schemas.errors import FrameError
from schemas.ids import FieldName, Generation, Millis, OfficerId, OpNumber, ScopeName, Seq
from schemas.kinds import KINDS
from schemas.ops import Op, Row, Stamp
from schemas.reference import limits_page
from schemas.wire import HelloBody, Position, Snapshot
from tests.examples import AREA, EPOCH, GEN, HANDHELD, INCIDENT, T0, noise

SOURCE = Path(limits.__file__).read_text(encoding="utf-8")
BOUNDS = {name: value for name, value in vars(limits).items() if re.fullmatch(r"[A-Z][A-Z_]+", name) and name != "KIB"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEXT_BYTES_MAX", limits.OP_BYTES_MAX),
        ("OP_BYTES_MAX", limits.MESSAGE_BYTES_MAX),
        ("RECORD_BYTES_MAX", limits.OP_BYTES_MAX - 1),
        ("RECORD_BYTES_MAX", limits.PAGE_BYTES_MAX),
        ("COMMIT_BYTES_SOFT_MAX", limits.PAGE_BYTES_MAX),
        ("PAGE_BYTES_MAX", limits.MESSAGE_BYTES_MAX),
        ("OPS_PER_COMMIT_MAX", limits.PAGE_ROWS_MAX + 1),
        ("PAGE_ROWS_MAX", limits.ARRAY_LEN_MAX + 1),
        ("ENTRIES_PER_FIELD_MAX", limits.ARRAY_LEN_MAX),
        ("OPS_PER_PUSH_MAX", limits.OPS_PER_COMMIT_MAX + 1),
        ("FIELDS_PER_OP_MAX", limits.MAP_LEN_MAX + 1),
        ("CREDIT_BYTES", limits.MESSAGE_BYTES_MAX - 1),
        ("CREDIT_BYTES_TOTAL_MAX", limits.CREDIT_BYTES - 1),
        ("IDLE_TIMEOUT_MS", 3 * limits.PING_INTERVAL_MS),
        ("SCOPES_PER_RECORD_MAX", limits.SCOPES_PER_DEVICE_MAX + 1),
        ("SCOPES_PER_DEVICE_MAX", limits.ARRAY_LEN_MAX + 1),
        ("HELLO_BODY_BYTES_MAX", limits.MESSAGE_BYTES_MAX),
        ("OP_DEPTH_MAX", limits.DEPTH_MAX - 4),
        ("ELEMENTS_UP_MAX", limits.SCOPES_PER_DEVICE_MAX * 11),
    ],
)
def test_a_bound_that_no_longer_fits_fails_at_import(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    """Whoever changes one bound is told which neighbour it no longer fits."""
    limits._check_relations()
    monkeypatch.setattr(limits, name, value)
    with pytest.raises(ValueError, match=r"schemas/limits\.py: bounds that no longer fit each other: \w"):
        limits._check_relations()


def test_every_bound_is_told_with_its_reason() -> None:
    """The generated page holds each bound, and nothing that is none."""
    page = limits_page(SOURCE)
    assert sorted(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == sorted(BOUNDS)


def test_every_bound_is_positive_and_whole() -> None:
    """A bound is a whole number above zero."""
    for name, value in BOUNDS.items():
        assert type(value) is int, name
        assert value > 0, name


def test_a_bound_without_a_reason_is_noticed() -> None:
    """A constant with no string behind it does not pass."""
    with pytest.raises(ValueError, match="NEW_BYTES_MAX has no reason"):
        limits_page(f"{SOURCE}\nNEW_BYTES_MAX: Final = 3\n")


def test_a_bound_without_a_unit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant whose name does not say what it counts does not pass."""
    monkeypatch.setattr(limits, "MAX_OF_IT", 3, raising=False)
    with pytest.raises(ValueError, match="MAX_OF_IT has no unit"):
        limits_page(f'{SOURCE}\nMAX_OF_IT: Final = 3\n"""Because."""\n')


def test_bounds_are_not_written_twice() -> None:
    """A bound is never repeated as a number in the schemas or the core, where it would not follow a change."""
    rare = {value for name, value in BOUNDS.items() if value > 20_000 and name != "CLOCK_SKEW_NOTICE_MS"}
    apart = ("schemas/limits.py", "sync/device/")
    root = Path(limits.__file__).resolve().parent.parent
    found = [
        f"{path.relative_to(root)}:{node.lineno}"
        for package in ("schemas", "sync")
        for path in sorted((root / package).rglob("*.py"))
        if not str(path.relative_to(root)).startswith(apart)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value in rare
    ]
    assert found == []


def test_the_densest_page_fits_in_a_message() -> None:
    """A page full of the shortest entries is read by every device: else one officer's dots would stop a whole area."""
    entries: list[Any] = [[{"text": "."}, at % 4, at % 64] for at in range(limits.ENTRIES_PER_FIELD_MAX)]
    cells = {FieldName(name): entries for name in ("checks", "property_items", "log")}
    stamps = [Stamp(HANDHELD, OpNumber(at + 1), 0, 0, OfficerId("a"), 0, 0, 1) for at in range(4)]
    row = encode(Row(id=INCIDENT, kind="custody-booking", v=Seq(1), stamps=stamps, cells=cells))
    assert len(row) <= limits.RECORD_BYTES_MAX
    rows = tuple(msgspec.Raw(row) for _ in range(limits.PAGE_BYTES_MAX // len(row)))
    decode_down(encode(Snapshot(scope=AREA, gen=GEN, at=Seq(1), after="", upto="", rows=rows)))


def test_the_deepest_message_is_as_deep_as_told() -> None:
    """A correction in a row in a batch is the deepest that there is, and well inside DEPTH_MAX."""
    entry: list[Any] = [{"text": "x", "corrects": ["hh-0117/9", 0]}, 0, 0]
    cells = {FieldName("log"): [entry]}
    row = Row(id=INCIDENT, kind="incident", v=Seq(1), stamps=[], cells=cells)
    frame = encode(Snapshot(scope=AREA, gen=GEN, at=Seq(1), after="", upto="", rows=(msgspec.Raw(encode(row)),)))

    def passes(depth: int) -> bool:
        try:
            bounds.check(frame, depth_max=depth)
        except FrameError:
            return False
        return True

    assert passes(8)
    assert not passes(7)


def test_the_fullest_hello_fits() -> None:
    """A device that holds all the scopes it may, each in the middle of a snapshot, can still say HELLO."""
    scopes = tuple(
        Position(
            scope=ScopeName(f"area:{'a' * 36}{at:04}:briefing"),
            gen=Generation(limits.INT_MAX),
            seq=Seq(limits.INT_MAX),
            after=INCIDENT,
            digest=noise("x", 32),
        )
        for at in range(limits.SCOPES_PER_DEVICE_MAX)
    )
    body = HelloBody(
        proto=1,
        schema=1,
        device=HANDHELD,
        epoch=EPOCH,
        scopes=scopes,
        next_op=OpNumber(1),
        wall=T0,
        mono=0,
        credit=limits.CREDIT_BYTES,
    )
    data = encode(body)
    assert len(data) < 64 * limits.KIB < limits.HELLO_BODY_BYTES_MAX
    assert len(decode_hello_body(data).scopes) == limits.SCOPES_PER_DEVICE_MAX


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_widest_op_on_a_kind_fits(kind: str) -> None:
    """An op that appends all it may to every growing field at once is within the bound on a device's values."""
    full: list[Any] = [{f"f{at}": [None] for at in range(4)}] * limits.ENTRIES_PER_OP_MAX
    changes: dict[FieldName, Any] = {
        name: full if field.policy.name == "grow" else [None] * 64 for name, field in KINDS[kind].fields.items()
    }
    op = Op(
        device=HANDHELD,
        n=OpNumber(1),
        record=INCIDENT,
        kind=kind,
        author=OfficerId("WM1"),
        hlc=(0, 0),
        occurred_at=Millis(0),
        wall=Millis(0),
        changes=changes,
    )
    assert decode_op(encode(op)).changes.keys() == changes.keys()
