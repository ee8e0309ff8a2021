"""A signed-in officer at a terminal: the reason asked once, the lease told, drafts, alarms, locking."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId
from schemas.kinds.call import Involved, Part
from schemas.reads import Read
from sync.device import AlarmRaised, EditsSealed, Handheld, LeaseEnded, SignedIn, Wiped
from sync.device import installation as installations
from sync.device.account import UnreachableError
from sync.device.installation import Installation
from sync.device.status import SyncStatus
from sync.device.terminal import Settings, Shown, rendering
from sync.device.terminal.seats import opened
from sync.device.terminal.terminal import Facts, Terminal
from tests.sync.device.force import OFFICER, PHRASE, Force, HurriedClock
from tests.sync.device.seats import cheap
from tests.sync.device.support import incident
from tests.sync.device.terminal.desk import SUMMER, Desk, Paper, desk_of


@pytest.fixture
async def handheld(installation: Installation) -> AsyncIterator[Handheld]:
    """The officer's, without a connection."""
    officer = await installation.sign_in(OFFICER, PHRASE)
    async with Handheld.open_seat(
        officer, installation.enrolment, connect=False, clock=installation._clock
    ) as handheld:
        yield handheld


@pytest.fixture
async def desk(handheld: Handheld) -> AsyncIterator[Desk]:
    """Their terminal."""
    async with desk_of(handheld, signed_in=True) as desk:
        yield desk


async def test_the_reason_is_asked_for_once_and_remembered(desk: Desk, handheld: Handheld) -> None:
    """Looking without one says what to type; with it the record is shown, and from then on it is shown at once."""
    made = await handheld.create(incident("Bicycle taken"))
    assert "why list REASON" in await desk.fails("list")
    await desk.type("why list Start of shift")
    assert "Bicycle taken" in await desk.type("list")
    assert f"why {made.record[-8:]} REASON" in await desk.fails("show 1")
    assert "Bicycle taken" in await desk.type("why 1 On my way there")
    assert "Bicycle taken" in await desk.type("show 1")
    assert await desk.type("log 1 On scene") != ""
    log = await handheld._replica.read(lambda held: held.replica.reads.waiting(0, 10))
    assert len(log) == 3, "the list and the two pages; writing and news are none"


async def test_what_was_searched_for_is_logged_with_what_it_found(desk: Desk, handheld: Handheld) -> None:
    """Whoever types words into a list has combined records by them; looking through what there is has none."""
    made = await handheld.create(incident("Red van at the canal"))
    await desk.type("why list Start of shift")
    await desk.type("list incidents red VAN")
    await desk.type("list incidents")
    await desk.type("list incidents lorry")
    log = await handheld._replica.read(lambda held: held.replica.reads.waiting(0, 10))
    told = [msgspec.msgpack.decode(body, type=Read) for _, body in log]
    assert [(read.what, read.words, read.records) for read in told] == [
        ("combination", "red VAN", (made.record,)),
        ("combination", "", (made.record,)),
    ]


async def test_what_the_rules_show_is_logged_as_what_it_is(desk: Desk, handheld: Handheld) -> None:
    """What a form or a page shows of a record needs its reason; queue and board are combinations with their own."""
    ann = Involved(part=Part.WITNESS, name="Ann Example")
    place = "3 Mill Lane"
    before = await handheld.create(incident("Door forced", location=place, people=(ann,)))
    made = await handheld.create(incident("Bicycle taken", location=place))
    for line in (f"methane {made.record}", f"amend {made.record} people 1", f"guide {made.record}"):
        assert f"why {made.record[-8:]} REASON" in await desk.fails(line)
    page = await desk.type(f"why {made.record} On my way there")
    assert "REPEAT address: met once before" in page
    alone = await handheld.create(incident("Gate open", location="By the lock"))
    await desk.type(f"why {alone.record} On my way there")
    assert "Queue: 3 open" in await desk.type("queue")
    assert "Held: 0" in await desk.type("board")
    log = await handheld._replica.read(lambda held: held.replica.reads.waiting(0, 10))
    told = [msgspec.msgpack.decode(body, type=Read) for _, body in log]
    assert [(read.what, read.why, set(read.records)) for read in told] == [
        ("consultation", "On my way there", {made.record}),
        ("combination", "On my way there", {before.record, made.record}),
        ("consultation", "On my way there", {alone.record}),
        ("combination", "the control room's queue", {before.record, made.record, alone.record}),
    ]


async def test_when_the_lease_has_ended_the_screen_says_so_and_keeps_drafts(
    desk: Desk, handheld: Handheld, installation: Installation
) -> None:
    """Nothing is shown, the prompt tells, and what happens in the street is kept."""
    clock = installation._clock
    assert isinstance(clock, HurriedClock)
    await desk.type("why list Start of shift")
    clock.advance(24 * 60 * 60_000)
    assert "draft keeps what you write" in await desk.paper.comes("The lease has ended")
    await desk.paper.prompts_with("lease ended")
    assert "lease has ended" in await desk.fails("list")
    assert "as draft 1" in await desk.type("draft He ran towards the canal")
    assert handheld.status.lease_ended


async def test_alarms_and_the_lease_are_told_when_asked(desk: Desk) -> None:
    """Nothing was found, and the status page says how long records can still be shown."""
    assert "Nothing was found" in await desk.type("alarms")
    page = await desk.type("status")
    assert "min left" in page
    assert "0 changes on the way to a supervisor" in page


async def test_lock_ends_the_terminal(handheld: Handheld) -> None:
    """Whoever runs it starts the program anew then."""

    async def lines() -> AsyncIterator[str]:
        yield "lock"
        yield "list"

    facts = Facts(device=DeviceId("hh-0042"), author=OFFICER, server=None, folder="x", signed_in=True)
    paper = Paper()
    terminal = Terminal(handheld, paper, facts, local=SUMMER)
    assert await terminal.run(lines(), stop_at_failure=True)  # type: ignore[arg-type]  # it is a generator
    assert terminal.locked
    assert paper.complaints == []


def test_what_cannot_be_looked_up_is_told_as_it_is() -> None:
    """Sealed edits, alarms, the end of a lease and a wipe are each one line, in words."""
    told = [
        rendering.ending(each).plain
        for each in (
            EditsSealed(("hh-0042/1",)),  # type: ignore[arg-type]  # an op's name
            AlarmRaised("log", "the log has shrunk"),
            LeaseEnded(),
            Wiped("left on a bus"),
        )
    ]
    assert "1 change of yours" in told[0]
    assert "the log has shrunk" in told[1]
    assert "lease has ended" in told[2]
    assert "left on a bus" in told[3]
    assert rendering.lease_left(7 * 3_600_000 + 12 * 60_000) == "7 h 12 min left"
    assert "ended" in rendering.lease_left(0)
    assert rendering.state(SyncStatus(sign_in_needed=True), wanted=True)[1].startswith("signed out")
    assert rendering.state(SyncStatus(wiped="x"), wanted=True)[1] == "destroyed"
    assert "2 alarms" in rendering.prompt("hh", SyncStatus(alarms=2), wanted=True).plain


# --- opening ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def cheaply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let installations stretch PINs without Argon2id's work."""
    real = Installation.open

    def opening(folder: Path, *, keep_shares: bool = False) -> Installation:
        return real(folder, keep_shares=keep_shares, clock=HurriedClock(), stretching=cheap)

    monkeypatch.setattr(installations.Installation, "open", opening)


@pytest.mark.usefixtures("cheaply")
async def test_a_handset_signs_in_and_holds_no_keys_when_it_is_closed(tmp_path: Path, house: Force) -> None:
    """The officer's seat is opened still offline; afterwards its keys are zeroed."""
    await Installation.enrol(tmp_path / "handheld", house.url, await house.code())
    settings = Settings(folder=tmp_path / "handheld", author=OFFICER, shown=Shown(pin=PHRASE))
    assert PHRASE not in repr(settings)
    keys: list[SignedIn] = []
    async with opened(settings) as (handheld, facts):
        assert (facts.signed_in, facts.author, facts.device) == (True, OFFICER, "hh-0042")
        assert not handheld.status.connected
        assert handheld._signed_in is not None
        keys.append(handheld._signed_in)
    assert keys[0].keys.locked


@pytest.mark.usefixtures("cheaply")
@pytest.mark.parametrize("keep", [True, False])
async def test_without_a_server_the_pin_alone_opens_what_was_kept(tmp_path: Path, house: Force, *, keep: bool) -> None:
    """With --keep-share a switched-off handheld opens; without it the text says that the server must be asked."""
    await Installation.enrol(tmp_path / "handheld", house.url, await house.code())
    shown = Shown(pin=PHRASE, keep_share=keep)
    settings = Settings(folder=tmp_path / "handheld", author=OFFICER, shown=shown)
    async with opened(settings):
        pass
    offline = Settings(folder=tmp_path / "handheld", author=OFFICER, shown=shown, offline=True)
    if keep:
        async with opened(offline) as (_, facts):
            assert facts.offline
    else:
        with pytest.raises(ReplicaError, match="lease has ended"):
            async with opened(offline):
                pass


async def test_a_folder_that_is_not_enrolled_says_what_to_do(tmp_path: Path) -> None:
    """No traceback, and nothing is made."""
    settings = Settings(folder=tmp_path / "none", author=OFFICER, shown=Shown(pin=PHRASE))
    with pytest.raises(ReplicaError, match="enrol it with a one-time code"):
        async with opened(settings):
            pass
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("cheaply")
async def test_with_neither_server_nor_share_both_reasons_are_told(
    tmp_path: Path, house: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The officer learns that there is no signal, and why the seat stays shut without it."""
    await Installation.enrol(tmp_path / "handheld", house.url, await house.code())
    settings = Settings(folder=tmp_path / "handheld", author=OFFICER, shown=Shown(pin=PHRASE))
    async with opened(settings):
        pass

    async def no_signal(*_: object, **__: object) -> SignedIn:
        raise UnreachableError("no signal")

    monkeypatch.setattr(Installation, "sign_in", no_signal)
    with pytest.raises(UnreachableError, match=r"no signal\. Without it: the lease has ended"):
        async with opened(settings):
            pass
    with pytest.raises(UsageError, match="no seat on this handheld"):
        await Installation.open(tmp_path / "handheld").unlock("WM99999", PHRASE)
