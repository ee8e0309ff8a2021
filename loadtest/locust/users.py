"""The three sorts of people who use a Beatbook, as locust users: what each does, and what is measured of it.

Custom events, by the name in locust's table:

- `push to ack`: an edit that is written with the link up, from its PUSH until RESULTS says that it is on the server's
  disk;
- `push to ack, after a gap`: the same of what was written without signal;
- `briefing lag`: from the control room's writing of a briefing until a handheld has it in its replica, once for each;
- `catch-up`: from the return of signal until everything is in, by digest, and nothing of one's own waits; `first sync`
  with an empty replica;
- `sign-in`; and, as failures only, `link` (it broke by itself) and `digest` (a scope differed from the server's).
"""

import random
import time
from typing import Any, ClassVar, Final

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from locust import User, task

from loadtest.locust import content
from loadtest.locust.calls import CallError
from loadtest.locust.cast import CastError
from loadtest.locust.client import Contact, LinkError, pause_s, sync_url
from loadtest.locust.enrolling import signed_in
from loadtest.locust.ledger import Entry, entry
from loadtest.locust.outbox import Own
from loadtest.locust.rates import AREAS, CONTROL, CUSTODY, OFFICER, RECONNECT_S, Sort
from loadtest.locust.running import Running
from loadtest.locust.session import Device
from loadtest.locust.wire import Message

PUSH, SYNC, HTTP = "PUSH", "SYNC", "HTTP"
ACK, ACK_LATER = "push to ack", "push to ack, after a gap"
LAG, CATCH_UP, FIRST_SYNC = "briefing lag", "catch-up", "first sync"
SIGN_IN, LINK, DIGEST = "sign-in", "link", "digest"
_NAP_S: Final = 2.0
"""Waits are drawn anew after so long, so that a phase of the shape is felt at once; the drawing has no memory
anyway."""
_ANSWER_S: Final = 30.0
_CURRENT_S: Final = 120.0
_HOME_S: Final = 3.0
_GAP_S: Final = 45.0
"""How long somebody is without signal, on average. Assumed."""
_SIGNING_IN: Final = BoundedSemaphore(8)
"""Sign-ins of this process at once. The server counts a try until it has proved right, and past 50 of one address it
makes
all of that address wait: whoever loads it from one address would measure that rule, and nothing else."""
_RECENT: Final = 60
"""People work on what was reported last."""
_BRIEFING_AFTER_S: Final = (2.0, 4.0)
"""From the beginning of a phase until the control room has found its words."""
_SECONDS_PER_H: Final = 3_600.0


def _wall() -> int:
    return time.time_ns() // 1_000_000


class RefusedError(Exception):
    """The server refused an edit."""


class BeatbookUser(User):
    """One person at one device.

    Attributes:
        sort: who they are.
        running: the run; set by the locustfile.
    """

    abstract = True
    sort: ClassVar[Sort]
    running: ClassVar[Running]

    def __init__(self, environment: Any) -> None:  # noqa: ANN401  locust's
        super().__init__(environment)
        self._entries: list[Entry] = []
        self._briefed: set[str] = set()
        self._signal, self._gone, self._there = Event(), Event(), Event()
        self._keeper: gevent.Greenlet | None = None
        self._number = -1
        self._due = False
        self._failures = 0

    # --- coming and going --------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Take a seat, sign in, and sync for the first time. Who cannot does nothing; why is among the failures."""
        try:
            self._number, self.seat = self.running.borrow(self.sort.name)
        except (CastError, gevent.Timeout) as error:
            self._tell(HTTP, SIGN_IN, 0.0, error)
            return
        self.rng = random.Random(f"{self.running.wishes.seed}/{self.seat.device}")  # noqa: S311  it guards nothing
        source = self.rng.choice(self.running.wishes.sources)
        token = self._sign_in(source)
        if token is None:
            self.running.give_back(self._number, self.seat, [])
            return
        self.contact = Contact(sync_url(self.running.cast.server), source, self.running.cast.ca_file)
        self.device = Device(
            self.seat.seat, self.seat.officer, self.seat.signer(), self.contact, wall=_wall, mono=time.monotonic
        )
        self.device.remember(self.seat.chain(), self.seat.reads, bytes.fromhex(self.seat.reads_link))
        self.device.token = token
        self.contact.device = self.device
        self.contact.when_answered = self._answered
        self.contact.when_heard = self._heard
        self.contact.when_differed = self._differed
        self.contact.when_ended = self._ended
        self._signal.set()
        self._keeper = gevent.spawn(self._keep)
        self.running.watch(self.phase_begun)
        self._there.wait(_CURRENT_S)

    def _sign_in(self, source: str) -> str | None:
        """The access token; None when the server will not have this officer."""
        with _SIGNING_IN:
            began = time.monotonic()
            try:
                caller = signed_in(self.running.cast, self.seat, source)
            except CallError as error:
                self._tell(HTTP, SIGN_IN, began, error)
                return None
            self._tell(HTTP, SIGN_IN, began)
        caller.close()
        return caller.token

    def on_stop(self) -> None:
        """Let what was written go out, leave, and give the seat back with what the server acknowledged."""
        if self._keeper is None:
            return
        self.running.forget(self.phase_begun)
        until = time.monotonic() + _HOME_S
        while self.contact.up and self.device.outbox.unanswered and time.monotonic() < until:
            gevent.sleep(0.05)
        self._keeper.kill()
        self.contact.when_ended = lambda _: None
        self.contact.leave()
        self.seat.remember(self.device.outbox.safe_head(), self.device.reads_next, self.device.reads_link)
        self.running.give_back(self._number, self.seat, self._entries)
        self._keeper, self._entries = None, []

    def _keep(self) -> None:
        """Keep the link up while there is signal."""
        first = True
        while True:
            self._signal.wait()
            self._gone.clear()
            began = time.monotonic()
            try:
                self.contact.connect(_CURRENT_S)
            except LinkError as error:
                if self._signal.is_set():
                    self._tell(SYNC, LINK, began, error)
                    self._failures += 1
                    gevent.sleep(pause_s(self._failures, self.device.error, self.rng.random()))
                self.contact.cut()
                continue
            self._failures = 0
            self._tell(SYNC, FIRST_SYNC if first else CATCH_UP, began)
            first = False
            self._there.set()
            self._gone.wait()
            if self._signal.is_set():
                gevent.sleep(pause_s(0, self.device.error, self.rng.random()))
            else:
                self.contact.cut()

    def _ended(self, error: LinkError) -> None:
        """The link broke by itself."""
        if self._signal.is_set():
            self._tell(SYNC, LINK, time.monotonic(), error)
        self._gone.set()

    def phase_begun(self) -> None:
        """A phase of the shape begins: the signal may have gone, or come back."""
        if not self.running.signal:
            self._lose()
        elif not self._signal.is_set():
            gevent.spawn_later(self.rng.uniform(0, RECONNECT_S), self._return)

    def _lose(self) -> None:
        """The signal goes. The link is cut by whoever keeps it up, and nobody else, so that two never meet."""
        self._signal.clear()
        self._gone.set()

    def _return(self) -> None:
        if self.running.signal:
            self._signal.set()

    # --- doing -------------------------------------------------------------------------------------------------------

    def wait_time(self) -> float:
        """Until the next thing they do, drawn so that nobody keeps step."""
        per_s = sum(self.sort.actions.values()) * self.running.hurry * self.running.wishes.hurry / _SECONDS_PER_H
        drawn = self.rng.expovariate(per_s)
        self._due = drawn <= _NAP_S
        return min(drawn, _NAP_S)

    @task
    def act(self) -> None:
        """Do one thing, chosen by how often each is done."""
        if not self._due or not self._there.is_set():
            return
        [action] = self.rng.choices(list(self.sort.actions), list(self.sort.actions.values()))
        getattr(self, action)()

    def put(self, record: str, kind: str, changes: Message, *, create: bool = False) -> Own:
        """Write an edit, and wait until the server has it if there is signal."""
        own = self.device.write(record, kind, changes, create=create)
        if not self.contact.up:
            return own
        self.contact.send()
        try:
            self.contact.answer_to(own, _ANSWER_S)
        except LinkError as error:
            if error.code == "late":
                self._tell(PUSH, ACK, own.pushed_at, error)
        return own

    def recent(self, scope: str, kind: str) -> str | None:
        """One of the records of a scope that came last."""
        place = self.device.replica.places.get(scope)
        some = [] if place is None else list(place.members)[-_RECENT:]
        fitting = [each for each in some if self.device.replica.rows[each]["kind"] == kind]
        return self.rng.choice(fitting) if fitting else None

    # --- measuring ---------------------------------------------------------------------------------------------------

    def _tell(self, kind: str, name: str, began: float, error: BaseException | None = None) -> None:
        took_ms = (time.monotonic() - began) * 1_000 if began else 0.0
        self.environment.events.request.fire(
            request_type=kind, name=name, response_time=took_ms, response_length=0, exception=error, context={}
        )

    def _answered(self, own: Own) -> None:
        name = ACK if own.live else ACK_LATER
        if own.result["status"] == "durable":
            self._entries.append(entry(self.seat.seat, own))
            self._tell(PUSH, name, own.pushed_at)
        elif own.state == "withdrawn":
            told = f"{own.kind} {', '.join(own.fields)}: {own.result.get('code')} {own.result.get('detail', '')}"
            self._tell(PUSH, name, own.pushed_at, RefusedError(told))

    def _heard(self, row: Message) -> None:
        stamp = row["stamps"][0]
        if row["kind"] != "briefing" or len(row["stamps"]) > 1 or row["id"] in self._briefed:
            return
        self._briefed.add(row["id"])
        began = self.running.began.get(row["id"])
        if began is None:
            began = time.monotonic() - max(0.0, (self.device.now() - stamp[5]) / 1_000)
        self._tell(SYNC, LAG, began)

    def _differed(self, scope: str) -> None:
        self._tell(SYNC, DIGEST, time.monotonic(), RuntimeError(f"{scope} differs from the server's"))


class Officer(BeatbookUser):
    """An officer with a handheld, in one area."""

    sort = OFFICER
    weight = OFFICER.weight

    def log_entry(self) -> None:
        """Write down what was done."""
        self._on_incident(content.log_entry(self.rng))

    def deployment(self) -> None:
        """Say that one is on the way, there, or free."""
        self._on_incident(content.deployment(self.seat.officer, self.device.now(), self.rng))

    def report(self) -> None:
        """Report what one came upon."""
        now = self.device.now()
        changes = content.incident(next(self.running.reports), now, self.rng) | {"area": self.seat.place}
        self.put(content.record_id(now), "incident", changes, create=True)

    def look(self) -> None:
        """Read a record: it is logged, with why."""
        record = self.recent(f"area:{self.seat.place}", "incident")
        if record is not None:
            self.device.consult(record, "Sent to it.")
            self.contact.send()

    def lose_signal(self) -> None:
        """Go where there is none, and come back after a while; work goes on meanwhile."""
        if self._signal.is_set():
            self._lose()
            hurry = self.running.hurry * self.running.wishes.hurry
            gevent.spawn_later(self.rng.expovariate(max(1.0, hurry) / _GAP_S), self._return)

    def _on_incident(self, changes: Message) -> None:
        record = self.recent(f"area:{self.seat.place}", "incident")
        if record is None:
            self.report()
        else:
            self.put(record, "incident", changes)


class CustodyDesk(BeatbookUser):
    """A custody officer at the desk of one suite."""

    sort = CUSTODY
    weight = CUSTODY.weight

    def book_in(self) -> None:
        """Somebody is brought in."""
        now = self.device.now()
        self.put(
            content.record_id(now), "custody-booking", content.booking(self.seat.place, now, self.rng), create=True
        )

    def check(self) -> None:
        """Look after somebody detained."""
        self._on_booking(content.check(self.device.now(), self.rng))

    def care(self) -> None:
        """A meal, a drink."""
        self._on_booking(content.care(self.device.now(), self.rng))

    def _on_booking(self, changes: Message) -> None:
        record = self.recent(f"suite:{self.seat.place}", "custody-booking")
        if record is None:
            self.book_in()
        else:
            self.put(record, "custody-booking", changes)


class ControlRoom(BeatbookUser):
    """A call handler or dispatcher: calls come in, officers are sent, briefings go out."""

    sort = CONTROL
    weight = CONTROL.weight

    def take_call(self) -> None:
        """Somebody rings."""
        now = self.device.now()
        changes = content.incident(next(self.running.reports), now, self.rng)
        self.put(content.record_id(now), "incident", changes, create=True)

    def steer(self) -> None:
        """Send somebody, or grade anew."""
        record = self.recent(f"area:{self.rng.choice(AREAS)}", "incident")
        if record is None:
            self.take_call()
        else:
            self.put(record, "incident", content.steering(self.rng))

    def brief(self) -> None:
        """Tell an area something."""
        self._tell_of(f"area:{self.rng.choice(AREAS)}")

    def phase_begun(self) -> None:
        """One of them briefs the whole force whenever a phase begins, as at the start of a shift."""
        super().phase_begun()
        if self.running.signal and self._number == self.running.cast.of(self.sort.name)[0]:
            gevent.spawn_later(self.rng.uniform(*_BRIEFING_AFTER_S), self._brief_force)

    def _brief_force(self) -> None:
        while self._keeper is not None and not self.contact.up:
            gevent.sleep(_NAP_S)
        if self._keeper is not None:
            self._tell_of("force")

    def _tell_of(self, audience: str) -> None:
        if not self.contact.up:
            return  # the lag that is measured is the server's, not that of a control room without a line
        now = self.device.now()
        record = content.record_id(now)
        self.running.began[record] = time.monotonic()
        self.put(record, "briefing", content.briefing(audience, now, self.rng), create=True)


SORTED: Final = (Officer, CustodyDesk, ControlRoom)
