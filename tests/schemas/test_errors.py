"""The registry of errors is whole: every code is well formed, told in full and used, and no other is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import errors
from schemas.errors import ERRORS, RECOVERY_MEANING, ErrorSpec, FrameError, LocalError, PeerError, Recovery
from schemas.wire import Error

ROOT = Path(__file__).resolve().parent.parent.parent
# Close codes that an endpoint may send (RFC 6455 section 7.4.1 and the IANA registry); 1005, 1006, 1015 never travel.
SENDABLE_CLOSE_CODES = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
# What raises or tells an error by its code, as the first argument.
BY_CODE = {"PeerError", "FrameError", "Refusal"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Yield every module of the packages but the registry itself."""
    for package in ("schemas", "sync", "server", "loadtest"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path != ROOT / "schemas/errors.py":
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def codes_named(tree: ast.Module) -> Iterator[str]:
    """Yield the literal codes given to what takes one; both arms of a conditional count."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in BY_CODE:
            arms = [node.args[0]]
            if isinstance(node.args[0], ast.IfExp):
                arms = [node.args[0].body, node.args[0].orelse]
            yield from (arm.value for arm in arms if isinstance(arm, ast.Constant) and isinstance(arm.value, str))


def strings(tree: ast.Module) -> set[str]:
    """Every string constant of a module."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("spec", ERRORS.values(), ids=ERRORS)
def test_an_entry_is_well_formed(spec: ErrorSpec) -> None:
    """A code is lower case with underscores, fits ERROR's field, and says in sentences what happened and what to do."""
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", spec.code)
    assert len(spec.code) <= 40
    for text in (spec.meaning, spec.action):
        assert text[0].isupper() or text[0] == "`"
        assert text.endswith(".")


@pytest.mark.parametrize("spec", ERRORS.values(), ids=ERRORS)
def test_a_close_code_may_be_sent(spec: ErrorSpec) -> None:
    """A close code is one that RFC 6455 lets an endpoint send, or one of the private range."""
    assert spec.close is None or spec.close in SENDABLE_CLOSE_CODES or 4000 <= spec.close <= 4999


def test_codes_are_unique() -> None:
    """No entry hides another, and no two share one of our own close codes: a client may tell them apart by it."""
    listed = errors._SPECS
    assert len(listed) == len(ERRORS)
    own = [spec.close for spec in listed if spec.close is not None and spec.close >= 4000]
    assert len(own) == len(set(own))


def test_an_error_of_an_op_leaves_the_connection_open() -> None:
    """What is about one op has no close code and quarantines; everything else closes and never quarantines.

    Two are never refusals: the op waits for what has not come, or for a newer server, and comes again by itself.
    """
    waits = {"op_saw_unknown", "op_value_newer"}
    for spec in ERRORS.values():
        about_an_op = spec.code.startswith("op_")
        assert (spec.close is None) == about_an_op, spec.code
        refuses = about_an_op and spec.code not in waits
        assert (spec.recovery is Recovery.QUARANTINE) == refuses, spec.code
    assert all(ERRORS[code].recovery is Recovery.RETRY for code in waits)


def test_every_recovery_has_a_meaning_and_travels() -> None:
    """A device is told what each recovery asks of it, and ERROR can carry each."""
    assert set(RECOVERY_MEANING) == set(Recovery)
    for recovery in Recovery:
        assert Error(code="internal", recovery=recovery.value).recovery == recovery.value
    recovery_type = Error.__annotations__["recovery"]
    assert set(recovery_type.__args__) == {recovery.value for recovery in Recovery}


def test_every_code_that_is_named_exists() -> None:
    """A typo in a code would raise KeyError at the moment it is needed most."""
    unknown = [(module, code) for module, tree in sources() for code in codes_named(tree) if code not in ERRORS]
    assert unknown == []


def test_every_code_is_used() -> None:
    """An entry that nothing sends would promise a behaviour that is not there."""
    used = set().union(*(strings(tree) for _, tree in sources()))
    assert [code for code in ERRORS if code not in used] == []


def test_the_searches_find_what_they_are_for() -> None:
    """Codes are found in calls of every form, and a code that only a comment names is not used."""
    source = "raise errors.PeerError('a', x)\nfail(FrameError('b' if y else 'c'))\nRefusal('d', '')\nf('e')  # f"
    tree = ast.parse(source)
    assert sorted(codes_named(tree)) == ["a", "b", "c", "d"]
    assert "f" not in strings(tree)


def test_an_error_knows_its_entry() -> None:
    """The exception carries registry entry, detail and time to come back; its text says all that is known."""
    error = PeerError("server_busy", retry_after_ms=2_500)
    assert error.spec is ERRORS["server_busy"]
    assert error.retry_after_ms == 2_500
    assert str(error) == "server_busy: The server cannot take this now."
    assert str(FrameError("too_long", "9 bytes, at most 8")) == "too_long: 9 bytes, at most 8"


def test_an_unknown_code_is_our_own_fault() -> None:
    """A code that is not in the registry never becomes an error message."""
    with pytest.raises(KeyError):
        PeerError("gremlins")


def test_ours_and_theirs_are_apart() -> None:
    """What the peer did wrong and what went wrong here are never caught by the same name."""
    assert not issubclass(PeerError, LocalError)
    assert not issubclass(LocalError, PeerError)
    assert issubclass(FrameError, PeerError)
