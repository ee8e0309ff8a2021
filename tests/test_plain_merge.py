"""The merge rules and the digest of docs/protocol.md, written anew from it, give what the core gives."""

from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_row, encode
from schemas.ids import DeviceId, FieldName, Millis, OpNumber, RecordId, Seq
from schemas.kinds import KINDS, KindSpec
from schemas.ops import Op
from sync import digest as ours
from sync import merge
from sync.policies import policy_of
from sync.replica.writing import sight
from tests import plain_merge
from tests.protocol_examples import NOON, OFFICER, RECORD

TAGS = [{"warning": "dog"}, {"warning": "glass", "source": "x"}]
MARKERS: list[Any] = [
    {"add": TAGS[:1]}, {"add": TAGS}, {"remove": TAGS[:1]}, {"remove": TAGS, "add": TAGS[1:]}
]  # fmt: skip
ENTRIES: list[Any] = [[{"text": "p"}], [{"text": "p"}, {"text": "q"}]]
HOLDS = [None, *({"holder": who, "until": until} for who in "xy" for until in (NOON, NOON + 1)), {"holder": "x"}]
SAMPLES: dict[str, dict[str, list[Any]]] = {
    "incident": {
        "summary": ["a", "b"],
        "status": ["open", "attended", "closed", "added-later"],
        "source": [None, "x", "y"],
        "opened_at": [1, 2],
        "grade": ["p1", "scheduled", "added-later"],
        "log": ENTRIES,
        "arrests": [[{"person": "Robin Example", "arrested_at": 1}]],
        "markers": MARKERS,
    },
    "custody-booking": {
        "status": ["detained", "hospital", "released"],
        "relevant_time": [None, 1, 2],
        "risk": [None, "standard", "high", "added-later"],
        "appropriate_adult": [None, "needed", "not-needed", "added-later"],
        "disposal": [None, "bail", "court"],
        "markers": MARKERS,
    },
    "briefing": {
        "title": ["a", "b"],
        "issued_at": [1, 2],
        "priority": [None, "routine", "officer-safety", "added-later"],
        "receipts": [[{"read_at": 1}], [{"read_at": 1}]],
    },
    "receipt": {"opened_at": [None, 1, 2], "acknowledged_at": [None, 3]},
    "cohort": {"title": ["a", "b"], "members": [{"add": [{"name": "a"}]}, {"remove": [{"name": "a"}]}], "log": ENTRIES},
    "resource": {"category": ["cell", "vehicle"], "hold": HOLDS, "note": [None, "a"], "log": ENTRIES},
    "medical": {"allergies": [None, ["a"], ["b", "a"]], "injuries": ENTRIES},
    "use-of-force": {"subject_injury": ["none", "severe", "added-later"], "account": ["a", "b"]},
    "deployment-request": {"status": ["agreed", "refused", "ended"], "how_many": [1, 2], "log": ENTRIES},
    "handover": {"ends_at": [1, 2], "answers": [[{"item": "a", "taken": True, "at": 1}]]},
    "stop-search": {"outcome": [None, "arrest", "added-later"], "grounds": ["a", "b"]},
    "suspect": {"claimed": HOLDS, "markers": MARKERS, "log": ENTRIES},
    "protection-plan": {"status": ["active", "ended"], "begun_at": [1, 2], "actions": ENTRIES},
    "call-back-sample": {"seed": ["a", "b"], "log": ENTRIES},
    "alarm": {"acknowledged": [[{}], [{"note": "x"}]]},
    "inbox-item": {
        "decision": [None, *({"value": value, "reason": why} for value in (1, 2) for why in "pq")],
    },
}
"""Kind -> field -> changes to it."""


@st.composite
def histories(draw: st.DrawFn, kind: str) -> list[Op]:
    """Ops on few fields of one record, so that they meet; each saw any of the earlier ones, or does not say."""
    spec = KINDS[kind]
    names = draw(st.lists(st.sampled_from(sorted(SAMPLES[kind])), min_size=1, max_size=3, unique=True))
    samples = {name: SAMPLES[kind][name] for name in names}
    made: list[Op] = []
    for n in range(1, draw(st.integers(1, 7)) + 1):
        fields = draw(st.lists(st.sampled_from(sorted(samples)), min_size=1, max_size=3, unique=True))
        changes = {FieldName(field): draw(st.sampled_from(samples[field])) for field in fields}
        told = dict.fromkeys(one for field in changes for one in (field, *spec.fields[field].sees))
        saw = {
            field: tuple(draw(st.lists(st.sampled_from([op.id for op in made]), unique=True)) if made else ())
            for field in told
            if draw(st.booleans())
        }
        clock = (draw(st.integers(NOON - 1, NOON + 2)), draw(st.integers(0, 1)))
        made.append(
            Op(
                device=DeviceId(draw(st.sampled_from(["aa", "bb", "cc"]))),
                n=OpNumber(n),
                record=RECORD,
                kind=spec.name,
                author=OFFICER,
                hlc=clock,
                occurred_at=Millis(draw(st.integers(1, 2))),
                wall=NOON,
                changes=changes,
                saw=saw,
                base=Seq(draw(st.integers(0, n))),
                correct=draw(st.booleans()),
                doubt=draw(st.sampled_from([0, 0, 2, 32])),
                after=OpNumber(draw(st.integers(0, n - 1))),
            )
        )
    return made


def plain_op(op: Op) -> dict[str, Any]:
    """The op as a plain MessagePack library reads it."""
    found: dict[str, Any] = msgpack.unpackb(encode(op))
    return found


def plain_row(state: merge.RecordState) -> dict[str, Any]:
    """The row, likewise."""
    row: dict[str, Any] = msgpack.unpackb(encode(merge.to_row(state)))
    return row


def merged_alike(spec: KindSpec, made: list[Op], ready: int, again: int) -> plain_merge.Record:
    """Merge by the core and by the page's rules, and see that nothing differs.

    Args:
        spec, made: ops on a record of that kind.
        ready: how many of them are in the row.
        again: from which one on they are pending, in the row or not.
    """
    state = merge.RecordState(id=RECORD, spec=spec, version=Seq(0), cells={})
    for op in made[:ready]:
        state = merge.apply(state, op, NOON, Seq(op.n))
    record = plain_merge.record_of(plain_row(state))
    for op in made[again:]:
        if not state.holds(op):
            state = merge.apply(state, op)
        plain_merge.apply(record, plain_op(op))
    expected = plain_merge.record_of(plain_row(state))
    assert record.cells == expected.cells
    assert record.upto == expected.upto
    told = {name: policy_of(spec.fields[name]).value(spec.fields[name], cell) for name, cell in state.cells.items()}
    assert record.values() == told
    for name, cell in state.cells.items():
        field = spec.fields[name]
        waits = policy_of(field).unsettled(field, cell)
        open_now = [(one.value, msgpack.unpackb(encode_stamp(one.stamp))) for one in waits]
        assert plain_merge.left_open(plain_merge.FIELDS[spec.name][name], record.cells[name]) == open_now
    changed = sorted(SAMPLES[spec.name])
    seen = sight(spec, state, [FieldName(name) for name in changed])
    assert plain_merge.sight(record, spec.name, changed) == {name: list(ops) for name, ops in seen.items()}
    return record


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@given(st.data())
def test_the_rules_of_the_page_merge_as_the_core_does(kind: str, data: st.DataObject) -> None:
    """Any ops, replayed and repeated, over any row: cells, shown values, what is open and what is seen are the same."""
    made = data.draw(histories(kind), label="ops")
    ready = data.draw(st.integers(0, len(made)), label="in the row")
    merged_alike(KINDS[kind], made, ready, data.draw(st.integers(0, ready), label="still pending though in the row"))


def said(n: int, device: str, kind: str, changes: dict[str, Any], ms: int = 0, **rest: object) -> Op:
    """An op of a device, `ms` after NOON, that says what it saw."""
    facts: dict[str, Any] = {"occurred_at": NOON, "wall": NOON, "author": OFFICER, "saw": {}} | rest
    named = {FieldName(name): value for name, value in changes.items()}
    device_id = DeviceId(device)
    return Op(device=device_id, n=OpNumber(n), record=RECORD, kind=kind, hlc=(NOON + ms, 0), changes=named, **facts)


def hold(holder: str, ms: int | None = None) -> dict[str, Any]:
    """A claim on something, or a reservation until `ms` after NOON."""
    return {"hold": {"holder": holder} | ({} if ms is None else {"until": NOON + ms})}


ARREST = {"arrests": [{"person": "Robin Example", "arrested_at": NOON}]}
UNSEEN: dict[str, Any] = {"status": (), "arrests": (), "abuse_victims": (), "assessments": ()}
RARE: dict[str, tuple[list[Op], str, object, int]] = {
    "a reservation that becomes a hold leaves the displaced claim waiting": (
        [
            said(1, "aa", "resource", hold("x", 9)),
            said(2, "bb", "resource", hold("y"), saw={"hold": ()}),
            said(3, "aa", "resource", hold("x"), saw={"hold": ("aa/1",)}),
        ],
        "hold", {"holder": "x"}, 2,
    ),
    "a reservation is not given up by another device": (
        [
            said(1, "aa", "resource", hold("x", 9)),
            said(2, "bb", "resource", {"hold": None}, saw={"hold": ("aa/1",)}),
        ],
        "hold", {"holder": "x", "until": NOON + 9}, 0,
    ),
    "a reservation that has ended is free": (
        [said(1, "aa", "resource", hold("x", -1)), said(2, "bb", "resource", hold("y"), saw={"hold": ()})],
        "hold", {"holder": "y"}, 0,
    ),
    "nothing that was decided is a decision": (
        [
            said(1, "aa", "incident", {"source": "x"}),
            said(2, "bb", "incident", {"source": None}, saw={"source": ("aa/1",)}, correct=True),
            said(3, "cc", "incident", {"source": "y"}, saw={"source": ()}),
        ],
        "source", None, 2,
    ),
    "of two closings the one that saw the arrest stands": (
        [
            said(1, "aa", "incident", ARREST),
            said(2, "bb", "incident", {"status": "closed"}, 5, saw=UNSEEN),
            said(3, "cc", "incident", {"status": "closed"}, 1, saw=UNSEEN | {"arrests": ("aa/1",)}),
        ],
        "status", "closed", 0,
    ),
    "so it does when it came first": (
        [
            said(1, "aa", "incident", ARREST),
            said(2, "cc", "incident", {"status": "closed"}, 1, saw=UNSEEN | {"arrests": ("aa/1",)}),
            said(3, "bb", "incident", {"status": "closed"}, 5, saw=UNSEEN),
        ],
        "status", "closed", 0,
    ),
    "an arrest in the closing itself does not contest it": (
        [said(1, "aa", "incident", ARREST | {"status": "closed"}, saw=UNSEEN)],
        "status", "closed", 0,
    ),
    "an unknown risk is above all": (
        [
            said(1, "aa", "custody-booking", {"risk": "high"}),
            said(2, "bb", "custody-booking", {"risk": "added-later"}, saw={"risk": ()}),
        ],
        "risk", "added-later", 0,
    ),
}  # fmt: skip
"""What happens -> ops in the order of arrival, the field, what is shown, and how many values wait for a person."""


@pytest.mark.parametrize("name", RARE)
def test_what_seldom_meets_merges_as_the_page_says(name: str) -> None:
    """Cases that chance finds too rarely: by the core and by the page's rules, on the server and while pending."""
    made, field, shown, waits = RARE[name]
    for ready in range(len(made) + 1):
        record = merged_alike(KINDS[made[0].kind], made, ready, ready)
        assert record.values()[field] == shown
        assert len(plain_merge.left_open(plain_merge.FIELDS[record.kind][field], record.cells[field])) == waits


def encode_stamp(stamp: object) -> bytes:
    """A stamp's bytes, by the library that writes them in rows."""
    return msgspec.msgpack.encode(stamp)


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@given(st.data())
def test_what_is_kept_in_trust_is_read_as_the_core_reads_it(kind: str, data: st.DataObject) -> None:
    """A row of a server that could not read some changes: a program that can merges them, and only them."""
    spec, made = KINDS[kind], data.draw(histories(kind), label="ops")
    unread = frozenset(FieldName(name) for name in data.draw(st.sets(st.sampled_from(sorted(SAMPLES[spec.name])))))
    state = merge.RecordState(id=RECORD, spec=spec, version=Seq(0), cells={})
    for op in made:
        beyond = unread if data.draw(st.booleans()) else merge.NO_FIELDS
        state = merge.apply(state, op, NOON, Seq(op.n), unread=beyond & op.changes.keys())
    row = plain_row(state)
    read = merge.from_row(decode_row(encode(merge.to_row(state))))
    record = plain_merge.record_of(row)
    expected = plain_merge.record_of(plain_row(read) | {"trust": {}})
    assert record.cells == expected.cells
    assert record.values() == read.values()


def test_the_samples_have_every_policy() -> None:
    """A policy that is added is tried above too."""
    tried = {KINDS[kind].fields[FieldName(name)].policy.name for kind, told in SAMPLES.items() for name in told}
    assert tried == {field.policy.name for spec in KINDS.values() for field in spec.fields.values()}
    written = {name for name, spec in KINDS.items() if not all(field.by_rule for field in spec.fields.values())}
    assert SAMPLES.keys() == written


def stamp(device: str, n: int, seq: int) -> list[Any]:
    """A stamp of version 1: an array of 8."""
    return [device, n, NOON + n, 0, "WM20417", NOON, NOON + n, seq]


def test_a_row_of_version_1_is_read_and_merged() -> None:
    """Stamps of 8, a grade and a status written as `latest`, no `upto`: a change that saw them takes their place."""
    row = {
        "id": RECORD, "kind": "incident", "v": 4, "stamps": [stamp("aa", 3, 2), stamp("bb", 9, 4)],
        "cells": {"grade": ["p1", 0], "status": ["open", 1], "colour": ["red", 0]},
    }  # fmt: skip
    record = plain_merge.record_of(row)
    assert record.values() == {"grade": "p1", "status": "open"}
    assert record.upto == {"aa": 3, "bb": 9}
    op = {"device": "cc", "n": 1, "hlc": [NOON, 0], "author": "x", "occurred_at": NOON, "base": 2,
          "changes": {"grade": "scheduled", "status": "closed"}}  # fmt: skip
    plain_merge.apply(record, op)
    assert record.values() == {"grade": "scheduled", "status": "open"}
    assert [value for value, _ in record.cells["status"].said] == ["open", "closed"]


@pytest.mark.parametrize(
    ("spec", "value", "readable"),
    [
        ({"policy": "highest", "values": ["high"]}, "high", True),
        ({"policy": "highest", "values": ["high"]}, None, True),
        ({"policy": "highest", "values": ["high"]}, "added-later", False),
        ({"policy": "grow", "parts": {"response": ["awake"]}}, [{"response": "awake"}, {}], True),
        ({"policy": "grow", "parts": {"response": ["awake"]}}, [{"response": "awake"}, {"response": "x"}], False),
        (
            {"policy": "tags", "parts": {"kind": ["dog"]}},
            {"add": [{"kind": "dog"}], "remove": [{"kind": "cat"}]},
            False,
        ),
        ({"policy": "latest"}, ["anything"], True),
    ],
    ids=str,
)
def test_an_unknown_word_is_found(spec: dict[str, Any], value: object, readable: bool) -> None:  # noqa: FBT001 - a parameter
    """Wherever it is in a change, it is for a newer program."""
    assert plain_merge.reads(spec, value) is readable


MEMBERS = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 2**53)), max_size=60, unique_by=lambda pair: pair[0])


@given(MEMBERS)
def test_the_digest_of_the_page_is_the_core_s(drawn: list[tuple[int, int]]) -> None:
    """Any members: the same 32 bytes."""
    pairs = [(RecordId(f"{RECORD[:-2]}{n:02x}"), Seq(version)) for n, version in drawn]
    assert plain_merge.digest(pairs) == ours.of(pairs)


def test_an_op_that_was_not_taken_is_laid_over_a_row_that_holds_later_ones() -> None:
    """A copy of the device made the later ones; what the officer wrote stays in view, and the row's count stays."""
    record = plain_merge.Record("incident", {}, {"hh-1": 9})
    op = {
        "device": "hh-1", "n": 4, "hlc": [5, 0], "author": "WM1", "occurred_at": 5, "changes": {"summary": "mine"}
    }  # fmt: skip
    plain_merge.apply(record, op)
    assert record.values() == {}
    plain_merge.apply(record, op, not_taken=True)
    assert record.values() == {"summary": "mine"}
    assert record.upto["hh-1"] == 9
