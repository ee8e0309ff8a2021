"""Bodies at rest: opened only with the key of what they are about, in the place that they were sealed for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StoreError
from server.store import vault as vaults
from server.store.masters import MasterKeys
from server.store.vault import Subject, Vault

DB: Final = Path("beatbook.db")
ONE: Final = Subject("0199c8a1-7c00-7a11-8b22-0000000000a1")
TWO: Final = Subject("0199c8a1-7c00-7a11-8b22-0000000000b2")
BODY: Final = b"the suspect went by the towpath to Gas Street Basin"


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> MasterKeys:
    """One master key."""
    return MasterKeys.make(tmp_path_factory.mktemp("keys") / "master.key")


@pytest.fixture
def vault(masters: MasterKeys) -> Vault:
    """A vault that has opened nothing yet."""
    return Vault(masters, DB)


@given(body=st.binary(max_size=2_000), table=st.sampled_from(["op.body", "record.body"]), row=st.text(max_size=40))
def test_what_was_sealed_is_opened_again(masters: MasterKeys, body: bytes, table: str, row: str) -> None:
    """By another vault on the same master keys too, that is after a restart."""
    first = Vault(masters, DB)
    wrapped = first.new_key(ONE)
    sealed = first.key(ONE, wrapped).seal(table, row, body)
    assert Vault(masters, DB).key(ONE, wrapped).open(table, row, sealed) == body
    assert len(sealed) == len(body) + vaults.SEALED_EXTRA_BYTES
    assert len(wrapped) == vaults.WRAPPED_BYTES


def test_nothing_of_a_body_shows(vault: Vault) -> None:
    """Neither its words nor that it is the same as another one."""
    key = vault.key(ONE, vault.new_key(ONE))
    first, second = key.seal("op.body", "hh-0042/1", BODY), key.seal("op.body", "hh-0042/1", BODY)
    assert BODY[:8] not in first
    assert first[1:] != second[1:]


def test_a_body_is_opened_in_its_own_place_only(vault: Vault) -> None:
    """Moved to another row, another table or another record, exchanged with another one: all of it is told."""
    wrapped_one, wrapped_two = vault.new_key(ONE), vault.new_key(TWO)
    one, two = vault.key(ONE, wrapped_one), vault.key(TWO, wrapped_two)
    sealed = one.seal("op.body", "hh-0042/1", BODY)
    for key, table, row in (
        (one, "op.body", "hh-0042/2"),
        (one, "op.result", "hh-0042/1"),
        (one, "op", "body\0hh-0042/1"),
        (two, "op.body", "hh-0042/1"),
    ):
        with pytest.raises(StoreError, match="damaged") as told:
            key.open(table, row, sealed)
        assert str(DB) in str(told.value)
        assert row in str(told.value)
    # The same with the wrapped keys exchanged: no record's key is another record's.
    for subject, wrapped in ((ONE, wrapped_two), (TWO, wrapped_one)):
        with pytest.raises(StoreError, match=f"key of {subject}"):
            vault.key(subject, wrapped)


def damages(whole: bytes) -> Iterator[bytes]:
    """Every byte changed, every cut, and more behind the end."""
    for at in range(len(whole)):
        yield whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :]
        yield whole[:at]
    yield whole + b"\0"


def test_every_damage_of_a_body_is_told(vault: Vault) -> None:
    """Nothing is ever opened to something else, and nothing raises what is not ours."""
    key = vault.key(ONE, vault.new_key(ONE))
    for damaged in damages(key.seal("op.body", "hh-0042/1", BODY)):
        with pytest.raises(StoreError, match=r"op\.body of hh-0042/1 is damaged"):
            key.open("op.body", "hh-0042/1", damaged)


def test_every_damage_of_a_key_is_told(vault: Vault) -> None:
    """Also while the key it was is still in the cache."""
    for damaged in damages(vault.new_key(ONE)):
        with pytest.raises(StoreError, match=r"beatbook\.db"):
            vault.key(ONE, damaged)


def test_with_another_master_key_nothing_is_opened(vault: Vault, tmp_path: Path) -> None:
    """The text names the key that is asked for and the file that does not hold it."""
    wrapped = vault.new_key(ONE)
    other = Vault(MasterKeys.make(tmp_path / "other.key"), DB)
    with pytest.raises(StoreError, match=vault.masters.newest.hex()) as told:
        other.key(ONE, wrapped)
    assert str(tmp_path / "other.key") in str(told.value)
    with pytest.raises(StoreError, match="does not hold"):
        other.rewrapped(ONE, wrapped)


def test_a_newer_master_key_wraps_and_an_older_one_still_opens(tmp_path: Path) -> None:
    """Nothing that is there must be sealed again when a key is added."""
    old = MasterKeys.make(tmp_path / "master.key")
    before = Vault(old, DB)
    wrapped = before.new_key(ONE)
    sealed = before.key(ONE, wrapped).seal("op.body", "hh-0042/1", BODY)
    after = Vault(old.rotated(), DB)
    assert after.key(ONE, wrapped).open("op.body", "hh-0042/1", sealed) == BODY
    assert vaults.master_of(after.new_key(TWO)) == after.masters.newest != old.newest


def test_wrapped_anew_the_old_master_key_is_not_needed(tmp_path: Path) -> None:
    """The bodies stay as they are; a key that is under the newest one is left alone."""
    old = MasterKeys.make(tmp_path / "master.key")
    before = Vault(old, DB)
    wrapped = before.new_key(ONE)
    sealed = before.key(ONE, wrapped).seal("op.body", "hh-0042/1", BODY)
    after = Vault(old.rotated(), DB)
    moved = after.rewrapped(ONE, wrapped)
    assert moved is not None
    assert after.rewrapped(ONE, moved) is None
    alone = Vault(after.masters.retired(old.ids), DB)
    assert alone.key(ONE, moved).open("op.body", "hh-0042/1", sealed) == BODY
    with pytest.raises(StoreError, match="does not hold"):
        alone.key(ONE, wrapped)


def test_the_cache_is_bounded_and_keeps_what_is_used(masters: MasterKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used last stays; what went is opened anew and is the same key."""
    vault = Vault(masters, DB, cached_max=2)
    wrapped = {name: vault.new_key(name) for name in map(Subject, "abc")}
    assert len(vault) == 2
    sealed = vault.key(Subject("b"), wrapped[Subject("b")]).seal("op.body", "1", BODY)
    vault.key(Subject("a"), wrapped[Subject("a")])
    opened: list[Subject] = []
    unwrap = vault._unwrap

    def counted(subject: Subject, blob: bytes) -> bytes:
        opened.append(subject)
        return unwrap(subject, blob)

    monkeypatch.setattr(vault, "_unwrap", counted)
    assert vault.key(Subject("b"), wrapped[Subject("b")]).open("op.body", "1", sealed) == BODY
    vault.key(Subject("c"), wrapped[Subject("c")])
    assert opened == ["c"]
    assert len(vault) == 2


def test_a_cached_key_answers_only_for_the_bytes_it_came_from(vault: Vault) -> None:
    """A subject whose key was destroyed and that was given another one since does not get the old one."""
    first = vault.new_key(ONE)
    sealed = vault.key(ONE, first).seal("op.body", "hh-0042/1", BODY)
    second = Vault(vault.masters, DB).new_key(ONE)
    with pytest.raises(StoreError, match="damaged"):
        vault.key(ONE, second).open("op.body", "hh-0042/1", sealed)


def test_what_is_destroyed_leaves_the_cache(vault: Vault) -> None:
    """The process does not go on holding a key that nobody else has."""
    vault.new_key(ONE)
    vault.new_key(TWO)
    vault.forget([ONE, Subject("never seen")])
    assert len(vault) == 1


def test_no_repr_shows_a_key(vault: Vault) -> None:
    """What ends in a log or a traceback says whose key it is and no more."""
    assert repr(vault.key(ONE, vault.new_key(ONE))) == f"RecordKey({ONE!r})"
