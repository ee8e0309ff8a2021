"""How incidents are graded, recorded and closed: what forces differ in."""

import msgspec


class IncidentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text."""
