"""The force's settings come into force: what the configuration says becomes the record that every handheld reads.

Without a word of the force's there is no such record, and each program goes by its defaults; from the first word on
the record has all of them, so that a handheld whose program is older or newer goes by the server's figures too.
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas.ids import FieldName
from schemas.kinds import ForceSettings, spec_of
from schemas.settings import DEFAULTS, SETTINGS_RECORD, Settings, as_text
from server.falling_due import AUTHOR
from server.rule_writer import RuleWriter
from sync.merge import RecordState

_SPEC: Final = spec_of(ForceSettings)
_BODY: Final = FieldName("body")


async def bring_settings(office: RuleWriter, settings: Settings) -> bool:
    """Have everybody go by these settings from now on: the rules on this server, and each handheld that it reaches.

    Args:
        office: writes the record, where it says something else.
        settings: as the configuration has them.

    Returns:
        Whether the record was written.

    Raises:
        UsageError: the record cannot be written.
        StoreError: the store failed. The settings before stay in force; the same call again is safe.
    """
    text = as_text(settings)

    def says(state: RecordState | None) -> Mapping[FieldName, Any]:
        if state is None:
            return {} if settings == DEFAULTS else {_BODY: text}
        return {} if state.values().get(_BODY) == text else {_BODY: text}

    written = await office.by_rule(SETTINGS_RECORD, _SPEC, says, AUTHOR)
    office.settings = settings
    return written
