"""Who is let into a session: the challenge, the proof, the versions, the clock, and a HELLO in time."""

from typing import Any

import msgspec
import pytest

from schemas import wire
from schemas.codec import encode
from schemas.ids import Millis
from schemas.limits import CLOCK_SKEW_NOTICE_MS, CREDIT_BYTES, HELLO_TIMEOUT_MS
from sync.session.steps import CheckHello
from sync.session.table import ServerState
from tests.example_messages import HELLO_BODY, UP
from tests.examples import AREA, EPOCH, HANDHELD, SUITE, T0, noise
from tests.sync.session.server_end import (
    BRIEFING_SCOPE,
    NONCE,
    admission,
    at,
    challenged,
    ended_with,
    hello,
    in_state,
    own,
)


def test_the_challenge_comes_first() -> None:
    """Nonce, clock, versions."""
    assert own(challenged()) == [wire.Challenge(nonce=NONCE, server_time=T0, proto_min=1, proto_max=wire.PROTO)]


def test_a_device_is_looked_up_and_let_in() -> None:
    """WELCOME tells the epoch, the clock, the last op, the credit and a plan per scope."""
    one = challenged()
    own(one)
    body = msgspec.structs.replace(HELLO_BODY, scopes=())
    assert one.receive(hello(), T0) == CheckHello(HANDHELD, body)
    assert (one.device, one.state) == (None, ServerState.CHECKING)
    one.admit(admission(area=at(3)), T0)
    assert one.device == HANDHELD
    (welcome,) = own(one)
    assert isinstance(welcome, wire.Welcome)
    assert (welcome.epoch, welcome.server_time, welcome.last_op) == (EPOCH, T0, 6)
    assert welcome.credit == CREDIT_BYTES
    assert [(plan.scope, plan.action, plan.seq) for plan in welcome.scopes] == [
        (AREA, "snapshot", 3),
        (BRIEFING_SCOPE, "snapshot", 0),
        (SUITE, "snapshot", 0),
    ]


@pytest.mark.parametrize(
    "forged",
    [hello(key=b"another key"), hello(nonce=noise("old nonce", 32)), encode(UP["hello"])],
    ids=["another key", "another nonce", "no signature"],
)
def test_a_wrong_proof_is_refused(forged: bytes) -> None:
    """A recorded HELLO is worth nothing under another nonce; no device is known then."""
    one = challenged()
    one.receive(forged, T0)
    one.admit(admission(), T0)
    assert (ended_with(one), one.device) == ("bad_proof", None)


@pytest.mark.parametrize("schema", range(wire.SCHEMA_MIN, wire.SCHEMA_MAX + 1))
def test_a_device_one_version_behind_or_ahead_is_let_in(schema: int) -> None:
    """The session knows its version, so that its ops are judged by it, and WELCOME tells the window."""
    one = challenged()
    assert one.schema == wire.SCHEMA
    assert one.receive(hello(schema=schema), T0) is not None
    one.admit(admission(), T0)
    assert one.schema == schema
    (welcome,) = [said for said in own(one) if isinstance(said, wire.Welcome)]
    assert (welcome.schema_min, welcome.schema_max) == (wire.SCHEMA_MIN, wire.SCHEMA_MAX)


@pytest.mark.parametrize("body", [{"proto": wire.PROTO + 1}, {"schema": wire.SCHEMA_MAX + 1}])
def test_another_version_is_told_to_upgrade(body: dict[str, Any]) -> None:
    """Before the device is even looked up."""
    one = challenged()
    assert one.receive(hello(**body), T0) is None
    assert ended_with(one) == "upgrade_required"


@pytest.mark.parametrize("ahead", [CLOCK_SKEW_NOTICE_MS, CLOCK_SKEW_NOTICE_MS + 1, -CLOCK_SKEW_NOTICE_MS - 1])
def test_a_clock_that_is_far_off_is_told_so_and_let_in(ahead: int) -> None:
    """Evidence is never refused for skew."""
    one = challenged()
    one.receive(hello(wall=Millis(T0 + ahead)), T0)
    one.admit(admission(), T0)
    notices = [said.value for said in own(one) if isinstance(said, wire.Notice)]
    assert notices == ([ahead] if abs(ahead) > CLOCK_SKEW_NOTICE_MS else [])
    assert ended_with(one) is None


@pytest.mark.parametrize("state", [ServerState.CHALLENGED, ServerState.CHECKING])
def test_a_hello_must_come_in_time(state: ServerState) -> None:
    """A socket that says nothing is given up."""
    one = in_state(state)
    assert one.deadline() == T0 + HELLO_TIMEOUT_MS
    one.tick(Millis(T0 + HELLO_TIMEOUT_MS - 1))
    assert ended_with(one) is None
    one.tick(Millis(T0 + HELLO_TIMEOUT_MS))
    assert ended_with(one) == "hello_late"
    assert one.deadline() is None
