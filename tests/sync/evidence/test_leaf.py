"""Leaves: one form each, decoded for ever, and anything else refused."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StoreError
from schemas.ids import Millis, OpId, RecordId, Seq
from schemas.limits import INT_MAX
from sync.evidence import leaf
from sync.evidence.leaf import EntryLeaf, Leaf, OpLeaf, RowsLeaf
from tests.examples import BOOKING, INCIDENT

AT = Millis(1_700_000_000_000)
OP = OpLeaf(id=OpId("hh-0042/17"), digest=b"\x01" * 32, outcome=b"\x02" * 32, seq=Seq(41), at=AT, place=7)
ROWS = RowsLeaf(seq=Seq(41), at=AT, rows=((BOOKING, b"\x03" * 32), (INCIDENT, b"\x04" * 32)))
ENTRY = EntryLeaf(what="act", key="0199c8a1/3", digest=b"\x05" * 32, at=AT)

digests = st.binary(min_size=32, max_size=32)
numbers = st.integers(min_value=0, max_value=INT_MAX)
records = st.integers(min_value=0, max_value=2**48 - 1).map(lambda at: RecordId(f"0199c8a1-7c00-7a11-8b22-{at:012x}"))
leaves: st.SearchStrategy[Leaf] = st.one_of(
    st.builds(
        OpLeaf, id=st.just(OP.id), digest=digests, outcome=digests, seq=numbers, at=numbers, place=numbers.filter(bool)
    ),
    st.builds(RowsLeaf, seq=numbers, at=numbers, rows=st.lists(st.tuples(records, digests), max_size=5).map(tuple)),
    st.builds(
        EntryLeaf,
        what=st.sampled_from(["act", "reads", "head", "read_kept"]),
        key=st.text(min_size=1, max_size=50),
        digest=digests,
        at=numbers,
    ),
)


@given(leaves)
def test_a_leaf_comes_back(made: Leaf) -> None:
    """Whatever it holds."""
    assert leaf.decode(leaf.encode(made)) == made


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            OP,
            {
                "type": "op",
                "id": "hh-0042/17",
                "digest": OP.digest,
                "outcome": OP.outcome,
                "seq": 41,
                "at": AT,
                "place": 7,
            },
        ),
        (ROWS, {"type": "rows", "seq": 41, "at": AT, "rows": [[row, held] for row, held in ROWS.rows]}),
        (ENTRY, {"type": "entry", "what": "act", "key": "0199c8a1/3", "digest": ENTRY.digest, "at": AT}),
    ],
)
def test_the_bytes_of_a_leaf_are_fixed(made: Leaf, told: dict[str, object]) -> None:
    """Another MessagePack implementation makes the same bytes: a log that is ten years old must still verify."""
    assert leaf.encode(made) == msgpack.packb(told, use_bin_type=True)


def test_different_leaves_have_different_bytes() -> None:
    """No field is left out of what the tree hashes."""
    others = [
        OpLeaf(id=OP.id, digest=OP.outcome, outcome=OP.outcome, seq=OP.seq, at=OP.at, place=OP.place),
        OpLeaf(id=OP.id, digest=OP.digest, outcome=OP.digest, seq=OP.seq, at=OP.at, place=OP.place),
        OpLeaf(id=OP.id, digest=OP.digest, outcome=OP.outcome, seq=Seq(42), at=OP.at, place=OP.place),
        OpLeaf(id=OP.id, digest=OP.digest, outcome=OP.outcome, seq=OP.seq, at=Millis(AT + 1), place=OP.place),
        OpLeaf(id=OP.id, digest=OP.digest, outcome=OP.outcome, seq=OP.seq, at=OP.at, place=8),
        OpLeaf(id=OpId("hh-0042/18"), digest=OP.digest, outcome=OP.outcome, seq=OP.seq, at=OP.at, place=OP.place),
    ]
    assert len({leaf.encode(each) for each in [OP, *others]}) == 7


def packed(**fields: object) -> bytes:
    """The entry's map with some fields replaced."""
    plain = {"type": "entry", "what": "act", "key": "k", "digest": bytes(32), "at": 1}
    return bytes(msgpack.packb({**plain, **fields}, use_bin_type=True))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc0",
        b"\xc1",
        leaf.encode(ENTRY) + b"\x00",
        leaf.encode(ENTRY)[:-1],
        packed(type="other"),
        packed(more=1),
        packed(digest=bytes(31)),
        packed(digest="x" * 32),
        packed(at=1.0),
        b"\x91" * 100_000,
        msgpack.packb({"type": "entry", "what": "\udcff", "key": "k"}, unicode_errors="surrogateescape"),
        # The same values in another order, and a number in more bytes than it needs.
        msgpack.packb({"what": "act", "type": "entry", "key": "k", "digest": bytes(32), "at": 1}),
        packed(at=1)[:-1] + b"\xcd\x00\x01",
    ],
)
def test_what_is_no_leaf_is_refused(raw: bytes) -> None:
    """Also what decodes to a leaf but is not its one form: two leaves of one meaning would be a place to hide."""
    with pytest.raises(StoreError):
        leaf.decode(raw)
