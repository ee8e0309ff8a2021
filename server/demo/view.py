"""What a person sees while the demo runs, and the summary in plain words at its end."""

import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from server.demo.actors import Actor
from server.demo.ledger import Ledger, percentile

EVENTS_SHOWN: Final = 10


class View:
    """The live picture, or plain lines when there is no terminal to draw on."""

    def __init__(self, console: Console, ledger: Ledger, *, live: bool) -> None:
        """Bind it.

        Args:
            console: where to write.
            ledger: what to count.
            live: whether to draw; otherwise every event is a line.
        """
        self._console = console
        self._ledger = ledger
        self._events: deque[str] = deque(maxlen=EVENTS_SHOWN)
        self._began = time.monotonic()
        self.actors: Sequence[Actor] = ()
        self.address = ""
        # Draws once when it is made.
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4) if live else None

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """Tell of an event."""
        line = f"{time.monotonic() - self._began:5.1f} s  {text}"
        self._events.append(line)
        if self._live is None:
            self._console.print(line, highlight=False)

    def _draw(self) -> Panel:
        counts = self._ledger.count()
        online = sum(actor.mast.has_signal for actor in self.actors)
        connected = sum(actor.handheld.status.connected for actor in self.actors)
        waiting = sum(actor.handheld.status.waiting for actor in self.actors)
        table = Table.grid(padding=(0, 3))
        table.add_row("server", self.address)
        table.add_row("handhelds and desks", f"{len(self.actors)}, {online} with signal, {connected} connected")
        table.add_row("changes made", f"{counts['made']}, of them {counts['without_signal']} with no signal")
        table.add_row("on the server's disk", f"{counts['durable']}, still waiting {waiting}")
        table.add_row(
            "briefings pushed", f"{len(self._ledger.briefings)}, median to a handheld {_ms(self._ledger.briefing_ms)}"
        )
        return Panel(Group(table, Text(), *map(Text, self._events)), title="Beatbook demo")


def _ms(values: list[float]) -> str:
    found = percentile(values, 50)
    return "–" if found is None else f"{found} ms"
