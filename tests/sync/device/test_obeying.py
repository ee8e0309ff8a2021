"""What a device does with what rests closed on it once its server trusts it no more, or has it wiped."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId, OfficerId
from schemas.kinds import Incident
from schemas.kinds.incident import Grade
from sync.device import Handheld, SignedIn
from sync.device.account import RefusedError
from sync.device.handing import hand_over
from sync.device.installation import SEATS, Installation
from sync.device.wiping import is_wiped
from tests.sync.device.force import BOSS, DEVICE, OFFICER, PHRASE, Force, HurriedClock
from tests.sync.device.seats import cheap
from tests.sync.device.support import BIRMINGHAM, caught_up, incident
from tests.sync.device.test_signing_in import at_work, back

SECOND = OfficerId("WM30002")
SECOND_SEAT = DeviceId("hh-0042-2")


@pytest.fixture
async def keeping(tmp_path: Path, house: Force) -> AsyncIterator[Installation]:
    """An enrolled handheld that keeps shares for their leases, in files."""
    folder = tmp_path / "handheld"
    await Installation.enrol(folder, house.url, await house.code())
    async with Installation.open(folder, clock=HurriedClock(), keep_shares=True, stretching=cheap) as installation:
        yield installation


async def worked(installation: Installation, officer: SignedIn | None = None) -> None:
    """An officer's work: an incident that the server has, an edit on it and a second incident that it has not."""
    async with at_work(installation, officer) as handheld:
        made = await handheld.create(incident())
        await handheld.wait_until(caught_up)
        await back(handheld, made.record)
        await handheld.go_offline()
        await handheld.edit(made.record, grade=Grade.P1)
        await handheld.create(incident())


async def refusal(installation: Installation, officer: OfficerId = OFFICER, phrase: str = PHRASE) -> str:
    """The code by which a sign-in is refused."""
    with pytest.raises(RefusedError) as caught:
        await installation.sign_in(officer, phrase)
    return caught.value.code


async def test_a_closed_seat_of_a_revoked_device_is_told_so_and_opens_no_more(
    keeping: Installation, house: Force
) -> None:
    """In plain words, with the right PIN and with a wrong one; the share that was kept for the lease is gone."""
    await worked(keeping)
    (await keeping.unlock(OFFICER, PHRASE)).keys.lock()
    await house.beatbook.authority.revoke([DEVICE], BOSS, "stolen")
    async with Installation.open(keeping.folder, clock=keeping._clock, keep_shares=True, stretching=cheap) as started:
        assert await refusal(started) == "device_revoked"
        assert list((keeping.folder / "keystore").glob("*.share")) == []
    assert await refusal(keeping, phrase="000111") == "device_revoked"
    with pytest.raises(ReplicaError, match="lease"):
        await keeping.unlock(OFFICER, PHRASE)
    assert list((keeping.folder / "keystore").glob("*.share")) == []
    assert await house.quarantine() == []
    with pytest.raises(UsageError, match="handed over first"):
        await Installation.enrol(keeping.folder, house.url, await house.code())


async def test_what_was_not_sent_is_handed_over_where_that_is_allowed(installation: Installation, house: Force) -> None:
    """Once, by the officer alone: edit and new incident are in quarantine, nothing is left, receipts say so."""
    await worked(installation)
    authority = house.beatbook.authority
    await authority.revoke([DEVICE], BOSS, "stolen")
    await authority.allow_hand_over(DEVICE, None, BOSS, "it was found")
    assert await refusal(installation, phrase="000111") == "sign_in_wrong"
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    assert (signed_in.hands_over, signed_in.token) == (True, "")
    done = await hand_over(signed_in, installation.enrolment, installation._clock)
    assert (done.edits, done.trouble) == (2, ""), done.words
    assert [id_ for id_, _ in await house.quarantine()] == [2, 3]
    assert {receipt.scope for receipt in await house.receipts()} >= {BIRMINGHAM, ""}
    assert is_wiped(signed_in.seat.folder)
    assert not (await authority.gatekeeper.share(DEVICE)).share
    assert authority.ledger.registry.seats[DEVICE].retired
    assert await refusal(installation) == "device_revoked"


async def test_a_hand_over_shows_nothing(installation: Installation, house: Force) -> None:
    """Whoever opens the seat for it cannot read a record, whatever program they use on this engine."""
    await worked(installation)
    await house.beatbook.authority.revoke([DEVICE], BOSS, "stolen")
    await house.beatbook.authority.allow_hand_over(DEVICE, None, BOSS, "it was found")
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    opening = Handheld.open_seat(signed_in, installation.enrolment, clock=installation._clock, connect=False)
    async with opening as handheld:
        with pytest.raises(ReplicaError, match="shows nothing"):
            await handheld.find(Incident)


async def test_a_hand_over_that_was_broken_off_goes_on_for_a_while(installation: Installation, house: Force) -> None:
    """Within a quarter of an hour; after that it has to be allowed again."""
    await worked(installation)
    authority = house.beatbook.authority
    await authority.revoke([DEVICE], BOSS, "stolen")
    await authority.allow_hand_over(DEVICE, DEVICE, BOSS, "it was found")
    for _ in range(2):
        (await installation.sign_in(OFFICER, PHRASE)).keys.lock()
    house.ahead_ms += 15 * 60_000
    assert await refusal(installation) == "device_revoked"
    await authority.allow_hand_over(DEVICE, DEVICE, BOSS, "it was broken off")
    assert (await installation.sign_in(OFFICER, PHRASE)).hands_over


async def test_a_closed_seat_is_wiped_at_the_next_contact_and_its_officer_begins_anew(
    installation: Installation, house: Force
) -> None:
    """What the helpdesk does for a forgotten PIN. The draft that waits goes up first; the other seat is not touched."""
    await house.officer(SECOND)
    await house.grant(SECOND, BIRMINGHAM)
    await worked(installation)
    other = await installation.sign_in(SECOND, PHRASE)
    await worked(installation, other)
    authority = house.beatbook.authority
    async with at_work(installation, await installation.sign_in(OFFICER, PHRASE), connect=False) as handheld:
        await handheld.draft(Incident, summary="Seen at the canal")
    folder = installation.folder / SEATS
    await authority.wipe(DEVICE, DEVICE, BOSS, "the PIN is forgotten")
    done = await installation.obey()
    assert (done.seats, done.revoked, done.wiped) == ((DEVICE,), False, None)
    assert is_wiped(folder / DEVICE)
    assert not (folder / DEVICE / "replica.db").exists()
    assert [receipt.seat for receipt in await house.receipts() if receipt.scope == ""] == [DEVICE]
    assert any(b"canal" in body for _, body in await house.quarantine())
    assert authority.ledger.registry.seats[DEVICE].retired
    async with at_work(installation) as handheld:
        assert handheld._replica.device == "hh-0042-3"
    async with at_work(installation, await installation.sign_in(SECOND, PHRASE)) as handheld:
        assert len(await handheld.find(Incident)) > 1


async def test_a_closed_device_is_wiped_whole(keeping: Installation, house: Force) -> None:
    """Every seat, and it is told what happened; the server hears of each, and a code enrols the device anew."""
    await house.officer(SECOND)
    await house.grant(SECOND, BIRMINGHAM)
    await worked(keeping)
    await worked(keeping, await keeping.sign_in(SECOND, PHRASE))
    await house.beatbook.authority.wipe(DEVICE, None, BOSS, "left on a bus")
    assert await refusal(keeping, SECOND) == "device_wiped"
    for seat in (DEVICE, SECOND_SEAT):
        assert is_wiped(keeping.folder / SEATS / seat)
    assert {receipt.seat for receipt in await house.receipts() if receipt.scope == ""} == {DEVICE, SECOND_SEAT}
    assert house.beatbook.authority.ledger.registry.devices[DEVICE].wiped
    assert list((keeping.folder / "keystore").iterdir()) == []


async def test_a_power_cut_before_the_receipt_is_caught_up_on(
    installation: Installation, house: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seat is gone and the server does not know: the next contact says so."""
    await worked(installation)
    await house.beatbook.authority.wipe(DEVICE, DEVICE, BOSS, "the PIN is forgotten")

    async def lost(*_: object) -> None:
        raise ReplicaError("the power")

    with monkeypatch.context() as patch:
        patch.setattr(installation._account, "say_wiped", lost)
        with pytest.raises(ReplicaError, match="the power"):
            await installation.obey()
    assert is_wiped(installation.folder / SEATS / DEVICE)
    assert not house.beatbook.authority.ledger.registry.seats[DEVICE].retired
    await installation.obey()
    assert house.beatbook.authority.ledger.registry.seats[DEVICE].retired


async def test_an_open_seat_is_left_to_its_own_session(installation: Installation, house: Force) -> None:
    """Its edits that were not sent go up over it before it is destroyed."""
    async with at_work(installation) as handheld:
        await handheld.go_offline()
        await house.beatbook.authority.wipe(DEVICE, None, BOSS, "left on a bus")
        assert (await installation.obey()).seats == ()
        assert not is_wiped(installation.folder / SEATS / DEVICE)
        await handheld.go_online()
        await handheld.wait_until(lambda status: status.wiped is not None)


async def test_a_device_that_was_enrolled_anew_elsewhere_is_told_so(
    keeping: Installation, house: Force, tmp_path: Path
) -> None:
    """The old one calls with a key that was its own once: it learns that it is trusted no more, and keeps no share."""
    await worked(keeping)
    await house.beatbook.authority.revoke([DEVICE], BOSS, "stolen")
    await Installation.enrol(tmp_path / "new", house.url, await house.code(), clock=keeping._clock)
    assert await refusal(keeping) == "device_revoked"
    assert list((keeping.folder / "keystore").glob("*.share")) == []


async def test_with_no_server_a_kept_share_goes_on_to_the_end_of_its_lease(keeping: Installation, house: Force) -> None:
    """Nobody has told the device: that is what a lease is for."""
    await worked(keeping)
    await house.beatbook.authority.revoke([DEVICE], BOSS, "stolen")
    async with Installation.open(keeping.folder, clock=keeping._clock, keep_shares=True, stretching=cheap) as later:
        (await later.unlock(OFFICER, PHRASE)).keys.lock()
