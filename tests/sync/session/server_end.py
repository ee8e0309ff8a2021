"""The server's end of a session in any state, and the shell's part: what it reads, and what is said then."""

from typing import Any, Final

import msgspec

from schemas import wire
from schemas.codec import decode_down, encode
from schemas.errors import PeerError
from schemas.ids import Generation, OpNumber, ScopeName, Seq
from sync import digest
from sync.session import Admission, Grant, Head, ServerSession
from sync.session.steps import Send, WantChanges, WantPage
from sync.session.table import ServerState
from tests.example_messages import HELLO_BODY, UP
from tests.examples import AREA, EPOCH, HANDHELD, SUITE, T0, noise
from tests.sim.server import sign, verify

NONCE: Final = noise("nonce", wire.NONCE_BYTES)
KEY: Final = b"the device's key"
BRIEFING_SCOPE: Final = ScopeName("area:birmingham:briefing")
GEN: Final = Generation(1)
EMPTY: Final = Head(Seq(0), digest.EMPTY, 0)
ERROR: Final = wire.Error(code="gap", recovery="retry")


def receipted(message: wire.Up) -> wire.Up:
    """The message, with the signature of the tests' device where it bears a receipt."""
    match message:
        case wire.Retracted(scope=scope, gen=gen, removed=removed, at=when, receipt=receipt) if receipt:
            said = wire.RECEIPT_CONTEXT + msgspec.msgpack.encode([HANDHELD, scope, gen, removed, when])
        case wire.Wiped(at=when):
            said = wire.WIPED_CONTEXT + msgspec.msgpack.encode([HANDHELD, when])
        case _:
            return message
    return msgspec.structs.replace(message, receipt=sign(KEY, said))


UP_MESSAGES: Final = (*(receipted(message) for name, message in UP.items() if name != "push-edits"), ERROR)
"""One of each; ops that differ from others only fit in a session that has those."""


def hello(*, key: bytes = KEY, nonce: bytes = NONCE, **body: Any) -> bytes:  # noqa: ANN401  fields of HelloBody
    """A HELLO as a device with that key would say it."""
    raw = encode(msgspec.structs.replace(HELLO_BODY, **({"scopes": ()} | body)))
    return encode(wire.Hello(body=raw, proof=sign(key, wire.PROOF_CONTEXT + nonce + raw)))


def admission(**heads: Head) -> Admission:
    """Grants of three scopes of generation 1, in the order in which a session learns of them."""
    grants = {
        AREA: Grant(GEN, heads.get("area", EMPTY)),
        BRIEFING_SCOPE: Grant(GEN, heads.get("briefing", EMPTY)),
        SUITE: Grant(GEN, heads.get("suite", EMPTY)),
    }
    return Admission(public_key=KEY, grants=grants, epoch=EPOCH, last_op=OpNumber(6))


def at(seq: int) -> Head:
    """A head at a commit, with some digest."""
    return Head(Seq(seq), noise(f"head {seq}", 32), seq)


def challenged() -> ServerSession:
    """A session on an open socket."""
    return ServerSession(NONCE, verify, T0)


def live(admitted: Admission | None = None, **body: Any) -> ServerSession:  # noqa: ANN401  fields of HelloBody
    """A session that has let its device in, with nothing of its own left to send."""
    one = challenged()
    one.receive(hello(**body), T0)
    one.admit(admission() if admitted is None else admitted, T0)
    own(one)
    return one


def in_state(state: ServerState) -> ServerSession:
    """A session that has come to a state in the usual way."""
    one = live() if state in {ServerState.LIVE, ServerState.CLOSED} else challenged()
    if state is ServerState.CHECKING:
        one.receive(hello(), T0)
    if state is ServerState.CLOSED:
        one.fail(PeerError("silent"))
    own(one)
    return one


def own(one: ServerSession) -> list[wire.Down]:
    """What it has to say of its own, without any read."""
    said = []
    while one.waiting:
        step = one.next_step()
        assert isinstance(step, Send)
        said.append(decode_down(step.frame))
    return said


def ended_with(one: ServerSession) -> str | None:
    """The code it ended with, if it did."""
    return None if one.ending is None else one.ending.spec.code


def page(one: ServerSession, *rows: bytes, upto: str = "") -> wire.Down | None:
    """Answer the page it wants next."""
    step = one.next_step()
    assert isinstance(step, WantPage)
    frame = one.page_read(step, list(rows), upto)
    return None if frame is None else decode_down(frame)


def batch(one: ServerSession, to: int, *, ended: bool = True) -> wire.Batch:
    """Answer the changes it wants next."""
    step = one.next_step()
    assert isinstance(step, WantChanges)
    message = wire.Batch(scope=step.scope, gen=step.gen, frm=step.after, to=Seq(to))
    frame = one.changes_read(step, Seq(to), encode(message), ended=ended)
    assert frame is not None
    return message


def past_snapshots(one: ServerSession) -> None:
    """Let every scope's snapshot, of nothing, and the batch behind it go out."""
    while (step := one.next_step()) is not None:
        if isinstance(step, WantPage):
            one.page_read(step, [], "")
        elif isinstance(step, WantChanges):
            batch(one, step.after)


def asked(*cuts: str, spoilt: int) -> tuple[wire.Repair, list[tuple[bytes, int]]]:
    """A REPAIR of ranges between cuts, one of them not as the server has it, and the server's answers."""
    ends = ["", *cuts, ""]
    ours = [(noise(f"range {number}", 32), number) for number in range(len(ends) - 1)]
    theirs = [(bytes(32), 0) if number == spoilt else one for number, one in enumerate(ours)]
    ranges = tuple(
        wire.Range(after=ends[number], upto=ends[number + 1], digest=one, count=count)
        for number, (one, count) in enumerate(theirs)
    )
    return wire.Repair(scope=AREA, gen=GEN, ranges=ranges), ours
