"""What is said to the supervisor that runs the server, as systemd and those who do like it listen for (sd_notify(3)).

One datagram for each thing to say, to a socket that the environment names; without one, nothing is said. A few lines in
place of a library: this is all of the protocol that a server of this kind needs.
"""

import asyncio
import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Final

_log = logging.getLogger(__name__)
ADDRESS: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"
READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"
_SIGNS_PER_PERIOD: Final = 3
"""A sign of life may come late twice before the supervisor takes the server for dead."""


class Supervisor:
    """Whoever started the server and looks after it; nobody, where the environment names none.

    Attributes:
        watchdog_s: how long it waits for a sign of life before it ends the server; None where it waits for none.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        """Bind it.

        Args:
            address: path of a datagram socket; an abstract one begins with `@`. None for nobody.
            watchdog_s: see the class.
        """
        self._address = address
        self.watchdog_s = watchdog_s if address is not None else None

    @classmethod
    def found(cls, environment: MutableMapping[str, str]) -> "Supervisor":
        """The one that the environment names. Its variables are taken out: what the server starts is not it."""
        address = environment.pop(ADDRESS, "")
        period, pid = environment.pop(WATCHDOG, ""), environment.pop(WATCHDOG_PID, "")
        meant = pid in {"", str(os.getpid())} and period.isdecimal() and int(period) > 0
        return cls(address if address[:1] in {"/", "@"} else None, int(period) / 1_000_000 if meant else None)

    def tell(self, *news: str) -> None:
        """Say these, each as `NAME=value`. A supervisor that does not listen keeps nobody from their work."""
        if self._address is None:
            return
        # An abstract address, which no file stands for, begins with a zero byte.
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
                # It must not keep the event loop: a supervisor that is behind misses this one.
                told.setblocking(False)
                told.sendto("\n".join(news).encode(), address)
        except OSError as error:
            _log.warning("the supervisor was not told %s: %s", news[0], error.strerror)

    async def keep_alive(self) -> None:
        """Give signs of life for as long as the event loop turns; at once done where nobody waits for any."""
        while self.watchdog_s is not None:
            self.tell(ALIVE)
            await asyncio.sleep(self.watchdog_s / _SIGNS_PER_PERIOD)
