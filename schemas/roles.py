"""The roles that people have. A declaration names those who may decide what no rule should settle."""

from schemas.tokens import Token


class Role(Token):
    """What a person is to a record, beyond their scopes."""

    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    CUSTODY_OFFICER = "custody-officer"
    REVIEWING_OFFICER = "reviewing-officer"
    SUPERINTENDENT = "superintendent"
    CONTROL_ROOM = "control-room"
    REGISTRAR = "registrar"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
