"""The force's settings as a record, so that every handheld goes by them without asking anybody (`schemas.settings`)."""

from typing import Annotated

from schemas import scopes
from schemas.ids import ScopeName
from schemas.kinds.base import Kind
from schemas.kinds.common import Body
from schemas.kinds.registry import record_kind
from schemas.policies import ByRule, latest
from schemas.retention import RetentionGroup


@record_kind("settings", retention=RetentionGroup.ADMINISTRATIVE, by_rule=True)
class ForceSettings(Kind, frozen=True, kw_only=True):
    """There is one such record, `schemas.settings.SETTINGS_RECORD`. The server writes it from its configuration.

    Attributes:
        body: the settings, as `schemas.settings.as_text` writes them.
    """

    body: Annotated[Body, latest, ByRule()]

    def scopes(self) -> frozenset[ScopeName]:
        """Everyone."""
        return frozenset({scopes.FORCE})
