"""How briefings are issued, read and run out: what forces differ in."""

import msgspec


class BriefingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text."""
