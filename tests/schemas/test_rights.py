"""Who may write is declared for every kind, with a reason, and by roles that there are."""

import pytest

from schemas import rights
from schemas.declared import declared
from schemas.declared import rights as rights_of
from schemas.kinds import KINDS, KindSpec
from schemas.reference import beside_in_words, records_page
from schemas.roles import Role


@pytest.mark.parametrize("spec", [spec for spec in KINDS.values() if not spec.by_rule], ids=lambda spec: spec.name)
def test_every_kind_says_who_may_write_it_and_why(spec: KindSpec) -> None:
    """Nobody is named twice, somebody is named at all, and the reason is a sentence for whoever is refused."""
    for roles in (spec.rights.makers, spec.rights.writers):
        assert roles
        assert len(set(roles)) == len(roles)
    assert spec.rights.because.endswith((".", ")."))
    assert rights_of(spec)["makers"] == [role.value for role in spec.rights.makers]


@pytest.mark.parametrize("spec", KINDS.values(), ids=lambda spec: spec.name)
def test_every_right_of_a_field_has_a_reason(spec: KindSpec) -> None:
    """It is told to whoever is refused, and in the reference."""
    for field in spec.fields.values():
        if field.writes is None:
            continue
        assert field.writes.because.endswith((".", ").")), field.name
        assert bool(field.writes.roles) is not bool(field.writes.named_in)
        told = beside_in_words(field)
        assert any(field.writes.because in line for line in told), field.name


def test_what_only_the_rules_make_declares_nothing() -> None:
    """An inbox item is made by no person, whatever their role."""
    assert KINDS["inbox-item"].rights == rights.Rights()
    assert rights_of(KINDS["inbox-item"]) == {}


def test_those_who_watch_are_apart_from_those_who_write() -> None:
    """Neither an auditor nor an administrator is among those who do police work."""
    for group in (rights.POLICE, rights.SUPERVISING, rights.IN_CUSTODY):
        assert not {Role.AUDITOR, Role.ADMINISTRATOR} & set(group)
        assert len(set(group)) == len(group)
    assert set(rights.SUPERVISING) < set(rights.POLICE)
    assert set(rights.IN_CUSTODY) < set(rights.POLICE)


def test_roles_are_told_in_words() -> None:
    """As people say them, one or another; nobody, where there are none."""
    assert rights.in_words((Role.CUSTODY_OFFICER, Role.REVIEWING_OFFICER)) == "custody officer or reviewing officer"
    assert rights.in_words(()) == "nobody"


def test_the_reference_tells_them() -> None:
    """Of a kind, of a field, of one of its values, and of whoever makes the record."""
    page = records_page()
    assert "Made and changed by `custody-officer`. The custody officer opens the custody record" in page
    assert "Made by" not in page.partition("\n## incident\n")[2].partition("\n## ")[0]
    assert "  - Written by `custody-officer`; `hospital` by `custody-officer`, `officer`, `supervisor`" in page
    assert "  - Written by those whom `roles` names. " in page
    assert "; when the record is made, by whoever makes it. " in page


def test_what_is_empty_is_left_out_of_the_plain_form() -> None:
    """A reader of the JSON meets only what is declared."""
    fields = KINDS["incident"].fields
    assert declared(fields["status"])["writes"].keys() == {"roles", "to", "because"}  # type: ignore[index]
    assert declared(fields["compartment"])["writes"]["maker"] is True  # type: ignore[index]
    assert "writes" not in declared(fields["summary"])  # type: ignore[index]
