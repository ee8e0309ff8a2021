"""Acts as they are sent: made from the registry's own, with who and when from the server."""

import msgspec
import pytest

from schemas.ids import Millis, OfficerId
from schemas.roles import Role
from server.http.act_drafts import acts_of, drafts_of, family, word_for
from server.registry.acts import OfficerAdded, RoleGiven, SpanEnded, UnitAdded

NOW = Millis(1_700_000_000_000)
BOSS = OfficerId("WM1")
Few = family("Few", UnitAdded, RoleGiven, OfficerAdded, SpanEnded, at_most=2)


def sent(*acts: dict[str, object]) -> object:
    """What a call's body is decoded to."""
    return msgspec.convert({"acts": acts}, Few)


GIVEN: dict[str, object] = {"t": "role-given", "officer": "WM2", "role": "supervisor"}


def test_who_and_when_are_the_server_s() -> None:
    """Neither can be sent; an act that begins or is named somehow begins now, under a name of its own."""
    first, second = acts_of(sent(GIVEN, GIVEN), BOSS, NOW)
    assert isinstance(first, RoleGiven)
    assert isinstance(second, RoleGiven)
    assert (first.by, first.at, first.start, first.officer, first.role) == (BOSS, NOW, NOW, "WM2", Role.SUPERVISOR)
    assert first.span.startswith("role-given-")
    assert first.span != second.span
    for forged in ({"by": "WM9"}, {"at": 1}):
        with pytest.raises(msgspec.ValidationError):
            sent(GIVEN | forged)


def test_what_is_said_stands() -> None:
    """A name and a start that a call gives are the act's."""
    (made,) = acts_of(sent(GIVEN | {"span": "mine", "start": 5, "until": 9}), BOSS, NOW)
    assert isinstance(made, RoleGiven)
    assert (made.span, made.start, made.until) == ("mine", 5, 9)


def test_a_call_has_one_act_at_least_and_no_more_than_its_bound() -> None:
    """None, and one too many, are no body."""
    for acts in ((), (GIVEN,) * 3):
        with pytest.raises(msgspec.ValidationError):
            sent(*acts)


def test_each_act_of_a_family_has_a_body_of_its_own() -> None:
    """Under its word, with its text; an act of no route cannot be sent there."""
    bodies = drafts_of(Few)
    assert [act for _, act in bodies] == [UnitAdded, RoleGiven, OfficerAdded, SpanEnded]
    assert [(body.__struct_config__.tag, body.__doc__) for body, _ in bodies] == [
        (word_for(act), act.__doc__) for _, act in bodies
    ]
    assert word_for(RoleGiven) == "role-given"
    with pytest.raises(msgspec.ValidationError):
        sent({"t": "posted", "officer": "WM2", "unit": "east"})
