"""The contract of whatever keeps credentials: every adapter passes it."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schemas.ids import Millis, OfficerId
from server.authority.credentials import StoreCredentials
from server.federation.credentials import Credential, Credentials, MemoryCredentials
from tests.server.running import running

ADMIN = OfficerId("WM7001")
OTHER = OfficerId("WM7002")


def credential(number: int, officer: OfficerId = ADMIN) -> Credential:
    """A credential of that number."""
    return Credential(
        id=bytes([number]) * 32,
        officer=officer,
        user=bytes(32),
        data=b"data",
        counter=0,
        label=f"key {number}",
        registered_at=Millis(number),
    )


@pytest.fixture(params=["memory", "store"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Credentials]:
    """An empty one of each adapter."""
    if request.param == "memory":
        yield MemoryCredentials()
        return
    async with running(tmp_path) as server:
        yield StoreCredentials(server.beatbook.authority.ledger, server.store, server.clock)


async def test_what_is_added_is_found_by_id_and_by_officer(kept: Credentials) -> None:
    """Oldest first, and nobody else's."""
    for number, officer in ((1, ADMIN), (2, OTHER), (3, ADMIN)):
        assert await kept.add(credential(number, officer))
    assert await kept.of_officer(ADMIN) == [credential(1), credential(3)]
    assert await kept.find(credential(2).id) == credential(2, OTHER)
    assert await kept.find(b"x" * 32) is None
    assert await kept.of_officer(OfficerId("WM9")) == []


async def test_an_id_is_taken_once(kept: Credentials) -> None:
    """The second one changes nothing, not even when it is equal."""
    assert await kept.add(credential(1))
    assert not await kept.add(credential(1, OTHER))
    assert not await kept.add(credential(1))
    assert await kept.find(credential(1).id) == credential(1)


async def test_only_what_is_still_there_is_replaced(kept: Credentials) -> None:
    """Compare and set: of two that saw the same one, one wins."""
    before = credential(1)
    after = msgspec.structs.replace(before, counter=5)
    assert not await kept.replace(before, after)
    assert await kept.add(before)
    assert await kept.replace(before, after)
    assert not await kept.replace(before, msgspec.structs.replace(before, counter=9))
    assert await kept.find(before.id) == after


async def test_what_is_removed_is_gone(kept: Credentials) -> None:
    """And can be added anew."""
    assert await kept.add(credential(1))
    assert await kept.remove(credential(1).id)
    assert not await kept.remove(credential(1).id)
    assert await kept.of_officer(ADMIN) == []
    assert await kept.add(credential(1))


def test_a_credential_survives_being_written_down() -> None:
    """As MessagePack and as JSON: the record is what the store keeps."""
    whole = msgspec.structs.replace(credential(1), used_at=Millis(7), cloned_at=Millis(9))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=Credential) == whole
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Credential) == whole
