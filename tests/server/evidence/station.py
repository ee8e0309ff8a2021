"""A small data folder as a server leaves it: real acts, pushes with signed heads, read logs, an inbox item, an erasure.

It is made through the ledger and the store, with keys of its own, so what is verified is what is written in earnest.
"""

import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas import scopes
from schemas.codec import encode, reread_op
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, RecordId, ScopeName, named_record_id
from schemas.ops import Op
from schemas.reads import NO_LINK, Read
from schemas.roles import Role
from schemas.wire import RECEIPT_CONTEXT, Result, Retracted
from server import alarms, intake
from server.authority.keys import ServerKeys
from server.authority.ledger import Ledger
from server.commits import Settled, Submission
from server.evidence.story import VERIFIER
from server.logbook import ACT, OFFICE, Entry, Erasure
from server.registry import acts as a
from server.store.masters import MasterKeys
from server.store.sqlite import SqliteStore
from sync.evidence import checkpoint
from sync.evidence.chain import ChainHead, behind, genesis, head_words
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.note import KeyType, VerifierKey
from sync.evidence.policy import Policy
from sync.session.chaining import ChainWalk

START = Millis(1_750_000_000_000)
ORIGIN = "log.police.example/evidence-tests"
AREA = {name: scopes.area(name) for name in ("birmingham", "coventry")}
EVERYWHERE = frozenset({*AREA.values(), scopes.suite("perry-barr"), scopes.inbox(scopes.suite("perry-barr"))})
HANDSET, DESK = DeviceId("hh-0042"), DeviceId("desk-01")
WHO = {HANDSET: OfficerId("WM1001"), DESK: OfficerId("WM1002")}
BOSS = OfficerId("WM9001")


def record_id(name: str) -> RecordId:
    """The record of that name, the same in every run."""
    return named_record_id("evidence tests", name)


def verify_signature(public_key: bytes, words: bytes, signature: bytes) -> bool:
    """Stands in for the session's check, where the same hands have just signed."""
    return True


class Seat:
    """One seat: numbers, chains and signs its ops and its read log."""

    def __init__(self, seat: DeviceId, officer: OfficerId, now: "Clock") -> None:
        """Make its key."""
        self.seat = seat
        self.officer = officer
        self.key = Ed25519PrivateKey.generate()
        self.head = genesis(seat)
        self.reads = ChainHead(OpNumber(0), NO_LINK)
        self._link = self.head
        self._now = now

    def op(self, record: RecordId, kind: str, changes: dict[str, Any], **more: Any) -> bytes:  # noqa: ANN401
        """The next op of its chain."""
        n = OpNumber(self._link.n + 1)
        now = self._now()
        raw = encode(
            Op(
                device=self.seat,
                n=n,
                record=record,
                kind=kind,
                author=self.officer,
                hlc=(now, 0),
                occurred_at=now,
                wall=now,
                changes={FieldName(name): value for name, value in changes.items()},
                link=self._link.link,
                salt=hashlib.sha256(f"{self.seat} {n}".encode()).digest()[:16],
                **more,
            )
        )
        self._link = behind(self._link, [(n, hashlib.sha256(raw).digest())])
        return raw

    def push(self, *ops: bytes, hold: frozenset[int] = frozenset()) -> Submission:
        """Ops with a head that vouches for them; those with numbers in `hold` are signed for and not sent."""
        pairs = [(reread_op(raw), raw) for raw in ops]
        after = behind(self.head, [(op.n, hashlib.sha256(raw).digest()) for op, raw in pairs])
        walk = ChainWalk(self.seat, self.head, b"", verify_signature)
        sent = [(op, raw) for op, raw in pairs if op.n not in hold]
        unsent = {op.n: hashlib.sha256(raw).digest() for op, raw in pairs if op.n in hold}
        signed = walk.take(sent, unsent, self.key.sign(head_words(self.seat, after)))
        self.head = after
        return Submission(self.seat, EVERYWHERE, tuple(raw for _, raw in sent), head=signed)

    def consult(self, *records: RecordId, why: str = "burglary enquiry", what: str = "consultation") -> Submission:
        """An entry of its read log."""
        now = self._now()
        read = Read(
            n=self.reads.n + 1,
            link=self.reads.link,
            what=what,  # type: ignore[arg-type]  # one of the three
            author=self.officer,
            records=records,
            at=now,
            wall=now,
            matter=records[0],
            why=why,
            recipients=("Aston Law Chambers",) if what == "disclosure" else (),
        )
        raw = msgspec.msgpack.encode(read)
        submission, self.reads = intake.take_reads(self.seat, self.officer, self.reads, read.n, [raw])
        assert submission is not None
        return submission

    def receipt(self, scope: ScopeName) -> Submission:
        """What it signs of having removed a scope."""
        now = self._now()
        words = RECEIPT_CONTEXT + msgspec.msgpack.encode([self.seat, scope, 1, 3, now])
        return intake.receipt_entry(
            self.seat,
            Retracted(scope=scope, gen=1, removed=3, at=now, receipt=self.key.sign(words)),  # type: ignore[arg-type]
        )


class Clock:
    """Moves on with every look."""

    def __init__(self) -> None:
        """Start."""
        self.now: int = START

    def __call__(self) -> Millis:
        """Read it."""
        self.now += 100
        return Millis(self.now)


class Station:
    """The folder while it is open."""

    def __init__(self, folder: Path, store: SqliteStore) -> None:
        """Use `open`."""
        self.folder = folder
        self.store = store
        self.clock = Clock()
        self.keys = ServerKeys.open(folder.parent / "keys")
        self.verifier = VerifierKey(ORIGIN, KeyType.ED25519, self.keys.log.public_key().public_bytes_raw())
        self.policy = Policy.of([self.verifier])
        self.seats = {seat: Seat(seat, officer, self.clock) for seat, officer in WHO.items()}
        self.ledger = Ledger(store, self, self.clock, lambda *_: None, lambda _: None)
        self._spans = itertools.count(1)

    @classmethod
    async def open(cls, folder: Path) -> "Station":
        """Make a folder, with its people and devices."""
        station = cls(folder, await SqliteStore.open(folder, inline=True))
        await station.ledger.start()
        await station._people()
        return station

    async def commit(self, submission: Submission) -> list[Settled]:
        """Commit one submission."""
        return await self.store.commit([submission], self.clock())

    async def results(self, submission: Submission) -> list[Result]:
        """Commit one submission; its results."""
        return [result for one in await self.commit(submission) for result in one.results]

    async def do(self, kind: type[a.BaseAct], **values: object) -> None:
        """Make an act."""
        await self.ledger.perform(kind(**{"by": a.SERVER, "at": self.clock(), **values}))  # type: ignore[arg-type]

    async def span(self, kind: type[a.SpanAct], **values: object) -> None:
        """Make an act that holds from now on."""
        await self.do(kind, span=f"s-{next(self._spans)}", start=Millis(self.clock.now), **values)

    async def _people(self) -> None:
        for unit, places in (("central", tuple(AREA.values())), ("custody", (scopes.suite("perry-barr"),))):
            await self.do(a.UnitAdded, unit=unit, title=unit.title(), places=places, start=START)
        for officer, role in ((BOSS, Role.SUPERINTENDENT), (OfficerId("WM9002"), Role.REGISTRAR)):
            await self.do(a.OfficerAdded, officer=officer, name=f"Officer {officer}", start=START)
            await self.span(a.RoleGiven, officer=officer, role=role)
        for seat, officer in WHO.items():
            await self.do(a.OfficerAdded, officer=officer, name=f"Officer {officer}", start=START)
            await self.span(a.RoleGiven, officer=officer, role=Role.OFFICER)
            await self.span(a.Posted, officer=officer, unit="central")
            public = self.seats[seat].key.public_key().public_bytes_raw()
            await self.do(
                a.DeviceEnrolled,
                device=seat,
                public_key=public,
                certificate=self.keys.certify(seat, public, self.clock()),
            )
            await self.do(a.SeatOpened, seat=seat, device=seat, officer=officer)
            until = Millis(self.clock.now + 3_600_000_000)
            await self.do(a.SignedIn, sid=f"in-{seat}", seat=seat, method="passphrase", until=until)
        await self.ledger.keep(
            {"share/hh-0042": b"a share", **{f"{VERIFIER}{officer}": b"a verifier" for officer in WHO.values()}}
        )

    async def checkpoint(self) -> bytes:
        """The signed head of the log."""
        tree = await self.store.tree()
        return checkpoint.sign(Checkpoint(ORIGIN, tree.size, tree.root), self.verifier, self.keys.log.sign)

    def incident(self, seat: DeviceId, name: str, area: str = "birmingham") -> bytes:
        """Make an incident."""
        summary = f"Shed broken into, {name}"
        values = {"opened_at": self.clock.now, "area": area, "category": "crime", "summary": summary}
        return self.seats[seat].op(record_id(name), "incident", values, create=True)

    def note(self, seat: DeviceId, name: str, text: str = "Neighbours asked") -> bytes:
        """Append to an incident's log."""
        return self.seats[seat].op(record_id(name), "incident", {"log": [{"text": text}]}, why="house to house")

    def move(self, seat: DeviceId, name: str, area: str) -> bytes:
        """Move an incident to another area."""
        return self.seats[seat].op(record_id(name), "incident", {"area": area})

    async def erase(self, name: str) -> None:
        """Have a record erased, with the acts that it takes."""
        record = record_id(name)
        await self.do(a.RetentionReviewed, by=BOSS, record=record, outcome="erase", why="kept long enough")
        act = a.RecordErased(by=OfficerId("WM9002"), at=self.clock(), record=record, why="MoPI group 4")
        self.ledger.registry.check(act)
        count = len([one async for one in self._acts()]) + 1
        entry = Entry(ACT, f"{count:012d}", a.encode(act))
        erasure = Erasure(record, (await self.store.heads())[AREA["birmingham"]].seq, "erased by WM9002")
        await self.commit(Submission(OFFICE, frozenset(), (), entries=(entry,), erasure=erasure))
        await self.ledger.start()

    async def _acts(self) -> Any:  # noqa: ANN401  an async iterator of acts
        place = 0
        while page := await self.store.journal(ACT, place, 100):
            for entry in page:
                yield entry
            place = page[-1].place


async def make(
    folder: Path, *, rounds: int = 50, half_way: Callable[[], object] = lambda: None
) -> tuple[Station, bytes]:
    """A folder with everything in it that a check knows of: (the open station, a checkpoint of some way before).

    Args:
        folder: where.
        rounds: of plain work; so many that the log has a complete subtree to keep.
        half_way: called when that checkpoint was made.
    """
    station = await Station.open(folder)
    handset, desk = station.seats[HANDSET], station.seats[DESK]
    results: list[Result] = []
    for name in ("shed", "van", "till", "gone"):
        results += await station.results(handset.push(station.incident(HANDSET, name)))
    results += await station.results(handset.push(station.move(HANDSET, "shed", "coventry")))
    results += await station.results(desk.push(station.note(DESK, "van"), station.move(DESK, "till", "coventry")))
    results += await station.results(desk.push(station.move(DESK, "till", "birmingham")))
    await _differ(station)
    half = await station.checkpoint()
    half_way()
    for number in range(rounds):
        seat = (HANDSET, DESK)[number % 2]
        results += await station.results(
            station.seats[seat].push(station.note(seat, "van", f"Note {number}"), station.note(seat, "shed"))
        )
        if number % 5 == 0:
            await station.commit(station.seats[seat].consult(record_id("van"), record_id("shed")))
    await station.commit(handset.consult(record_id("van"), what="disclosure", why="asked for by the defence"))
    await station.commit(handset.receipt(AREA["coventry"]))
    await station.commit(intake.sealed_entries(HANDSET, handset.officer, [(7, b"sealed")]))
    await station.commit(intake.alarm_entry(alarms.Alarm("reads_missing", HANDSET, "fewer entries", station.clock())))
    kept, lost = station.note(HANDSET, "van"), station.note(HANDSET, "van", "comes later")
    results += await station.results(handset.push(kept, lost, hold=frozenset({reread_op(lost).n})))
    unsent = station.note(HANDSET, "van", "never comes")
    results += await station.results(handset.push(unsent, station.note(HANDSET, "van"), hold={reread_op(unsent).n}))  # type: ignore[arg-type]
    results += await station.results(Submission(HANDSET, EVERYWHERE, (lost,)))
    assert {result.status for result in results} == {"durable"}, results
    wrong = handset.op(record_id("van"), "incident", {"grade": "enormous"})
    assert [one.status for one in await station.results(handset.push(wrong))] == ["refused"]
    await station.erase("gone")
    assert [one.code for one in await station.results(desk.push(station.note(DESK, "gone")))] == ["op_record_erased"]
    return station, half


async def _differ(station: Station) -> None:
    """Two officers say different things of when an incident was opened: an inbox item."""
    at = station.clock.now
    said = []
    for seat, moment in ((HANDSET, at - 60_000), (DESK, at - 120_000)):
        raw = station.seats[seat].op(record_id("van"), "incident", {"opened_at": moment}, base=1)
        said += await station.results(station.seats[seat].push(raw))
    assert [one.status for one in said] == ["durable", "durable"], said


def masters_of(folder: Path) -> MasterKeys:
    """The master keys of a folder."""
    return MasterKeys.read(folder / "master.key")
