"""Why an op is not taken."""

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """Why an op is not taken: an entry of the error registry, and what in the op it is about."""

    code: str
    detail: str
