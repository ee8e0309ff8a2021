"""The settings of a force: every period, grade, code and role that forces differ in, each with its default.

One Struct a subject, in a module of its own. A force overrides what it wants in its TOML file; the server keeps the
whole as a record of the kind `settings`, in everybody's scope, so that a handheld without signal goes by the same
figures.
"""

from typing import Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import named_record_id
from schemas.settings.briefings import BriefingSettings
from schemas.settings.care import CareSettings
from schemas.settings.custody import CustodySettings
from schemas.settings.handover import HandoverSettings
from schemas.settings.incidents import IncidentSettings
from schemas.settings.powers import PowerSettings

__all__ = [
    "DEFAULTS",
    "SETTINGS_RECORD",
    "BriefingSettings",
    "CareSettings",
    "CustodySettings",
    "HandoverSettings",
    "IncidentSettings",
    "PowerSettings",
    "Settings",
    "as_text",
    "from_text",
]

SETTINGS_RECORD: Final = named_record_id("settings", "force")
"""The one record of the kind `settings`."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All of them.

    Attributes:
        custody, care, incidents, briefings, powers, handover: by subject.
    """

    custody: CustodySettings = CustodySettings()
    care: CareSettings = CareSettings()
    incidents: IncidentSettings = IncidentSettings()
    briefings: BriefingSettings = BriefingSettings()
    powers: PowerSettings = PowerSettings()
    handover: HandoverSettings = HandoverSettings()


DEFAULTS: Final = Settings()


def as_text(settings: Settings) -> str:
    """The settings as the record keeps them: JSON, always in the same order."""
    return msgspec.json.encode(settings, order="deterministic").decode()


def from_text(text: str) -> Settings:
    """The settings in a record. What only a newer program knows is passed over, what is not said has its default.

    Raises:
        UsageError: it is no such text.
    """
    try:
        return msgspec.json.decode(text, type=Settings)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UsageError(f"the force's settings cannot be read: {error}") from None
