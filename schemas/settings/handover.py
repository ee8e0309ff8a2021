"""How work passes from one shift, team or area to the next: what forces differ in. Times are in ms.

The figures are Beatbook's, to be set by each force's own practice.
"""

from typing import Final

import msgspec

MINUTE_MS: Final = 60_000


class HandoverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text.

    Attributes:
        accept_ms: how long a team has to accept or refuse an incident that another one offers it.
        take_ms: how long after a shift's end what it handed over may be without anybody who has taken it on.
        deployment_answer_ms: how long an area has to answer another one that asks for its officers.
        deployment_warn_ms: how long before a deployment runs out both areas are told; 0 is at that moment.
        acknowledge_ms: how long there is to acknowledge such a warning.
    """

    accept_ms: int = 30 * MINUTE_MS
    take_ms: int = 15 * MINUTE_MS
    deployment_answer_ms: int = 15 * MINUTE_MS
    deployment_warn_ms: tuple[int, ...] = (30 * MINUTE_MS, 0)
    acknowledge_ms: int = 10 * MINUTE_MS
