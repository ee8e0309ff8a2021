"""The log's pin on a device: what follows is taken, what does not is kept as evidence, and work goes on."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.kinds import Incident
from sync.device import AlarmRaised, DeviceIdentity, Handheld, HeldKey
from sync.device.enrolment import Enrolment
from sync.device.findings import FINDINGS_MAX, Finding, findings, keep, pinned
from sync.evidence import checkpoint as checkpoints
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.note import KeyType, VerifierKey
from tests.sync.device.force import OFFICER, Force
from tests.sync.device.support import AT_ONCE, BIRMINGHAM, KEY, NOON, caught_up, change_of, incident


@pytest.fixture
async def handheld(tmp_path: Path, identity: DeviceIdentity, house: Force) -> AsyncIterator[Handheld]:
    """A program's handheld that has pinned the log."""
    enrolment: Enrolment = await house.program(identity, BIRMINGHAM)
    opening = Handheld.open(
        tmp_path / "replica",
        identity=identity,
        keys=HeldKey(KEY),
        author=OFFICER,
        server="ws" + house.url.removeprefix("http"),
        enrolment=enrolment,
        backoff=AT_ONCE,
    )
    async with opening as handheld:
        await handheld.wait_until(caught_up)
        yield handheld


async def again(handheld: Handheld) -> None:
    """Another connection."""
    await handheld.go_offline()
    await handheld.go_online()
    await handheld.wait_until(caught_up)


Tell = Callable[..., None]


@pytest.fixture
def tell(house: Force, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Has the server show a head, with no proof."""

    def tell(size: int, root: bytes, key: Ed25519PrivateKey | None = None) -> None:
        signer = key or house.keys.log
        name = house.beatbook.authority.checkpoints.verifier.name
        verifier = VerifierKey(name, KeyType.ED25519, signer.public_key().public_bytes_raw())
        show(monkeypatch, house, (size, checkpoints.sign(Checkpoint(name, size, root), verifier, signer.sign), ()))

    return tell


def show(monkeypatch: pytest.MonkeyPatch, house: Force, answer: tuple[int, bytes, tuple[bytes, ...]]) -> None:
    """Have the server answer so, whatever was pinned."""

    async def since(_pinned: int) -> tuple[int, bytes, tuple[bytes, ...]]:
        return answer

    monkeypatch.setattr(house.beatbook.authority.gatekeeper, "checkpoint", since)


async def test_the_log_is_pinned_and_followed(handheld: Handheld, house: Force) -> None:
    """Each connection brings the pin on, by a proof, and raises no alarm."""
    before = await handheld._replica.read(pinned)
    assert before.size > 0
    await handheld.create(incident())
    await handheld.wait_until(caught_up)
    await again(handheld)
    after = await handheld._replica.read(pinned)
    assert after.size > before.size
    assert handheld.status.alarms == 0
    assert await handheld.alarms() == []


@pytest.mark.parametrize("what", ["shrunk", "forked", "unproven", "untrusted"])
async def test_a_log_that_was_rewritten_raises_one_alarm_and_stops_nothing(
    handheld: Handheld, house: Force, tell: Tell, what: str
) -> None:
    """Both heads are kept, the officer is told once, the pin stays, and edits still go up."""
    pin = await handheld._replica.read(pinned)
    match what:
        case "shrunk":
            tell(pin.size - 1, bytes(32))
        case "forked":
            tell(pin.size, bytes(32))
        case "unproven":
            tell(pin.size + 5, bytes(32))
        case _:
            tell(pin.size, pin.root, Ed25519PrivateKey.generate())
    stream = handheld.changes()
    await again(handheld)
    told = await change_of(stream, AlarmRaised)
    assert told.code == "log"
    assert f"({what})" in told.detail
    (found,) = await handheld.alarms()
    assert (found.code, found.detail, found.seen) == ("log", told.detail, pin.checkpoint)
    assert found.came not in (b"", pin.checkpoint)
    assert await handheld._replica.read(pinned) == pin
    made = await handheld.create(incident())
    await handheld.wait_until(caught_up)
    assert await house.store.record(made.record) is not None
    await again(handheld)
    assert handheld.status.alarms == 1, "the same finding again is no other one"


async def test_a_server_that_shows_no_log_any_more_is_noticed(
    handheld: Handheld, house: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaving the checkpoint out is no way round the pin."""
    show(monkeypatch, house, (0, b"", ()))
    stream = handheld.changes()
    await again(handheld)
    assert (await change_of(stream, AlarmRaised)).code == "log"


async def test_alarms_outlive_a_restart(
    tmp_path: Path, identity: DeviceIdentity, handheld: Handheld, tell: Tell
) -> None:
    """They are kept with the replica, and counted from its opening on."""
    pin = await handheld._replica.read(pinned)
    tell(pin.size, bytes(32))
    await again(handheld)
    await handheld.close()
    opening = Handheld.open(tmp_path / "replica", identity=identity, keys=HeldKey(KEY), author=OFFICER)
    async with opening as later:
        assert later.status.alarms == 1
        assert len(await later.alarms()) == 1
        assert await later.find(Incident) == []


async def test_findings_are_bounded_and_told_apart(handheld: Handheld) -> None:
    """The first ones are kept; the same one again is none, but each copy of the replica is another."""

    def note(detail: str, code: str = "log") -> Finding:
        return Finding(code=code, detail=detail, at=NOON)  # type: ignore[arg-type]  # a code, a moment

    def work(held: object) -> tuple[bool, bool, int]:
        first = keep(held, note("a"))  # type: ignore[arg-type]  # the tables
        same = keep(held, note("a"))  # type: ignore[arg-type]  # as above
        copies = [keep(held, note("b", "copied")) for _ in range(2)]  # type: ignore[arg-type]  # as above
        for n in range(2 * FINDINGS_MAX):
            keep(held, note(str(n)))  # type: ignore[arg-type]  # as above
        return first is not None and same is None, None not in copies, len(findings(held))  # type: ignore[arg-type]  # as above

    assert await handheld._replica.read(work) == (True, True, FINDINGS_MAX)
