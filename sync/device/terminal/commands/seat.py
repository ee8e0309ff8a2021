"""Commands about the seat itself: the connection, what was refused, what is kept, and the end."""

from typing import Final

from sync.device.terminal.spec import Typed, alone, spec

WAIT_S: Final = 30.0
"""How long `wait` waits when it is not told."""
WAIT_S_MAX: Final = 86_400.0


class DraftNote(Typed, frozen=True):
    """`draft`: what happened while nothing can be shown."""

    text: str


class Alarms(Typed, frozen=True):
    """`alarms`: what was found that somebody must look at."""


class Lock(Typed, frozen=True):
    """`lock`: shut the seat and forget everything."""


class Offline(Typed, frozen=True):
    """`offline`: cut the connection."""


class Online(Typed, frozen=True):
    """`online`: connect again."""


class Status(Typed, frozen=True):
    """`status`: how it stands with the server."""


class ListHeld(Typed, frozen=True):
    """`held`: own changes that the server refused."""


class Mend(Typed, frozen=True):
    """`mend`: put a refused change right."""

    op: str
    field: str
    value: str


class Withdraw(Typed, frozen=True):
    """`withdraw`: give a refused change up."""

    op: str
    reason: str


class Wait(Typed, frozen=True):
    """`wait`: until everything is in and nothing waits."""

    seconds: float


class Help(Typed, frozen=True):
    """`help`: the commands."""


class Quit(Typed, frozen=True):
    """`quit`: end."""


def _mend(rest: str) -> Mend:
    op, field, value = rest.split(maxsplit=2)
    return Mend(op, field.casefold(), value.rstrip())


def _withdraw(rest: str) -> Withdraw:
    op, reason = rest.split(maxsplit=1)
    return Withdraw(op, reason.rstrip())


def _draft(rest: str) -> DraftNote:
    if not rest.strip():
        raise ValueError
    return DraftNote(rest.strip())


def _wait(rest: str) -> Wait:
    seconds = float(rest) if rest else WAIT_S
    if not 0 <= seconds <= WAIT_S_MAX:
        raise ValueError
    return Wait(seconds)


SPECS: Final = (
    spec("draft TEXT…", "keep what happened for a supervisor, also when the lease has ended", _draft),
    spec("alarms", "what was found that somebody must look at", alone(Alarms())),
    spec("lock", "shut the seat and forget everything; the PIN opens it again", alone(Lock())),
    spec("offline", "cut the connection; everything else goes on working", alone(Offline())),
    spec("online", "connect again", alone(Online())),
    spec("status", "how it stands with the server", alone(Status())),
    spec("held", "your changes that the server refused, and why", alone(ListHeld())),
    spec("mend OP FIELD VALUE…", "put a refused change right; held tells its OP", _mend),
    spec("withdraw OP REASON…", "give a refused change up", _withdraw),
    spec("wait [SECONDS]", "until everything is in and nothing waits (at most 30 s, or as told)", _wait),
    spec("help", "this list", alone(Help())),
    spec("quit", "end; what waits is kept and sent another time", alone(Quit())),
)
