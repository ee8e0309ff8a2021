"""The two ends of the protocol as state machines: bytes in, events and bytes out, `deadline()` for the clock.

`table` holds the states and transitions of both and the machine that walks them; `device` and `server` are the ends.
`feeds` is what the server's end sends of its scopes, `steps` what it asks its shell for, `meter` credit and pace.
Hostile input never raises out of a session: it becomes an ERROR message, a close code and the state CLOSED.
"""

from sync.session.device import DeviceSession, HelloFacts
from sync.session.server import ServerSession
from sync.session.steps import Admission, Grant, Head

__all__ = ["Admission", "DeviceSession", "Grant", "Head", "HelloFacts", "ServerSession"]
