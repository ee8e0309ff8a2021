"""A device's link: who waits is woken by an answer, a cut or the server's word, and a former link says nothing more.

The sockets are made of gevent's queues, so nothing here blocks, and nothing is patched.
"""

from collections.abc import Iterator

import gevent
import msgpack
import pytest
from gevent.queue import Queue
from websocket import ABNF, WebSocketConnectionClosedException

from loadtest.locust import client
from loadtest.locust.chain import Key
from loadtest.locust.client import Contact, LinkError
from loadtest.locust.session import Device
from loadtest.locust.wire import packed
from tests.loadtest.locust.hearing import SEED, Clock, challenge, welcome

RECORD = "019b796c-eba0-7000-8000-0000000000a1"
WAIT_S = 5.0


class Wire:
    """What stands for a WebSocket: what the server says is put in, what the device sends is kept."""

    def __init__(self) -> None:
        self.down: Queue = Queue()
        self.sent: list[bytes] = []
        self.closed_with: int | None = None

    def say(self, *messages: bytes) -> None:
        """The server sends."""
        for each in messages:
            self.down.put((ABNF.OPCODE_BINARY, each))

    def getsubprotocol(self) -> str:
        """What was agreed."""
        return "beatbook.v1"

    def recv_data(self) -> tuple[int, bytes]:
        """The next message; an exception once it is shut."""
        opcode, data = self.down.get()
        if data is None:
            raise WebSocketConnectionClosedException("shut")
        return opcode, data

    def send_binary(self, data: bytes) -> None:
        """Keep it."""
        self.sent.append(data)

    def settimeout(self, seconds: float) -> None:
        """Nothing times out here."""

    def close(self, status: int = 1000, timeout: float = 0) -> None:
        """Close in order."""
        self.closed_with = status
        self.shutdown()

    def shutdown(self) -> None:
        """Wake whoever reads."""
        self.down.put((0, None))


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Wire]]:
    """The connections that were made, in order; each has a challenge and a welcome waiting."""
    made: list[Wire] = []

    def create(*_: object, **__: object) -> Wire:
        wire = Wire()
        wire.say(challenge(), welcome())
        made.append(wire)
        # To connect takes a while, and others are heard meanwhile.
        gevent.sleep(0)
        gevent.sleep(0)
        return wire

    monkeypatch.setattr(client, "create_connection", create)
    monkeypatch.setattr(Contact, "_socket", lambda _: None)
    yield made
    for wire in made:
        wire.shutdown()


def contact() -> Contact:
    """A link that is not up, of a device that holds nothing."""
    clock, made = Clock(), Contact("ws://127.0.0.1:1/v1/sync")
    made.device = Device("hh-0042", "WM20417", Key(SEED), made, wall=lambda: clock.wall, mono=lambda: clock.mono)
    return made


def durable(n: int) -> bytes:
    """RESULTS that say so."""
    return packed({"t": "results", "results": [{"n": n, "status": "durable", "seq": 1}]})


def test_an_answer_wakes_whoever_waits_for_it(wires: list[Wire]) -> None:
    """Also when it came before anybody waited."""
    made = contact()
    made.connect(WAIT_S)
    own = made.device.write(RECORD, "incident", {"log": [{"text": "Seen."}]}, create=True)
    made.send()
    assert msgpack.unpackb(wires[0].sent[-1])["ops"] == [own.body]
    gevent.spawn(wires[0].say, durable(1))
    assert made.answer_to(own, WAIT_S)["seq"] == 1
    assert made.answer_to(own, 0)["seq"] == 1


def test_a_cut_fails_who_waits_and_keeps_what_was_written(wires: list[Wire]) -> None:
    """The op goes again with the next link, and is answered then."""
    made = contact()
    made.connect(WAIT_S)
    own = made.device.write(RECORD, "incident", {"log": [{"text": "Seen."}]}, create=True)
    made.send()
    gevent.spawn(made.cut)
    with pytest.raises(LinkError, match="cut"):
        made.answer_to(own, WAIT_S)
    assert not made.up
    later = made.device.write(RECORD, "incident", {"log": [{"text": "In the cellar."}]})
    assert not later.live
    waiting = gevent.spawn(made.connect, WAIT_S)
    gevent.sleep(0)
    while len(wires) < 2 or len(wires[1].sent) < 2:
        gevent.sleep(0)
    assert msgpack.unpackb(wires[1].sent[1])["ops"] == [own.body, later.body]
    wires[1].say(durable(1), durable(2))
    waiting.get(timeout=WAIT_S)
    assert made.device.caught_up


def test_a_former_link_says_nothing_more(wires: list[Wire]) -> None:
    """What still came on a link that was cut belongs to no session."""
    made = contact()
    made.connect(WAIT_S)
    wires[0].say(packed({"t": "pong", "id": 1, "server_time": 1}))
    made.cut()
    made.connect(WAIT_S)
    assert made.up
    assert made.device.now() > 1


def test_a_link_that_is_still_there_is_cut_by_the_next(wires: list[Wire]) -> None:
    """Two never meet: what the first one brings is not heard in the session of the second."""
    made = contact()
    made.connect(WAIT_S)
    ended: list[LinkError] = []
    made.when_ended = ended.append
    wires[0].say(packed({"t": "pong", "id": 1, "server_time": 1}))
    made.connect(WAIT_S)
    gevent.sleep(0)
    assert (made.up, made.device.state, ended) == (True, "live", [])


def test_the_servers_error_is_what_the_link_ended_with(wires: list[Wire]) -> None:
    """The user is told the code once, and whoever waits too."""
    made, told = contact(), []
    made.when_ended = lambda error: told.append(error.code)
    made.connect(WAIT_S)
    own = made.device.write(RECORD, "incident", {"log": [{"text": "Seen."}]}, create=True)
    wires[0].say(packed({"t": "error", "code": "replaced", "recovery": "retry"}))
    with pytest.raises(LinkError, match="replaced"):
        made.answer_to(own, WAIT_S)
    assert told == ["replaced"]


def test_a_fault_of_the_server_is_said_before_the_link_is_closed(wires: list[Wire]) -> None:
    """ERROR first, then its close code."""
    made = contact()
    made.connect(WAIT_S)
    wires[0].say(packed({"t": "welcome"}))
    ended: list[str] = []
    made.when_ended = lambda error: ended.append(error.code)
    while not ended:
        gevent.sleep(0)
    assert msgpack.unpackb(wires[0].sent[-1])["code"] == "unknown_type"
    assert wires[0].closed_with == 4402
