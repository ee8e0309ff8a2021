"""How far the server has counted: one record for each day of each series of numbers. The rules write it, nobody else.

It is a record, so that a number is given in the same transaction as what bears it: never twice, and with no gap.
"""

from typing import Annotated

from schemas.ids import MillisInt, ScopeName
from schemas.kinds.base import Kind
from schemas.kinds.common import DateText, Line
from schemas.kinds.registry import record_kind
from schemas.policies import ByRule, latest
from schemas.retention import RetentionGroup


@record_kind("number-series", by_rule=True, retention=RetentionGroup.ADMINISTRATIVE)
class NumberSeries(Kind, frozen=True, kw_only=True):
    """One day of one series.

    Attributes:
        series: which: the incidents of the force, those of one compartment, crimes.
        day: the day by the calendar of London.
        last: the last number that was given.
    """

    series: Annotated[Line, latest, ByRule()]
    day: Annotated[DateText, latest, ByRule()]
    last: Annotated[MillisInt, latest, ByRule()]

    def scopes(self) -> frozenset[ScopeName]:
        """None: it stays in the server. How many there are of something would tell of what is closed."""
        return frozenset()
