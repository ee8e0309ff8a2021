"""The force's settings, as this replica holds them."""

import functools
import logging

from schemas.errors import UsageError
from schemas.kinds import ForceSettings
from schemas.settings import DEFAULTS, SETTINGS_RECORD, Settings, from_text
from sync.device.store import Held

_log = logging.getLogger(__name__)


def settings_in(held: Held) -> Settings:
    """What the force has set; the defaults where it has not, or where this program cannot read it."""
    state = held.replica.view(SETTINGS_RECORD)
    record = None if state is None else state.build()
    return _read(record.body) if isinstance(record, ForceSettings) else DEFAULTS


@functools.lru_cache(maxsize=4)
def _read(body: str) -> Settings:
    try:
        return from_text(body)
    except UsageError as error:
        # A handheld must go on working under the defaults of the law rather than stop.
        _log.error("%s: this handheld goes by the defaults", error)
        return DEFAULTS
