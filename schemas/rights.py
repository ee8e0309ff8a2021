"""Who may write what, declared beside the merge policies: by kind, by field, and by the value a field is moved to.

A scope says who sees a record; this says what a person who sees it may do to it. A right hangs on the op and on its
author's roles alone, never on what the record happens to hold: otherwise the order in which signal returns would decide
whether an op is taken. `sync.entitled` applies it, on the device before anything is written and on the server again.

Roles are what a person does, not a ladder of ranks: an inspector who is nobody's custody officer books nobody in (PACE
1984 section 36), so a declaration names every role that it means.
"""

import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.roles import Role

POLICE: Final = (
    Role.OFFICER,
    Role.SUPERVISOR,
    Role.CUSTODY_OFFICER,
    Role.REVIEWING_OFFICER,
    Role.SUPERINTENDENT,
    Role.CONTROL_ROOM,
)
"""Everyone who does police work with the records. An auditor reads and an administrator keeps the machine: neither
writes to a record, so that those who watch and those who could alter what is watched stay apart."""
SUPERVISING: Final = (Role.SUPERVISOR, Role.REVIEWING_OFFICER, Role.SUPERINTENDENT, Role.CONTROL_ROOM)
"""Those who answer for the work of others."""
IN_CUSTODY: Final = (Role.CUSTODY_OFFICER, Role.OFFICER, Role.SUPERVISOR, Role.REVIEWING_OFFICER, Role.SUPERINTENDENT)
"""Those who deal with a detained person, the custody officer first."""


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """Who may write to records of a kind, where a field says nothing of its own.

    Attributes:
        makers: who may make one. What a new record must have, they write with it.
        writers: who may change it.
        because: the reason, in one sentence for the person who is refused; with the law, where it is law.
    """

    makers: tuple[Role, ...] = ()
    writers: tuple[Role, ...] = ()
    because: str = ""


class Writes(msgspec.Struct, frozen=True, kw_only=True):
    """Who may write a field, when that is not who may change the kind.

    Attributes:
        roles: who may, of a value that `to` does not name.
        to: value -> who may set the field to it: a step of a `state`, a safe or a grave choice of another field.
        because: the reason, in one sentence for the person who is refused; with the law, where it is law.
        maker: whether whoever makes the record may set it then.
        named_in: the field of the record that names the roles, instead of `roles`.
        own: whether the value must be the collar number of whoever writes it.
    """

    roles: tuple[Role, ...] = ()
    to: Mapping[str, tuple[Role, ...]] = {}
    because: str
    maker: bool = False
    named_in: str = ""
    own: bool = False


def writes(
    *roles: Role, because: str, to: Mapping[enum.Enum, tuple[Role, ...]] | None = None, maker: bool = False
) -> Writes:
    """Who may write a field (see `Writes`)."""
    steps = {} if to is None else {value.value: who for value, who in to.items()}
    return Writes(roles=roles, to=steps, because=because, maker=maker)


def in_words(roles: tuple[Role, ...]) -> str:
    """Roles for a reader: `custody officer or reviewing officer`; `nobody` when there are none."""
    return " or ".join(role.value.replace("-", " ") for role in roles) or "nobody"


CLOSING: Final = writes(
    Role.SUPERINTENDENT,
    maker=True,
    because="A superintendent answers for who learns of a closed matter, and for its opening to others.",
)
"""Of the field that puts a record into a compartment, in every kind that has one."""
