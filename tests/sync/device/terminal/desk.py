"""A terminal that a test types at, and the paper that it writes on."""

import asyncio
import datetime as dt
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console, RenderableType
from rich.text import Text

from schemas.ids import DeviceId, Millis, OfficerId, RecordId
from schemas.kinds import Briefing, Incident
from sync.device import Handheld
from sync.device.terminal.screens import PLAIN_CELLS, PlainScreen
from sync.device.terminal.terminal import Facts, Terminal
from sync.device.terminal.values import LocalTime
from tests.sync.device.support import BIRMINGHAM, NOON

SUMMER = LocalTime(dt.timezone(dt.timedelta(hours=1), "BST"))


class Paper:
    """A screen that keeps what is written to it, as text, and lets a test wait for it."""

    def __init__(self) -> None:
        """Start blank."""
        self.shown = ""
        self.told: list[str] = []
        self.complaints: list[str] = []
        self.prompts: list[str] = []
        self._written = asyncio.Event()

    def show(self, what: RenderableType) -> None:
        """See `Screen`."""
        out = io.StringIO()
        PlainScreen(Console(file=out, width=PLAIN_CELLS)).show(what)
        self.shown += out.getvalue()

    def tell(self, what: Text) -> None:
        """See `Screen`."""
        self.told.append(what.plain)
        self._written.set()

    def complain(self, text: str) -> None:
        """See `Screen`."""
        self.complaints.append(text)

    def prompt(self, text: Text) -> None:
        """See `Screen`."""
        self.prompts.append(text.plain)
        self._written.set()

    async def comes(self, words: str) -> str:
        """The first message with these words, as soon as there is one."""
        while not (found := [text for text in self.told if words in text]):
            self._written.clear()
            await self._written.wait()
        return found[0]

    async def prompts_with(self, words: str) -> None:
        """Wait until the prompt has these words."""
        while words not in self.prompts[-1]:
            self._written.clear()
            await self._written.wait()

    def taken(self) -> str:
        """What was shown since the last time."""
        shown, self.shown = self.shown, ""
        return shown


class Desk:
    """A terminal that a test types at, a line at a time."""

    def __init__(self, terminal: Terminal, paper: Paper) -> None:
        """Bind them."""
        self.paper = paper
        self.terminal = terminal
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._asked = asyncio.Event()
        self.running: list[asyncio.Task[bool]] = []

    async def lines(self) -> AsyncGenerator[str]:
        """What is typed."""
        while True:
            self._asked.set()
            yield await self._lines.get()

    async def type(self, line: str) -> str:
        """Type a line, wait until it was carried out, and read what it showed."""
        await self._asked.wait()
        self._asked.clear()
        self.paper.taken()
        self._lines.put_nowait(line)
        asked = asyncio.ensure_future(self._asked.wait())
        # A terminal that ended asks for nothing any more: what it ended with is what went wrong.
        await asyncio.wait([asked, *self.running], return_when=asyncio.FIRST_COMPLETED)
        for ended in self.running:
            if ended.done():
                asked.cancel()
                ended.result()
        return self.paper.taken()

    async def fails(self, line: str) -> str:
        """Type a line that cannot be carried out, and read what was complained of."""
        before = len(self.paper.complaints)
        assert await self.type(line) == ""
        (complaint,) = self.paper.complaints[before:]
        assert "\n" not in complaint
        return complaint


def facts(server: str | None = None, *, signed_in: bool = False) -> Facts:
    """The usual device and officer."""
    return Facts(
        device=DeviceId("hh-0042"),
        author=OfficerId("WM21877"),
        server=server,
        folder="replica",
        signed_in=signed_in,
    )


@asynccontextmanager
async def desk_of(handheld: Handheld, server: str | None = None, *, signed_in: bool = False) -> AsyncIterator[Desk]:
    """Sit down at a terminal of this handheld."""
    paper = Paper()
    desk = Desk(
        Terminal(handheld, paper, facts(server, signed_in=signed_in), local=SUMMER, now=lambda: Millis(NOON)), paper
    )
    running = asyncio.create_task(desk.terminal.run(desk.lines(), stop_at_failure=False))
    desk.running.append(running)
    try:
        yield desk
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def briefing(title: str = "Grey van, false plates", **more: object) -> Briefing:
    """A briefing that nobody issued."""
    given = {"body": "Two men.\nDo not stop alone.", "audience": (BIRMINGHAM,), "issued_at": Millis(NOON), **more}
    return Briefing(title=title, **given)  # type: ignore[arg-type]  # any field


async def only(handheld: Handheld) -> tuple[RecordId, Incident]:
    """The one incident there is."""
    ((record, value),) = await handheld.find(Incident)
    return record, value


async def come(handheld: Handheld, incidents: int) -> None:
    """Wait until so many incidents have arrived."""
    stream = handheld.changes()
    while len(await handheld.find(Incident)) < incidents:
        await anext(stream)
