"""The entry for locust: `locust -f loadtest/locustfile.py --cast CAST --shape shift-change --users 250 --run-time 10m`.

Everything is in `loadtest.locust`; docs/howto/loadtest.md says how to use it. Locust looks for users and shapes in this
module's own names, so they are named here.
"""

from typing import Any

from locust import events
from locust.env import Environment

from loadtest.locust import hooks
from loadtest.locust.shapes import MajorIncident, MassReconnect, QuietNight, ShiftChange
from loadtest.locust.users import ControlRoom, CustodyDesk, Officer

__all__ = [
    "ControlRoom", "CustodyDesk", "MajorIncident", "MassReconnect", "Officer", "QuietNight", "ShiftChange",
]  # fmt: skip


def _options(parser: Any, **_: object) -> None:  # noqa: ANN401  locust's
    hooks.options(parser)


def _begin(environment: Environment, **_: object) -> None:
    hooks.begin(environment)


def _judge(environment: Environment, **_: object) -> None:
    hooks.judge(environment)


events.init_command_line_parser.add_listener(_options)  # type: ignore[no-untyped-call]
events.init.add_listener(_begin)  # type: ignore[no-untyped-call]
events.quitting.add_listener(_judge)  # type: ignore[no-untyped-call]
