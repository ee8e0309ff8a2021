"""Acts to bytes and back, for ever: tags and bytes that were once kept mean the same in every later program."""

import contextlib
import json
import typing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StoreError, UsageError
from schemas.roles import Role
from server.registry import acts as a
from tests.server.registry.course import course
from tests.server.registry.force import T0, Force, digest

KINDS = typing.get_args(a.Act)
EVER_USED = {
    "assigned-1", "cleared-1", "code-issued-1", "code-used-1", "code-withdrawn-1", "compartment-made-1",
    "device-enrolled-1", "device-revoked-1", "disclosed-1", "disclosed-2", "hand-over-allowed-1", "hand-over-begun-1",
    "key-renewed-1", "lease-set-1",
    "mission-begun-1", "mission-ended-1", "mission-joined-1", "named-grant-1", "officer-added-1", "officer-ended-1",
    "officer-returned-1", "passphrase-changed-1", "posted-1", "reads-pardoned-1", "reads-resumed-1", "reads-set-back-1",
    "record-erased-1",
    "record-erased-2", "retention-reviewed-1", "retention-reviewed-2", "role-given-1",
    "scope-granted-1", "seat-opened-1", "seat-rights-1", "shift-set-1", "sign-in-locked-1", "sign-in-refused-1",
    "sign-in-unlocked-1", "signed-in-1", "signed-out-1", "span-ended-1", "unit-added-1", "unit-ended-1",
    "unit-merged-1", "unit-renamed-1", "wipe-ordered-1", "wiped-1",
}  # fmt: skip
"""Only ever added to."""
KEPT: dict[str, list[str]] = json.loads(Path(__file__).with_name("kept_acts.json").read_text())
"""tag -> the bytes (hexadecimal) of each such act of `course`, as released programs have kept them. A tag's bytes
never change: what shall change gets a tag of its own."""
COURSE = course().acts


def _damaged(raw: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with one of them another, or cut off."""
    flips = st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255))
    return flips.map(lambda at: raw[: at[0]] + bytes([at[1]]) + raw[at[0] + 1 :]) | flips.map(lambda at: raw[: at[0]])


def test_no_tag_is_lost_or_used_for_another_act() -> None:
    """Every tag that was ever used is known, says its version, and belongs to one act."""
    assert EVER_USED == a.TAGS
    assert len(KINDS) == len(EVER_USED)
    assert all(tag.rpartition("-")[2].isdigit() for tag in a.TAGS)


def test_the_course_holds_every_act() -> None:
    """Nothing is left out of what the tests here go through."""
    assert {type(act) for act in COURSE} == set(KINDS)
    assert set(KEPT) == EVER_USED


@pytest.mark.parametrize("tag", sorted(EVER_USED))
def test_kept_bytes_mean_the_same(tag: str) -> None:
    """Bytes of released programs are read as they were meant, and written as they were."""
    acts = [act for act in COURSE if a.tag_of(act) == tag]
    assert [a.encode(act).hex() for act in acts] == KEPT[tag]
    assert [a.decode(bytes.fromhex(raw)) for raw in KEPT[tag]] == acts


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_act_says_what_it_is(kind: type[a.Act]) -> None:
    """An act has a sentence of its own, and nobody can change it once it is made."""
    assert kind.__doc__
    assert kind.__doc__ != a.BaseAct.__doc__
    assert kind.__struct_config__.frozen
    assert kind.__struct_config__.forbid_unknown_fields


def test_an_act_of_a_newer_program_is_named() -> None:
    """Whoever starts an older program on the folder learns what to do."""
    newer = msgspec.msgpack.encode({"t": "drone-added-1", "by": "WM9", "at": 1})
    with pytest.raises(StoreError, match="'drone-added-1' is from a newer program: start that one"):
        a.decode(newer)


def test_a_field_that_is_not_known_is_not_passed_over() -> None:
    """It could be what limits the act: an end, a condition."""
    raw = msgspec.msgpack.decode(a.encode(COURSE[0]))
    with pytest.raises(StoreError, match=r"cannot be read .*unknown field `only_on_foot`"):
        a.decode(msgspec.msgpack.encode({**raw, "only_on_foot": True}))


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x80", b"\x93\x01\x02\x03", b"\x81\xa1t\x01", b"\x81\xa1t\xa1\xff"])
def test_damaged_bytes_are_told_as_such(raw: bytes) -> None:
    """No traceback, and what to do."""
    with pytest.raises(StoreError, match="damaged; restore the data folder"):
        a.decode(raw)


@given(raw=st.binary(max_size=80) | st.sampled_from(COURSE).map(a.encode).flatmap(_damaged))
def test_no_bytes_bring_anything_else_out(raw: bytes) -> None:
    """Whatever the bytes, an act or a StoreError."""
    with contextlib.suppress(StoreError):
        a.decode(raw)


@pytest.mark.parametrize(
    ("kind", "values", "why"),
    [
        (a.OfficerAdded, {"officer": "WM 1", "name": "x", "start": 0}, "officer-added-1: .*officer"),
        (a.OfficerAdded, {"officer": "WM1", "name": "", "start": 0}, "officer-added-1: .*name"),
        (a.OfficerAdded, {"officer": "WM1", "name": "x", "start": -1}, "officer-added-1: .*start"),
        (a.OfficerAdded, {"officer": "WM1", "name": "x", "start": 2**60}, "officer-added-1: .*start"),
        (a.OfficerAdded, {"officer": "WM1", "name": "x\udc80", "start": 0}, "officer-added-1: "),
        (a.OfficerAdded, {"officer": "WM1", "name": object(), "start": 0}, "officer-added-1: "),
        (a.UnitAdded, {"unit": "Big Unit", "title": "x", "places": (), "start": 0}, "unit-added-1: .*unit"),
        (a.LeaseSet, {"lease_ms": 2**70}, "lease-set-1: "),
        (a.DeviceEnrolled, {"device": "hh-1", "public_key": b"short", "certificate": b"x"}, "public_key"),
    ],
)
def test_a_value_without_its_form_is_refused(kind: type[a.BaseAct], values: dict[str, object], why: str) -> None:
    """Before anything is committed, with the act and the field in the text."""
    with pytest.raises(UsageError, match=why):
        Force().do(kind, **values)


def test_no_secret_has_a_place_in_an_act() -> None:
    """A code and a key come in as hash and public half; nothing is called a secret, PIN or passphrase."""
    names = {name for kind in KINDS for name in kind.__struct_fields__}
    assert not {name for name in names for word in ("secret", "pin", "pass", "token", "private") if word in name}


def test_a_role_that_only_a_newer_program_knows_gives_nothing() -> None:
    """It is kept as it is; here nobody can be given it."""
    role = Role("dog-handler")
    act = a.RoleGiven(by="WM9", at=T0, span="s-1", start=T0, officer="WM1", role=role)  # type: ignore[arg-type]
    assert a.decode(a.encode(act)) == act
    force = Force()
    force.officer("WM1")
    with pytest.raises(UsageError, match="there is no role 'dog-handler'; there are officer, supervisor"):
        force.span(a.RoleGiven, officer="WM1", role=role)
    seat = force.handheld("WM1", "hh-1")
    before = force.scopes(seat)
    force.registry.apply(act)
    assert force.scopes(seat) == before


def test_hashes_keep_their_length() -> None:
    """32 bytes, or the act is none."""
    with pytest.raises(UsageError, match=r"code-issued-1: .*code"):
        Force().do(a.CodeIssued, code=digest("x")[:31], expires_at=T0 + 1)
