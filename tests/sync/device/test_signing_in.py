"""An officer's day on a handheld, over real sockets: enrolled, signed in, working, locked out, revoked, wiped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from schemas import wire
from schemas.codec import decode_down, encode, reread_op
from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId, OfficerId, RecordId
from schemas.kinds import Incident
from schemas.kinds.incident import Grade
from schemas.limits import CREDIT_BYTES
from schemas.roles import Role
from sync.device import DeviceIdentity, EditsSealed, Handheld, LeaseEnded, RecordChanged, SignedIn, Wiped
from sync.device.account import Account, RefusedError, UnreachableError, server_base
from sync.device.installation import Installation
from sync.device.seat_opening import FormerPinError
from sync.device.slotfile import share_name
from sync.device.wiping import is_wiped
from tests.sync.device.force import BOSS, DEVICE, OFFICER, PHRASE, Force, HurriedClock
from tests.sync.device.seats import cheap
from tests.sync.device.support import AT_ONCE, BIRMINGHAM, VirtualClock, caught_up, change_of, contents, incident

NEW_PHRASE = "730518"


@asynccontextmanager
async def at_work(
    installation: Installation,
    signed_in: SignedIn | None = None,
    **more: Any,  # noqa: ANN401  as open_seat takes
) -> AsyncIterator[Handheld]:
    """The officer's handheld, caught up."""
    officer = signed_in or await installation.sign_in(OFFICER, PHRASE)
    opening = Handheld.open_seat(
        officer, installation.enrolment, clock=installation._clock, **{"backoff": AT_ONCE, "justify": False, **more}
    )
    async with opening as handheld:
        if more.get("connect", True):
            await handheld.wait_until(caught_up)
        yield handheld


async def back(handheld: Handheld, record: RecordId) -> None:
    """Wait until a record that was made here has come back as the server's."""
    stream = handheld.changes()
    while (view := await handheld.inspect(record)) is None or view.pending:
        await change_of(stream, RecordChanged)


# --- being enrolled --------------------------------------------------------------------------------------------------


async def test_a_code_enrols_once_and_what_the_server_said_is_kept(tmp_path: Path, house: Force) -> None:
    """The key is made here and is private; the code is good once; the folder is a handheld from then on."""
    code = await house.code()
    enrolment = await Installation.enrol(tmp_path / "a", house.url, code)
    assert (enrolment.device, enrolment.seal_to) == (DEVICE, house.keys.seal_to)
    assert enrolment.log_key == str(house.beatbook.authority.checkpoints.verifier)
    async with Installation.open(tmp_path / "a") as installation:
        assert installation.enrolment == enrolment
        assert installation.identity.device == DEVICE
        assert installation.officers() == {}
    assert (tmp_path / "a" / "identity.json").stat().st_mode & 0o077 == 0
    with pytest.raises(RefusedError, match="used already"):
        await Installation.enrol(tmp_path / "b", house.url, code)
    with pytest.raises(UsageError, match="enrolled handheld already"):
        await Installation.enrol(tmp_path / "a", house.url, await house.code(DeviceId("hh-0099")))


async def test_an_enrolment_whose_answer_was_lost_goes_on(
    tmp_path: Path, house: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code is used up by then: the same key asks again, and gets the same answer."""
    code = await house.code()
    real = Account.enrol

    async def lost(account: Account, code: str) -> Any:  # noqa: ANN401  what it gives
        await real(account, code)
        raise UnreachableError("the tunnel")

    with monkeypatch.context() as patch:
        patch.setattr(Account, "enrol", lost)
        with pytest.raises(UnreachableError):
            await Installation.enrol(tmp_path / "a", house.url, code)
    with pytest.raises(ReplicaError, match="no enrolled handheld"):
        Installation.open(tmp_path / "a")
    assert (await Installation.enrol(tmp_path / "a", house.url, code)).device == DEVICE


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("http://beatbook.example", "must be https"),
        ("ftp://beatbook.example", "no server address"),
        ("https://beatbook.example/path", "no server address"),
        ("https://user@beatbook.example", "no server address"),
        ("https://[::1", "no server address"),
    ],
)
def test_passphrases_never_leave_this_machine_in_clear(server: str, says: str) -> None:
    """Only https is called, but for a server on this machine."""
    with pytest.raises(UsageError, match=says):
        server_base(server)
    assert server_base("http://127.0.0.1:8700/") == "http://127.0.0.1:8700"
    assert server_base("https://beatbook.example") == "https://beatbook.example"


async def test_a_server_that_is_not_there_is_told_in_words(tmp_path: Path, installation: Installation) -> None:
    """Nothing is known of the passphrase then, and nothing of it is in the text."""
    async with Account("http://127.0.0.1:9", installation.identity) as account:
        with pytest.raises(UnreachableError, match="cannot be reached") as caught:
            await account.sign_in(OFFICER, PHRASE)
    assert PHRASE not in str(caught.value)


async def test_a_device_whose_clock_is_wrong_signs_in(tmp_path: Path, house: Force) -> None:
    """The server's clock and nonce are learned from its refusals."""
    await Installation.enrol(tmp_path / "a", house.url, await house.code(), clock=VirtualClock(1_000_000_000_000))
    clock = VirtualClock(1_000_000_000_000)
    async with Installation.open(tmp_path / "a", clock=clock, stretching=cheap) as installation:
        assert (await installation.sign_in(OFFICER, PHRASE)).officer == OFFICER


# --- signing in ------------------------------------------------------------------------------------------------------


async def test_a_wrong_passphrase_opens_nothing_and_makes_nothing(installation: Installation) -> None:
    """The server's words come through, the seat is not made, and who tries on is made to wait."""
    with pytest.raises(RefusedError) as caught:
        await installation.sign_in(OFFICER, "918273")
    assert caught.value.code == "sign_in_wrong"
    assert installation.officers() == {}


async def test_an_officer_works_and_comes_back(installation: Installation, house: Force) -> None:
    """The first sign-in makes the seat, later ones open it; what was written is there and on the server."""
    async with at_work(installation) as handheld:
        made = await handheld.create(incident())
        await handheld.wait_until(caught_up)
        assert not handheld.status.lease_ended
    assert installation.officers() == {OFFICER: DEVICE}
    async with at_work(installation) as handheld:
        assert await handheld.get(Incident, made.record) is not None
    stored = await house.store.record(made.record)
    assert stored is not None


async def test_every_op_is_salted_and_what_the_role_forbids_is_refused_here(
    installation: Installation, house: Force
) -> None:
    """The server would refuse it too; the officer hears it before they have walked away."""
    async with at_work(installation) as handheld:
        made = await handheld.create(incident())
        with pytest.raises(UsageError, match="only for whoever is supervisor"):
            await handheld.edit(made.record, area="walsall")
        op = await handheld._replica.read(lambda held: held.tables.ops_of(made.record))
        assert len(reread_op(op[0].body).salt) == 16


async def test_two_officers_share_a_handheld_and_nothing_else(installation: Installation, house: Force) -> None:
    """Each has a seat; the second one's PIN does not open the first one's, and signing in ends the other's session."""
    second = OfficerId("WM30002")
    await house.officer(second)
    async with at_work(installation) as handheld:
        await installation.sign_in(second, PHRASE)
        await handheld.wait_until(lambda status: status.sign_in_needed)
    assert installation.officers() == {OFFICER: DEVICE, second: DeviceId("hh-0042-2")}


async def test_with_no_server_the_pin_opens_the_seat_while_its_share_is_here(
    installation: Installation, house: Force
) -> None:
    """Records can be read and written; the token is renewed by the device's key when there is signal."""
    async with at_work(installation) as handheld:
        made = await handheld.create(incident())
        await handheld.wait_until(caught_up)
    with pytest.raises(ReplicaError, match="wrong PIN"):
        await installation.unlock(OFFICER, "000111")
    signed_in = await installation.unlock(OFFICER, PHRASE)
    async with at_work(installation, signed_in, connect=False) as handheld:
        assert await handheld.get(Incident, made.record) is not None
        await handheld.edit(made.record, grade=Grade.P1)
    house.ahead_ms += 20 * 60_000
    async with at_work(installation, await installation.unlock(OFFICER, PHRASE)) as handheld:
        assert (await handheld.inspect(made.record)) is not None


async def test_the_share_is_another_one_after_a_retraction_and_the_old_one_opens_nothing(
    installation: Installation, house: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slots follow the server's share; a copy of the old slots with the old share is worthless once confirmed."""
    grant = await house.grant(OFFICER, "team:night")  # type: ignore[arg-type]  # a scope's name
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    before = signed_in.seat.slots.wanted_share()
    async with at_work(installation, signed_in) as handheld:
        taken = asyncio.Event()
        loop, real = asyncio.get_running_loop(), SignedIn.take

        def take(officer: SignedIn, lease: wire.Lease) -> bytes:
            kept = real(officer, lease)
            loop.call_soon_threadsafe(taken.set)
            return kept

        monkeypatch.setattr(SignedIn, "take", take)
        await house.end(grant)
        await taken.wait()
        assert signed_in.seat.slots.wanted_share() != before
        # A receipt goes out in two sessions, and each brings another share.
        for _ in range(3):
            await handheld.go_offline()
            await handheld.go_online()
            await handheld.wait_until(caught_up)
    kept = await house.beatbook.authority.gatekeeper.share(DEVICE)
    assert kept.before == b"", "the device has said that it holds the new one"
    with pytest.raises(ReplicaError, match="another share"):
        signed_in.seat.slots.unlock(PHRASE, bytes(32))
    assert not (await installation.unlock(OFFICER, PHRASE)).keys.locked


async def test_a_share_that_did_not_arrive_shuts_nobody_out(installation: Installation, house: Force) -> None:
    """The server has another share than the keys are under: signing in brings both, and the new one is taken."""
    async with at_work(installation) as handheld:
        made = await handheld.create(incident())
        await handheld.wait_until(caught_up)
    await house.beatbook.authority.gatekeeper.new_share(DEVICE)
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    async with at_work(installation, signed_in) as handheld:
        assert await handheld.get(Incident, made.record) is not None
    kept = await house.beatbook.authority.gatekeeper.share(DEVICE)
    assert share_name(kept.share) == signed_in.seat.slots.wanted_share()


async def test_two_retractions_before_a_word_of_the_device_never_leave_its_keys_behind(
    installation: Installation, house: Force
) -> None:
    """Whichever of the shares that were on their way has arrived, the next sign-in opens the seat."""
    gate = house.beatbook.authority.gatekeeper
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    async with at_work(installation, signed_in, connect=False) as handheld:
        first = await gate.lease(DEVICE, fresh_share=True)
        assert first is not None
        await handheld._replica.read(lambda _held: signed_in.take(first))
        assert await gate.lease(DEVICE, fresh_share=True) is not None, "on its way, and lost"
    async with at_work(installation) as handheld:
        for _ in range(2):
            await handheld.go_offline()
            await handheld.go_online()
            await handheld.wait_until(caught_up)
    kept = await gate.share(DEVICE)
    assert (kept.before, kept.due) == (b"", False)
    assert kept.no > first.share_no, "what was due has followed"


# --- the lease -------------------------------------------------------------------------------------------------------


async def test_when_the_lease_ends_nothing_is_read_and_drafts_are_kept(
    installation: Installation, house: Force
) -> None:
    """The screen is told; what is written goes sealed to the server on the next contact, which renews the lease."""
    clock = installation._clock
    assert isinstance(clock, VirtualClock)
    async with at_work(installation) as handheld:
        made = await handheld.create(incident())
        await handheld.wait_until(caught_up)
        await handheld.go_offline()
        stream = handheld.changes()
        clock.advance(24 * 60 * 60_000)
        await change_of(stream, LeaseEnded)
        for refused in (handheld.get(Incident, made.record), handheld.find(Incident), handheld.lease_left_ms()):
            with pytest.raises(ReplicaError, match="lease has ended"):
                await refused
        with pytest.raises(ReplicaError, match="lease has ended"):
            await handheld.edit(made.record, grade=Grade.P1)
        assert await handheld.draft(Incident, made.record, grade=Grade.P1) == 1
        house.ahead_ms += 11 * 60 * 60_000
        await handheld.go_online()
        await handheld.wait_until(lambda status: caught_up(status) and not status.lease_ended)
        assert await handheld.get(Incident, made.record) is not None
        while not (kept := await house.quarantine()):
            await house._committed()
    ((_, draft),) = kept
    assert b"hh-0042" in draft


# --- the end ---------------------------------------------------------------------------------------------------------


async def test_a_revoked_device_removes_what_it_holds_and_hands_over_what_it_had_not_sent(
    installation: Installation, house: Force
) -> None:
    """At its next contact everything leaves first, receipts come, the unsent edit is in quarantine, and that is all."""
    async with at_work(installation) as handheld:
        made = await handheld.create(incident())
        await handheld.wait_until(caught_up)
        await back(handheld, made.record)
        await handheld.go_offline()
        edited = await handheld.edit(made.record, grade=Grade.P1)
        await house.beatbook.authority.revoke([DEVICE], BOSS, "stolen")
        stream = handheld.changes()
        await handheld.go_online()
        assert (await change_of(stream, EditsSealed)).ops == (edited.op,)
        await handheld.wait_until(lambda status: "device_revoked" in status.last_error)
        assert await handheld._replica.read(lambda held: held.tables.records_of_kind("incident")) == []
        await handheld.wait_until(lambda status: status.lease_ended)
        with pytest.raises(ReplicaError, match="trusted no more"):
            await handheld.find(Incident)
        assert handheld.status.sealed == 0
    assert {receipt.scope for receipt in await house.receipts()} >= {BIRMINGHAM}
    assert [id_ for id_, _ in await house.quarantine()] == [2]


async def test_a_wipe_destroys_the_seat_and_says_so(installation: Installation, house: Force) -> None:
    """Keys first; the receipt is signed; the unsent edit is in quarantine; every later call says what happened."""
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    async with at_work(installation, signed_in) as handheld:
        made = await handheld.create(incident())
        await handheld.wait_until(caught_up)
        await handheld.go_offline()
        edited = await handheld.edit(made.record, grade=Grade.P1)
        await house.beatbook.authority.wipe(DEVICE, None, BOSS, "left on a bus")
        stream = handheld.changes()
        await handheld.go_online()
        assert (await change_of(stream, Wiped)).reason == "left on a bus"
        with pytest.raises(ReplicaError, match="was destroyed, on the server's order: left on a bus"):
            await handheld.get(Incident, made.record)
        receipt = await house.receipt_of("")  # type: ignore[arg-type]  # of everything
        assert receipt.seat == DEVICE
        assert edited.op
    assert is_wiped(signed_in.seat.folder)
    assert signed_in.keys.locked
    assert not signed_in.seat.slots.exist()
    assert [id_ for id_, _ in await house.quarantine()] == [2]
    assert set(contents(signed_in.seat.folder)) <= {"replica.wiped", "replica.lock", "officer.json"}


async def test_signing_out_ends_it_here_and_there(installation: Installation, house: Force) -> None:
    """The share is gone from this device, the server lets nobody in, and the passphrase opens both again."""
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    async with at_work(installation, signed_in) as handheld:
        await handheld.create(incident())
        await handheld.wait_until(caught_up)
    await installation.sign_out(signed_in)
    with pytest.raises(ReplicaError, match="lease has ended"):
        await installation.unlock(OFFICER, PHRASE)
    async with Account(house.url, installation.identity) as account:
        with pytest.raises(RefusedError, match="sign-in has ended"):
            await account.renew(DEVICE)
    async with at_work(installation) as handheld:
        assert len(await handheld.find(Incident)) == 1


async def test_a_stolen_token_is_worth_nothing_without_the_key(installation: Installation, house: Force) -> None:
    """Neither over HTTP nor on the socket does it let in whoever has another key."""
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    thief = DeviceIdentity.generate("hh-0666")
    async with Account(house.url, thief) as account:
        with pytest.raises(RefusedError) as caught:
            await account.sign_out(signed_in.token)
        assert caught.value.code in {"proof_invalid", "token_invalid"}
    url = "ws" + house.url.removeprefix("http") + "/v1/sync"
    async with connect(url, subprotocols=[Subprotocol(wire.SUBPROTOCOL)], compression=None) as socket:
        challenge = decode_down(await socket.recv(decode=False))
        assert isinstance(challenge, wire.Challenge)
        body = encode(
            wire.HelloBody(
                proto=1, schema=wire.SCHEMA, device=DEVICE, next_op=1, wall=1, mono=1,  # type: ignore[arg-type]  # numbers
                credit=CREDIT_BYTES, token=signed_in.token,
            )
        )  # fmt: skip
        await socket.send(encode(wire.Hello(body=body, proof=thief.sign(wire.PROOF_CONTEXT + challenge.nonce + body))))
        answer = decode_down(await socket.recv(decode=False))
        assert isinstance(answer, wire.Error)
        assert answer.code == "bad_proof"


async def test_a_sign_in_that_ended_is_told_and_taken_up_again(installation: Installation, house: Force) -> None:
    """Nobody is let in, the officer is told to sign in, and going on takes one passphrase."""
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    async with at_work(installation, signed_in) as handheld:
        registry = house.beatbook.authority.ledger.registry
        await house.beatbook.authority.signing.sign_out(next(reversed(registry.sign_ins)), BOSS, "end of shift")
        await handheld.wait_until(lambda status: status.sign_in_needed)
        await handheld.go_offline()
        await installation.sign_in_again(signed_in, PHRASE)
        await handheld.go_online()
        status = await handheld.wait_until(caught_up)
        assert not status.sign_in_needed


# --- the PIN ---------------------------------------------------------------------------------------------------------


async def test_a_changed_pin_is_the_only_one_at_both_ends(installation: Installation, house: Force) -> None:
    """Server and slots follow each other."""
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    async with at_work(installation, signed_in) as handheld:
        await handheld.change_pin(PHRASE, NEW_PHRASE)
    with pytest.raises(ReplicaError, match="wrong PIN"):
        await installation.unlock(OFFICER, PHRASE)
    assert not (await installation.unlock(OFFICER, NEW_PHRASE)).keys.locked
    with pytest.raises(RefusedError):
        await installation.sign_in(OFFICER, PHRASE)


async def test_a_pin_change_that_was_broken_off_asks_for_the_old_one_once(
    installation: Installation, house: Force
) -> None:
    """The server has the new one, the slots the old: one sign-in with both puts that right, and loses nothing."""
    async with at_work(installation) as handheld:
        made = await handheld.create(incident())
        await handheld.wait_until(caught_up)
    await house.beatbook.authority.passphrases.change(OFFICER, NEW_PHRASE)
    with pytest.raises(FormerPinError):
        await installation.sign_in(OFFICER, NEW_PHRASE)
    await installation.sign_in(OFFICER, NEW_PHRASE, former=PHRASE)
    async with at_work(installation, await installation.sign_in(OFFICER, NEW_PHRASE)) as handheld:
        assert await handheld.get(Incident, made.record) is not None


async def test_a_one_time_passphrase_asks_for_another_and_opens_the_seat_with_it(
    installation: Installation, house: Force
) -> None:
    """Whoever was given one chooses their own with the first sign-in."""
    other = OfficerId("WM30002")
    await house.officer(other, Role.SUPERVISOR)
    once, _ = await house.beatbook.authority.passphrases.reset(other, BOSS)
    with pytest.raises(RefusedError) as caught:
        await installation.sign_in(other, once)
    assert caught.value.code == "passphrase_once"
    await installation.sign_in(other, once, new_passphrase=NEW_PHRASE)
    assert not (await installation.unlock(other, NEW_PHRASE)).keys.locked


async def test_a_reset_passphrase_asks_for_the_pin_before_and_costs_no_tries(
    installation: Installation, house: Force
) -> None:
    """The server has said who it is. The one before opens the seat, and what was chosen takes its place."""
    (await installation.sign_in(OFFICER, PHRASE)).keys.lock()
    once, _ = await house.beatbook.authority.passphrases.reset(OFFICER, BOSS)
    with pytest.raises(FormerPinError, match="still under the one before"):
        await installation.sign_in(OFFICER, once, new_passphrase=NEW_PHRASE)
    seat = installation.seat_of(OFFICER)
    assert seat.slots.tries.wrong() == 0
    with pytest.raises(FormerPinError):
        await installation.sign_in(OFFICER, NEW_PHRASE)
    assert seat.slots.tries.wrong() == 0
    with pytest.raises(ReplicaError, match="wrong PIN"):
        await installation.sign_in(OFFICER, NEW_PHRASE, former="000111")
    (await installation.sign_in(OFFICER, NEW_PHRASE, former=PHRASE)).keys.lock()
    (await installation.sign_in(OFFICER, NEW_PHRASE)).keys.lock()


async def test_a_share_is_kept_for_whoever_asks_for_it_and_no_longer(tmp_path: Path, house: Force) -> None:
    """A start that does not ask for it leaves none, and neither does another officer who signs in."""
    second = OfficerId("WM30002")
    await house.officer(second)
    await Installation.enrol(tmp_path / "a", house.url, await house.code())
    shares = tmp_path / "a" / "keystore"

    async def start(officer: OfficerId, *, keep: bool) -> list[str]:
        opening = Installation.open(tmp_path / "a", clock=HurriedClock(), keep_shares=keep, stretching=cheap)
        async with opening as installation:
            (await installation.sign_in(officer, PHRASE)).keys.lock()
        return sorted(path.name for path in shares.glob("*.share"))

    assert await start(OFFICER, keep=True) == [f"{DEVICE}.share"]
    assert await start(OFFICER, keep=False) == []
    assert await start(OFFICER, keep=True) == [f"{DEVICE}.share"]
    assert await start(second, keep=True) == [f"{DEVICE}-2.share"]
    async with Installation.open(tmp_path / "a", clock=HurriedClock(), keep_shares=True, stretching=cheap) as later:
        with pytest.raises(ReplicaError, match="lease has ended"):
            await later.unlock(OFFICER, PHRASE)
        (await later.unlock(second, PHRASE)).keys.lock()
