"""A field's declaration is read whole, and one that could not be carried out fails at import with the remedy."""

import enum
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
import pytest

from schemas.ids import FieldName
from schemas.kinds import KINDS, FieldSpec, Hold, Kind, KindSpec, Token, registry, spec_of
from schemas.kinds.registry import record_kind
from schemas.policies import (
    SAFE_NOTHING,
    SAFE_TOGETHER,
    Asks,
    ByRule,
    Ending,
    Flow,
    Means,
    Ranks,
    Retired,
    Safe,
    Sees,
    claim,
    flow,
    grow,
    highest,
    judged,
    latest,
    once,
    rising,
    safest_first,
    state,
    tags,
)
from schemas.retention import RetentionGroup
from schemas.rights import Rights, Writes, writes
from schemas.roles import Role


class Light(Token):
    """A traffic light."""

    RED = "red"
    AMBER = "amber"
    GREEN = "green"


ASKS = Asks(roles=(Role.SUPERVISOR,), within_ms=60_000, then=(Role.CONTROL_ROOM,), safe_because="It is red.")
RIGHTS = Rights(makers=(Role.OFFICER,), writers=(Role.OFFICER,), because="It is planted.")
RISING = rising(Light.GREEN, Light.AMBER, Light.RED)
MOVES: Mapping[enum.Enum, tuple[enum.Enum, ...]] = {
    Light.RED: (Light.AMBER, Light.GREEN),
    Light.AMBER: (Light.RED,),
    Light.GREEN: (Light.AMBER,),
}
PRECEDENCE = (Light.GREEN, Light.AMBER, Light.RED)
FLOW = flow(MOVES, precedence=PRECEDENCE)
ENDING = flow(MOVES, precedence=PRECEDENCE, ending=Ending(states=("green",), unless=("log",), shown="red"))


@pytest.fixture(autouse=True)
def registry_as_it_was() -> Iterator[None]:
    """Put the registry back: a test may declare kinds."""
    kinds, structs = dict(KINDS), dict(registry._BY_STRUCT)
    yield
    for held, kept in ((KINDS, kinds), (registry._BY_STRUCT, structs)):
        held.clear()
        held.update(kept)  # type: ignore[arg-type]  # each gets its own back


def declare(*fields: tuple[Any, ...]) -> KindSpec:
    """Declare a kind with these fields: (name, annotation[, default])."""
    struct = msgspec.defstruct("Planted", fields, bases=(Kind,), frozen=True, kw_only=True)
    assert issubclass(struct, Kind)
    return spec_of(record_kind("planted", retention=RetentionGroup.MISCELLANEOUS, rights=RIGHTS)(struct))


def one(annotation: object, *default: object) -> FieldSpec:
    """Declare a kind with one field, `colour`."""
    return declare(("colour", annotation, *default)).fields[FieldName("colour")]


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        (str, "none"),
        (Annotated[str, msgspec.Meta(max_length=9)], "none"),
        (Annotated[str, "latest"], "none"),
        (Annotated[str, latest, once], "latest, once"),
        (Annotated[str, latest, latest], "latest, latest"),
    ],
    ids=["bare", "only-a-bound", "a-word", "two", "the-same-twice"],
)
def test_a_field_declares_exactly_one_policy(annotation: object, found: str) -> None:
    """None or two fails at import; the text names kind, field, what was found and what to write."""
    with pytest.raises(TypeError) as caught:
        one(annotation)
    assert str(caught.value) == (
        "field 'colour' of record kind 'planted' must declare exactly one merge policy in its type, "
        f"as in Annotated[str, latest]; found {found}"
    )
    assert "planted" not in KINDS


WRONG = {
    "highest without ranks": (
        Annotated[Light, highest],
        "declares `highest`, so it must declare the ranks of its values",
    ),
    "state without transitions": (Annotated[Light, state], "declares `state`, so it must declare what may follow what"),
    "judged without a safe value": (
        Annotated[Light, judged, ASKS],
        "declares `judged`, so it must declare what is safe to show while people differ",
    ),
    "ranks of another policy": (
        Annotated[Light, latest, RISING],
        "declares Ranks, which belongs to `highest`, not `latest`",
    ),
    "transitions of another policy": (
        Annotated[Light, highest, RISING, FLOW],
        "declares Flow, which belongs to `state`, not `highest`",
    ),
    "a safe value of another policy": (
        Annotated[Light, once, SAFE_NOTHING, ASKS],
        "declares Safe, which belongs to `judged`, not `once`",
    ),
    "rights without a reason": (
        Annotated[str, latest, writes(Role.OFFICER, because="")],
        r"Writes\(...\) must name who",
    ),
    "rights of nobody": (Annotated[str, latest, writes(because="It is red.")], r"Writes\(...\) must name who"),
    "a value that is nobody's": (
        Annotated[Light, latest, writes(Role.OFFICER, to={Light.RED: ()}, because="It is red.")],
        r"Writes\(...\) must name who, for each value",
    ),
    "rights to a value that is none": (
        Annotated[Light, latest, writes(Role.OFFICER, to={Role.OFFICER: (Role.OFFICER,)}, because="It is red.")],
        r"its rights name \['officer'\], which its type has not",
    ),
    "rights to what the rules write": (
        Annotated[str, latest, ByRule(), writes(Role.OFFICER, because="It is red.")],
        "is written by the rules alone, so it cannot declare Writes",
    ),
    "rights named in no field": (
        Annotated[str, latest, Writes(named_in="people", because="It is red.")],
        "names 'people', which it has not",
    ),
    "rights told twice": (
        Annotated[str, latest, writes(Role.OFFICER, because="It is red."), writes(Role.REGISTRAR, because="As well.")],
        "declares Writes twice",
    ),
    "once asks nobody": (Annotated[int, once], r"`once`, so it must say with Asks\(...\) who decides"),
    "judged asks nobody": (Annotated[Light, judged, SAFE_NOTHING], r"`judged`, so it must say with Asks\(...\)"),
    "claim asks nobody": (Annotated[Hold | None, claim], r"`claim`, so it must say with Asks\(...\)"),
    "a state that asks asks nobody": (
        Annotated[Light, state, flow(MOVES, precedence=PRECEDENCE, asks=(Light.RED,))],
        r"`state`, so it must say with Asks\(...\)",
    ),
    "latest asks": (Annotated[Light, latest, ASKS], "`latest`, so it must not ask anybody: it settles"),
    "highest asks": (Annotated[Light, highest, RISING, ASKS], "`highest`, so it must not ask anybody"),
    "grow asks": (Annotated[tuple[int, ...], grow, ASKS], "`grow`, so it must not ask anybody"),
    "tags ask": (Annotated[tuple[int, ...], tags, ASKS], "`tags`, so it must not ask anybody"),
    "a state that settles asks": (Annotated[Light, state, FLOW, ASKS], "`state`, so it must not ask anybody"),
    "nobody is named": (
        Annotated[int, once, Asks(roles=(), within_ms=1, then=(Role.AUDITOR,), safe_because="x")],
        r"Asks\(...\) must name who decides",
    ),
    "nobody is asked then": (
        Annotated[int, once, Asks(roles=(Role.AUDITOR,), within_ms=1, then=(), safe_because="x")],
        r"Asks\(...\) must name who decides, .* and who is asked then",
    ),
    "no time": (
        Annotated[int, once, Asks(roles=(Role.AUDITOR,), within_ms=0, then=(Role.AUDITOR,), safe_because="x")],
        "a time of more than 0 ms",
    ),
    "an unknown rank": (
        Annotated[Light, highest, Ranks(("green", "amber", "red", "blue"))],
        r"names \['blue'\], which its type has not",
    ),
    "ranks of text": (Annotated[str, highest, RISING], r"names \['amber', 'green', 'red'\], which its type has not"),
    "a rank is left out": (
        Annotated[Light, highest, rising(Light.GREEN, Light.RED)],
        r"its ranks must name each of \['amber', 'green', 'red'\] once",
    ),
    "a rank twice": (
        Annotated[Light, highest, Ranks(("green", "amber", "red", "red"))],
        r"its ranks must name each of \['amber', 'green', 'red'\] once",
    ),
    "an unknown precedence": (
        Annotated[Light, state, Flow(moves=FLOW.moves, precedence=("green", "amber", "red", "blue"))],
        r"names \['blue'\], which its type has not",
    ),
    "a precedence is left out": (
        Annotated[Light, state, flow(MOVES, precedence=(Light.GREEN, Light.RED))],
        "its precedence must name each of",
    ),
    "a state without steps": (
        Annotated[Light, state, flow({Light.RED: (Light.GREEN,), Light.GREEN: ()}, precedence=PRECEDENCE)],
        "its transitions must name each of",
    ),
    "a step from an unknown state": (
        Annotated[Light, state, Flow(moves={**FLOW.moves, "blue": ()}, precedence=FLOW.precedence)],
        r"names \['blue'\], which its type has not",
    ),
    "a step to an unknown state": (
        Annotated[Light, state, Flow(moves={**FLOW.moves, "red": ("blue",)}, precedence=FLOW.precedence)],
        r"names \['blue'\], which its type has not",
    ),
    "an unknown state asks": (
        Annotated[Light, state, Flow(moves=FLOW.moves, precedence=FLOW.precedence, asks=("blue",)), ASKS],
        r"names \['blue'\], which its type has not",
    ),
    "an unknown state ends": (
        Annotated[
            Light,
            state,
            Flow(
                moves=FLOW.moves, precedence=FLOW.precedence, ending=Ending(states=("blue",), unless=(), shown="mauve")
            ),
            ASKS,
        ],
        r"names \['blue', 'mauve'\], which its type has not",
    ),
    "an unknown safe value": (
        Annotated[Light, judged, Safe("first", ("red", "amber", "green", "blue")), ASKS],
        r"names \['blue'\], which its type has not",
    ),
    "a safe order without a value": (
        Annotated[Light, judged, safest_first(Light.RED, Light.AMBER), ASKS],
        r"its safe order must name each of \['amber', 'green', 'red'\] once",
    ),
    "a safe order without nothing": (
        Annotated[Light | None, judged, safest_first(*Light), ASKS],
        r"its safe order must name each of \['amber', 'green', 'red', None\] once",
    ),
    "nothing as a safe value of what must be said": (
        Annotated[Light, judged, safest_first(*Light, None), ASKS],
        r"names \[None\], which its type has not",
    ),
    "one value together": (
        Annotated[Light | None, judged, SAFE_TOGETHER, ASKS],
        r"shows all that was said together, so its type must be tuple\[...\]",
    ),
    "a claim on text": (Annotated[str | None, claim, ASKS], r"declares `claim`, so its type must be Hold \| None"),
    "sight of nothing": (Annotated[int, latest, Sees(("shape",))], "names 'shape', which it has not"),
    "means of another policy": (
        Annotated[Hold | None, latest, Means(("holder",))],
        "declares Means, which belongs to `once`, not `latest`",
    ),
    "means by an unknown part": (
        Annotated[Hold | None, once, ASKS, Means(("shape",))],
        r"Means\(...\) must name parts of its value; there are \['holder', 'until'\]",
    ),
    "means by nothing": (Annotated[Hold | None, once, ASKS, Means(())], r"Means\(...\) must name parts"),
    "means of a value without parts": (
        Annotated[int, once, ASKS, Means(("holder",))],
        r"Means\(...\).* there are \[\]",
    ),
    "a declaration twice": (Annotated[int, latest, Sees(()), Sees(())], "declares Sees twice"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_declaration_that_cannot_be_carried_out_is_refused(name: str) -> None:
    """It fails at import, naming kind, field and what is wrong, and the kind is not registered."""
    annotation, wrong = WRONG[name]
    many = name.startswith(("grow", "tags"))
    with pytest.raises(TypeError, match=f"field 'colour' of record kind 'planted'.*{wrong}"):
        one(annotation, *([()] if many else []))
    assert "planted" not in KINDS


@pytest.mark.parametrize("policy", [grow, tags], ids=lambda policy: policy.name)
@pytest.mark.parametrize("inner", [list[str], str, tuple[str], tuple[str, str], tuple[str, ...] | None, frozenset[str]])
def test_a_field_of_many_values_needs_a_tuple_of_entries(policy: object, inner: object) -> None:
    """A growing field of another type fails at import."""
    with pytest.raises(TypeError, match=r"'colour' of record kind 'planted' declares `\w+`.* tuple\[Entry, \.\.\.\]"):
        one(Annotated[inner, policy], None)


@pytest.mark.parametrize("policy", [grow, tags], ids=lambda policy: policy.name)
def test_a_field_of_many_values_needs_its_default(policy: object) -> None:
    """It cannot be required: a new record has no entries."""
    with pytest.raises(TypeError, match=r"'colour' of record kind 'planted' declares `\w+`.* default \(\)"):
        one(Annotated[tuple[str, ...], policy])


STATUS = ("status", Annotated[Light, state, ENDING, Sees(("log",)), ASKS])
LOG = ("log", Annotated[tuple[int, ...], grow, Sees(("status",))], ())


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ([STATUS], "names 'log', which it has not"),
        (
            [STATUS, ("log", Annotated[int, latest, Sees(("status",))])],
            "ending watches 'log', which must declare `grow`",
        ),
        (
            [("status", Annotated[Light, state, ENDING, ASKS]), LOG],
            r"ending watches 'log', so each must declare Sees\(...\) of the other",
        ),
        (
            [STATUS, ("log", Annotated[tuple[int, ...], grow], ())],
            r"ending watches 'log', so each must declare Sees\(...\) of the other",
        ),
    ],
    ids=["absent", "not-grow", "blind-ending", "blind-entry"],
)
def test_an_ending_watches_what_says_what_it_saw(fields: list[tuple[Any, ...]], wrong: str) -> None:
    """Without that an ending would end work unseen, and nobody would be asked."""
    with pytest.raises(TypeError, match=f"field 'status' of record kind 'planted'.*{wrong}"):
        declare(*fields)
    assert "planted" not in KINDS


def test_an_ending_that_sees_is_taken() -> None:
    """The refusals above do not refuse what is right."""
    spec = declare(STATUS, LOG)
    assert spec.fields[FieldName("status")].sees == ("log",)
    assert spec.fields[FieldName("log")].sees == ("status",)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Annotated[Light, highest, RISING], {"ranks": Ranks(("green", "amber", "red"))}),
        (Annotated[Light, state, FLOW], {"flow": FLOW}),
        (Annotated[Light | None, judged, SAFE_NOTHING, ASKS], {"safe": Safe("nothing"), "asks": ASKS}),
        (Annotated[tuple[str, ...] | None, judged, SAFE_TOGETHER, ASKS], {"safe": Safe("together")}),
        (
            Annotated[Light | None, judged, safest_first(*Light, None), ASKS],
            {"safe": Safe("first", ("red", "amber", "green", None))},
        ),
        (Annotated[Hold | None, claim, ASKS], {"asks": ASKS, "type": Hold | None}),
        (Annotated[str, latest, Retired(2, "nothing")], {"retired": Retired(2, "nothing")}),
        (Annotated[str, latest, ByRule()], {"by_rule": True}),
        (
            Annotated[
                Light, latest, writes(Role.OFFICER, to={Light.RED: (Role.REGISTRAR,)}, because="So.", maker=True)
            ],
            {"writes": Writes(roles=(Role.OFFICER,), to={"red": (Role.REGISTRAR,)}, because="So.", maker=True)},
        ),
        (Annotated[str, latest], {"writes": None}),
        (Annotated[str, latest, Sees(("colour",))], {"sees": ("colour",)}),
        (Annotated[Hold | None, once, ASKS, Means(("holder",))], {"means": ("holder",)}),
        (
            Annotated[str, latest],
            {"ranks": None, "flow": None, "safe": None, "asks": None, "sees": (), "by_rule": False},
        ),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value)[:60],
)
def test_what_is_declared_is_in_the_spec(annotation: object, expected: dict[str, Any]) -> None:
    """Each declaration comes out where policies and documents look for it."""
    field = one(annotation)
    assert {name: getattr(field, name) for name in expected} == expected
    assert field.required


@pytest.mark.parametrize("policy", [grow, tags], ids=lambda policy: policy.name)
def test_a_field_of_many_values_takes_entries(policy: object) -> None:
    """Its spec tells the type of one entry, and it is never required."""
    field = one(Annotated[tuple[int, ...], policy], ())
    assert (field.type, field.required, field.policy, field.default) == (int, False, policy, ())


def test_bounds_beside_the_policy_are_kept() -> None:
    """The policy is taken out of the type; a bound next to it still holds for every change."""
    field = one(Annotated[str, msgspec.Meta(max_length=3), latest])
    assert msgspec.convert("red", field.type) == "red"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert("green", field.type)


def test_a_default_is_told_as_it_travels() -> None:
    """A state's first value is text in the spec, as it is in an op."""
    assert one(Annotated[Light, state, FLOW], Light.RED).default == "red"


class Planted(Kind, frozen=True, kw_only=True):
    """A kind that is not registered."""

    colour: Annotated[str, latest]


@pytest.mark.parametrize(
    "rights",
    [
        None,
        Rights(),
        Rights(makers=(Role.OFFICER,), because="It is planted."),
        Rights(writers=(Role.OFFICER,), because="It is planted."),
        Rights(makers=(Role.OFFICER,), writers=(Role.OFFICER,)),
    ],
    ids=["none", "empty", "no writers", "no makers", "no reason"],
)
def test_a_kind_must_say_who_may_write_it(rights: Rights | None) -> None:
    """A kind that anybody could write, or nobody, fails at import and is not registered."""
    with pytest.raises(TypeError, match=r"'planted' must declare rights=Rights\(makers=…, writers=…, because=…\)"):
        record_kind("planted", retention=RetentionGroup.MISCELLANEOUS, rights=rights)(Planted)
    assert "planted" not in KINDS


def test_what_the_rules_make_has_no_rights() -> None:
    """Rights that nothing asks about would promise a check that is not there."""
    with pytest.raises(TypeError, match="'planted' is made by the rules alone, so it cannot declare rights"):
        record_kind("planted", retention=RetentionGroup.MISCELLANEOUS, rights=RIGHTS, by_rule=True)(Planted)
    made = record_kind("planted", retention=RetentionGroup.WITH_SUBJECT, by_rule=True)(Planted)
    assert (spec_of(made).rights, spec_of(made).retention) == (Rights(), RetentionGroup.WITH_SUBJECT)
