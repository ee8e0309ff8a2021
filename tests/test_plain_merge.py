"""The merge rules and the digest of docs/protocol.md, written anew from it, give what the core gives."""

from typing import Any

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.ids import Millis, OpNumber, RecordId, Seq
from schemas.kinds import KINDS, kind_named
from schemas.ops import Op
from sync import digest as ours
from sync import merge
from tests import plain_merge
from tests.protocol_examples import NOON, OFFICER, RECORD, incident

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "summary": st.sampled_from(["a", "b"]),
        "status": st.sampled_from(["open", "closed"]),
        "source": st.sampled_from([None, "x", "y"]),
        "opened_at": st.integers(1, 2),
        "log": st.lists(st.builds(lambda text: {"text": text}, st.sampled_from("pq")), min_size=1, max_size=2),
    },
).filter(bool)
OPS = st.lists(
    st.tuples(st.sampled_from(["aa", "bb", "cc"]), st.integers(1, 3), st.integers(0, 1), st.integers(1, 2), CHANGES),
    max_size=6,
)


@given(OPS, st.data())
def test_the_rules_of_the_page_merge_as_the_core_does(drawn: list[Any], data: st.DataObject) -> None:
    """Any ops, replayed and repeated, over any row: the plain rules and the core's give the same cells."""
    spec = kind_named("incident")
    assert spec is not None
    made = [
        Op(device=device, n=OpNumber(n), record=RECORD, kind="incident", author=OFFICER, hlc=(ms, tick),
           occurred_at=Millis(when), wall=NOON, changes=changes)
        for n, (device, ms, tick, when, changes) in enumerate(drawn, start=1)
    ]  # fmt: skip
    ready = data.draw(st.integers(0, len(made)), label="in the row")
    again = data.draw(st.integers(0, ready), label="still pending though in the row")
    state = merge.new_state(incident(1, RECORD), spec)
    for op in made[:ready]:
        state = merge.apply(state, op, NOON, Seq(op.n))
    row = _row(state)
    cells = {name: plain_merge.in_place(name, cell, row["stamps"]) for name, cell in row["cells"].items()}
    for op in made[again:]:
        state = merge.apply(state, op)
        stamp = [op.device, op.n, *op.hlc, op.author, op.occurred_at, 0, 0]
        for name, value in op.changes.items():
            cells[name] = plain_merge.merged(name, cells.get(name), value, stamp)
    expected = _row(state)
    assert cells == {
        name: plain_merge.in_place(name, cell, expected["stamps"]) for name, cell in expected["cells"].items()
    }


def _row(state: merge.RecordState) -> dict[str, Any]:
    row: dict[str, Any] = msgpack.unpackb(encode(merge.to_row(state)))
    return row


def test_the_client_knows_every_field_policy() -> None:
    """What the page says of fields is what the kinds declare."""
    for policy, told in (("grow", plain_merge.GROW), ("once", plain_merge.ONCE)):
        declared = {
            name for spec in KINDS.values() for name, field in spec.fields.items() if field.policy.name == policy
        }
        assert declared == told


SCOPES = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 2**53)), max_size=60, unique_by=lambda pair: pair[0])


@given(SCOPES)
def test_the_digest_of_the_page_is_the_core_s(drawn: list[tuple[int, int]]) -> None:
    """Any members: the same 32 bytes."""
    pairs = [(RecordId(f"{RECORD[:-2]}{n:02x}"), Seq(version)) for n, version in drawn]
    assert plain_merge.digest(pairs) == ours.of(pairs)
