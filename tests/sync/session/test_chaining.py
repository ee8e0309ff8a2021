"""What a session lets into a seat's chain: everything honest, nothing replayed, reordered, spliced, forked or forged.

The reference is the chain itself, written down from its beginning: a push is honest exactly when its ops, with what it
tells of the others, follow what the server holds, and the signature is by the seat's key over what stands behind them.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.codec import encode, reread_op
from schemas.ids import DeviceId, Epoch, FieldName, Millis, OfficerId, OpNumber, named_record_id
from schemas.limits import UNSENT_LEN_MAX
from schemas.ops import Op
from sync.evidence.chain import ChainHead, SignedHead, behind, genesis, head_words, link_after
from sync.session import Admission, ServerSession
from sync.session.steps import CheckHello, Commit
from tests.sim.server import sign, verify

SEAT: Final = DeviceId("hh-0042")
OTHER_SEAT: Final = DeviceId("hh-0042-2")
KEY: Final = b"the handheld's key"
OFFICER: Final = OfficerId("WM21877")
NOW: Final = Millis(1_760_000_000_000)
NONCE: Final = bytes(32)
HELLO: Final = wire.HelloBody(
    proto=wire.PROTO, schema=wire.SCHEMA, device=SEAT, next_op=OpNumber(1), wall=NOW, mono=0, credit=1_048_576
)


class Made(NamedTuple):
    """An op, its bytes, and where the chain stands before it."""

    op: Op
    body: bytes
    before: ChainHead

    @property
    def told(self) -> tuple[OpNumber, bytes]:
        """Number and hash."""
        return self.op.n, hashlib.sha256(self.body).digest()


def chained(count: int, seat: DeviceId = SEAT, begin: ChainHead | None = None, *, older: bool = False) -> list[Made]:
    """So many ops of a seat, each behind the one before; those of an older program bear no links."""
    head = genesis(seat) if begin is None else begin
    made = []
    for n in range(head.n + 1, head.n + 1 + count):
        op = Op(
            device=seat,
            n=OpNumber(n),
            record=named_record_id("chained", str(n)),
            kind="incident",
            author=OFFICER,
            hlc=(NOW, n),
            occurred_at=NOW,
            wall=NOW,
            changes={FieldName("summary"): f"number {n}"},
            link=b"" if older else head.link,
            salt=b"" if older else bytes(16),
        )
        one = Made(op, encode(op), head)
        made.append(one)
        head = behind(head, [one.told])
    return made


def head_behind(made: Sequence[Made], begin: ChainHead | None = None) -> ChainHead:
    """Where the chain stands behind these."""
    return behind(made[0].before if begin is None else begin, [one.told for one in made])


def push(made: Sequence[Made], *, sent: Callable[[int], bool] = bool, **wrong: object) -> wire.Push:
    """An honest PUSH of some of these ops, which tells of the others; or one with something in it replaced."""
    fields: dict[str, object] = {
        "ops": tuple(one.body for one in made if sent(one.op.n)),
        "unsent": tuple(one.told for one in made if not sent(one.op.n)),
        "head": sign(KEY, head_words(SEAT, head_behind(made))),
    }
    return wire.Push(**(fields | wrong))  # type: ignore[arg-type]  # fields by name


def session(
    held: ChainHead | None = None, *, chains: bool = True, officer: OfficerId | None = OFFICER
) -> ServerSession:
    """A live session of the seat, whose chain the server holds so far."""
    one = ServerSession(NONCE, verify, NOW)
    body = encode(HELLO)
    assert isinstance(
        one.receive(encode(wire.Hello(body=body, proof=sign(KEY, wire.PROOF_CONTEXT + NONCE + body))), NOW), CheckHello
    )
    chain = (genesis(SEAT) if held is None else held) if chains else None
    one.admit(
        Admission(public_key=KEY, grants={}, epoch=Epoch("0" * 16), last_op=OpNumber(0), officer=officer, chain=chain),
        NOW,
    )
    return one


def take(one: ServerSession, message: wire.Push) -> Commit | None:
    """What the session makes of a PUSH."""
    demand = one.receive(encode(message), NOW)
    assert demand is None or isinstance(demand, Commit)
    return demand


def code(one: ServerSession) -> str | None:
    """With what it ended, if it did."""
    return None if one.ending is None else one.ending.spec.code


OPS: Final = chained(6)


def test_an_honest_push_is_handed_on_with_the_head_that_was_signed() -> None:
    """Whoever keeps it can check it with no server: seat, first link, hashes and signature lead to the head."""
    one = session()
    demand = take(one, push(OPS, sent=lambda n: n != 3))
    assert demand is not None
    head = demand.head
    assert isinstance(head, SignedHead)
    assert (head.seat, head.before, head.head) == (SEAT, genesis(SEAT).link, head_behind(OPS))
    assert head.ops == tuple(made.told for made in OPS)
    assert verify(KEY, head_words(SEAT, head.head), head.signature)
    assert dict(demand.unsent) == dict([OPS[2].told])


def test_pushes_follow_each_other() -> None:
    """Each head goes on from the one before it in the session, without a word of the store's in between."""
    one = session()
    for start in range(0, 6, 2):
        assert take(one, push(OPS[start : start + 2])) is not None
    assert code(one) is None


def test_what_the_server_has_vouched_for_already_needs_no_head() -> None:
    """Ops up to its head that are offered again are handed on as they are; the store knows them."""
    one = session(head_behind(OPS[:4]))
    demand = take(one, wire.Push(ops=tuple(made.body for made in OPS[:4])))
    assert demand is not None
    assert demand.head is None
    again = take(one, push(OPS[4:], ops=tuple(made.body for made in OPS)))
    assert again is not None
    assert again.head is not None


def test_an_older_program_s_ops_without_links_are_taken_where_the_signature_puts_them() -> None:
    """They say nothing of what was before them; the signature over the head does, also behind and before newer ones."""
    older = chained(3, older=True)
    newer = chained(2, begin=head_behind(older))
    demand = take(session(), push([*older, *newer]))
    assert demand is not None
    assert demand.head is not None
    assert demand.head.ops == tuple(made.told for made in [*older, *newer])


def test_a_chain_is_brought_on_by_hashes_alone() -> None:
    """A run of ops that were given up is longer than one message tells; those before go without any op."""
    many = chained(UNSENT_LEN_MAX + 3)
    one = session()
    assert take(one, push(many[:UNSENT_LEN_MAX], sent=lambda n: n > len(many))) is not None
    assert take(one, push(many[UNSENT_LEN_MAX:], sent=lambda n: n == len(many))) is not None


def test_a_server_that_keeps_no_chains_looks_at_none() -> None:
    """Its devices push without heads."""
    assert take(session(chains=False), wire.Push(ops=(OPS[3].body,))) == Commit(
        (OPS[3].body,), len(encode(wire.Push(ops=(OPS[3].body,)))), since=NOW
    )


def test_after_a_restore_the_chain_goes_on_from_what_the_server_still_holds() -> None:
    """What it lost comes again under the same links, with a new head over it."""
    one = session(head_behind(OPS[:2]))
    demand = take(one, push(OPS[2:], ops=tuple(made.body for made in OPS)))
    assert demand is not None
    assert demand.head is not None
    assert demand.head.ops == tuple(made.told for made in OPS[2:])


_FORK: Final = chained(2, begin=behind(head_behind(OPS[:3]), [(OpNumber(4), b"the copy's op 4")]))
_OTHERS: Final = chained(3, OTHER_SEAT)
_FORGED: Final = sign(b"another key", head_words(SEAT, head_behind(OPS)))
_ALTERED: Final = encode(msgspec.structs.replace(OPS[1].op, changes={FieldName("summary"): "altered"}))


def _without(made: Made, part: str) -> Made:
    """The op with its link or its salt taken off, in the same place."""
    op = msgspec.structs.replace(made.op, **{part: b""})
    return Made(op, encode(op), made.before)


_OLDER: Final = chained(3, older=True)
_SWAPPED: Final = (_OLDER[0].body, encode(msgspec.structs.replace(_OLDER[2].op, n=OpNumber(2))), _OLDER[2].body)
_AGAIN: Final = (OpNumber(3), b"another op 3".ljust(32))
_BACK: Final = ChainHead(OpNumber(1), link_after(head_behind(OPS[:3]).link, *OPS[0].told))

ATTACKS: Final[dict[str, tuple[ChainHead | None, wire.Push, str]]] = {
    "a signature of another key": (None, push(OPS, head=_FORGED), "chain_broken"),
    "no signature": (None, push(OPS, head=b""), "chain_broken"),
    "a signature over an earlier head": (
        None, push(OPS, head=sign(KEY, head_words(SEAT, head_behind(OPS[:5])))), "chain_broken",
    ),
    "a signature over the head for another seat": (
        None, push(OPS, head=sign(KEY, head_words(OTHER_SEAT, head_behind(OPS)))), "chain_broken",
    ),
    "a signature over a receipt": (
        None, push(OPS, head=sign(KEY, wire.RECEIPT_CONTEXT + head_words(SEAT, head_behind(OPS))[17:])), "chain_broken",
    ),
    "an op altered": (None, push(OPS, ops=(OPS[0].body, _ALTERED, *(one.body for one in OPS[2:]))), "chain_broken"),
    "an op left out": (None, push(OPS, ops=tuple(one.body for one in OPS if one.op.n != 3)), "chain_broken"),
    "the last op left out": (None, push(OPS, ops=tuple(one.body for one in OPS[:5])), "chain_broken"),
    "another seat's op": (None, push(_OTHERS), "foreign_op"),
    "another seat's chain under this name": (
        None,
        push([Made(reread_op(made.body), encode(msgspec.structs.replace(made.op, device=SEAT)), made.before)
              for made in _OTHERS]),
        "chain_broken",
    ),
    "an op spliced in under a new signature": (
        head_behind(OPS[:3]), push([OPS[4]], head=sign(KEY, head_words(SEAT, behind(head_behind(OPS[:3]),
                                                                                    [OPS[4].told])))), "chain_broken",
    ),
    "a fork": (head_behind(OPS[:4]), push(_FORK), "chain_broken"),
    "a fork under what the server would sign for": (
        head_behind(OPS[:4]), push(_FORK, head=sign(KEY, head_words(SEAT, head_behind(_FORK, head_behind(OPS[:4]))))),
        "chain_broken",
    ),
    "a chain that begins anew": (
        head_behind(OPS[:4]),
        push(chained(6)[4:], ops=tuple(made.body for made in chained(6, begin=ChainHead(OpNumber(4), bytes(32)))[:2])),
        "chain_broken",
    ),
    "an op told of twice": (None, push(OPS, unsent=(OPS[2].told,)), "chain_broken"),
    "a hash told twice": (
        None, push(OPS[:2], sent=lambda n: n == 2, unsent=(OPS[0].told, OPS[0].told)), "chain_broken",
    ),
    "a hash behind the head": (head_behind(OPS[:3]), push(OPS[3:], unsent=(OPS[0].told,)), "chain_broken"),
    "a way back": (
        head_behind(OPS[:3]),
        wire.Push(
            ops=(), unsent=(OPS[0].told,),
            head=sign(KEY, head_words(SEAT, _BACK)),
        ),
        "chain_broken",
    ),
    "the last number once more": (
        head_behind(OPS[:3]),
        wire.Push(
            ops=(), unsent=(_AGAIN,),
            head=sign(KEY, head_words(SEAT, ChainHead(_AGAIN[0], link_after(head_behind(OPS[:3]).link, *_AGAIN)))),
        ),
        "chain_broken",
    ),
    "an op whose link was taken off": (head_behind(OPS[:3]), push([_without(OPS[3], "link")]), "chain_broken"),
    "a fork whose salt was taken off": (
        head_behind(OPS[:4]),
        push([_without(_FORK[0], "salt")],
             head=sign(KEY, head_words(SEAT, head_behind([_without(_FORK[0], "salt")], head_behind(OPS[:4]))))),
        "chain_broken",
    ),
    "another op in the place of an older program's": (None, push(_OLDER, ops=_SWAPPED), "chain_broken"),
    "another hash for an op that is not sent": (
        None, push(OPS, sent=lambda n: n != 3, unsent=((OpNumber(3), bytes(32)),)), "chain_broken",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_the_seat_s_own_next_word_ends_the_session(attack: str) -> None:
    """Nothing of such a push is handed on, and nothing after it either."""
    held, message, expected = ATTACKS[attack]
    one = session(held)
    assert take(one, message) is None
    assert code(one) == expected
    assert take(one, push(OPS)) is None


def test_ops_in_another_order_are_put_in_theirs_or_refused() -> None:
    """The chain is by numbers: the head is the same, whatever the order in a message."""
    one = session()
    demand = take(one, push(OPS, ops=tuple(made.body for made in reversed(OPS))))
    assert demand is not None
    assert demand.head is not None
    assert demand.head.head == head_behind(OPS)


def test_an_op_of_another_officer_is_not_this_seat_s() -> None:
    """A seat is one officer's; a shared handheld has a chain for each."""
    one = session(officer=OfficerId("WM20417"))
    assert (take(one, push(OPS)), code(one)) == (None, "foreign_op")


def test_the_same_op_twice_in_one_push_is_no_chain() -> None:
    """A number stands once."""
    one = session()
    assert (take(one, push(OPS, ops=(*(made.body for made in OPS), OPS[-1].body))), code(one)) == (None, "chain_broken")


@pytest.mark.parametrize(
    ("said", "set_back"),
    [(None, True), (head_behind(OPS[:2]), True), (head_behind(OPS[:4]), False), (head_behind(OPS), False),
     (ChainHead(OpNumber(4), bytes(32)), True)],
    ids=["nothing", "less", "the same", "more", "another link"],
)  # fmt: skip
def test_a_seat_that_says_less_or_otherwise_than_is_held_is_noticed(said: ChainHead | None, *, set_back: bool) -> None:
    """Its replica was set back or copied; it is let in all the same, and somebody is told."""
    one = ServerSession(NONCE, verify, NOW)
    place = None if said is None else wire.ChainPlace(n=said.n, link=said.link)
    body = encode(msgspec.structs.replace(HELLO, chain=place))
    one.receive(encode(wire.Hello(body=body, proof=sign(KEY, wire.PROOF_CONTEXT + NONCE + body))), NOW)
    held = head_behind(OPS[:4])
    one.admit(Admission(public_key=KEY, grants={}, epoch=Epoch("0" * 16), last_op=OpNumber(4), chain=held), NOW)
    assert (one.set_back, code(one)) == (set_back, None)


# --- the reference ---------------------------------------------------------------------------------------------------


LENGTH: Final = 8
REAL: Final = chained(LENGTH)
FALSE: Final = chained(LENGTH, begin=ChainHead(OpNumber(0), bytes(32)))


def honest(held: int, message: wire.Push, signed: ChainHead) -> bool:
    """Whether a push says, behind so many ops, just what the chain is: worked out from the chain as a whole.

    Of what the server holds the head of already it says nothing: that is offered again, and the store knows it.
    """
    sent = [(reread_op(body).n, body) for body in message.ops if reread_op(body).n > held]
    new, told = {n: hashlib.sha256(body).digest() for n, body in sent}, dict(message.unsent)
    if not new and not told:
        return True
    if len(sent) + len(message.unsent) > len(new.keys() | told.keys()):
        return False
    last = max(new.keys() | told.keys())
    whole = dict(made.told for made in REAL[held:last])
    right = {**new, **told} == whole
    return right and signed == head_behind(REAL[:last]) and not any(n <= held for n in told)


@given(
    held=st.integers(0, LENGTH),
    sent=st.lists(st.tuples(st.integers(0, LENGTH - 1), st.booleans()), max_size=LENGTH, unique=True),
    told=st.lists(st.tuples(st.integers(0, LENGTH - 1), st.booleans()), max_size=4),
    upto=st.integers(1, LENGTH),
    whole=st.booleans(),
)
def test_exactly_what_follows_is_let_in(
    held: int, sent: list[tuple[int, bool]], told: list[tuple[int, bool]], upto: int, *, whole: bool
) -> None:
    """Whatever is made of true and false ops, hashes and signatures: it is let in if the chain says so, else not."""
    ops = tuple((FALSE if false else REAL)[at].body for at, false in sent)
    unsent = tuple((FALSE if false else REAL)[at].told for at, false in told)
    if whole:
        # As an honest device would: all that lies between, told or sent.
        given = {at for at, _ in sent}
        unsent = tuple(made.told for made in REAL[held:upto] if made.op.n - 1 not in given)
    signed = head_behind(REAL[:upto])
    message = wire.Push(ops=ops, unsent=unsent, head=sign(KEY, head_words(SEAT, signed)))
    one = session(head_behind(REAL[:held]) if held else None)
    demand = take(one, message)
    assert (demand is not None) == honest(held, message, signed), code(one)
    assert (one.ending is None) == (demand is not None)
