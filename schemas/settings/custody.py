"""How people are held, checked and reviewed: what forces differ in."""

import msgspec


class CustodySettings(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text."""
