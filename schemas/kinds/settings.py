"""The force's settings as a record, so that every handheld goes by them without asking anybody (`schemas.settings`)."""

from typing import Annotated

from schemas import scopes
from schemas.ids import ScopeName
from schemas.kinds.base import Kind
from schemas.kinds.common import Body
from schemas.kinds.registry import record_kind
from schemas.policies import latest
from schemas.retention import RetentionGroup
from schemas.rights import Rights
from schemas.roles import Role


@record_kind(
    "settings",
    retention=RetentionGroup.ADMINISTRATIVE,
    rights=Rights(
        makers=(Role.ADMINISTRATOR,),
        writers=(Role.ADMINISTRATOR,),
        because="Periods, grades and codes are the force's: they are set in its configuration, for everybody at once.",
    ),
)
class ForceSettings(Kind, frozen=True, kw_only=True):
    """There is one such record, `schemas.settings.SETTINGS_RECORD`.

    Attributes:
        body: the settings, as `schemas.settings.as_text` writes them.
    """

    body: Annotated[Body, latest]

    def scopes(self) -> frozenset[ScopeName]:
        """Everyone."""
        return frozenset({scopes.FORCE})
