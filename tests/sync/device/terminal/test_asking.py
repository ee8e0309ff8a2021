"""Lines are commands or answers, and none is lost between the two, whatever is broken off meanwhile."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from schemas.errors import UsageError
from schemas.ids import Millis
from sync.device import Handheld
from sync.device.terminal.asking import Asking, StoppedError
from sync.device.terminal.source import given_lines
from sync.device.terminal.terminal import Terminal
from tests.sync.device.support import NOON, incident
from tests.sync.device.terminal.desk import SUMMER, Desk, Paper, facts


def asking(*lines: str, again: bool = True) -> tuple[Asking, Paper]:
    """Somebody who is asked, and types these."""
    paper = Paper()
    asked = Asking(paper.show, paper.complain)
    asked.begin(given_lines(lines), again=again)
    return asked, paper


def whole(text: str) -> object:
    """Takes a number."""
    if not text.isdigit():
        raise UsageError("a number, please")
    return int(text)


async def test_a_question_is_put_until_the_answer_fits() -> None:
    """The answer is read; a wrong one is complained of and asked for again."""
    asked, paper = asking("ten", " 10 ")
    assert await asked.ask("How many?", "a number", whole) == 10
    assert paper.taken() == "How many?  a number\n" * 2
    assert paper.complaints == ["a number, please"]
    assert await asked.line() is None, "all lines are used up"
    assert await asked.line() is None


async def test_in_a_script_a_wrong_answer_fails() -> None:
    """The line behind it was written for another question."""
    asked, paper = asking("ten", "11", again=False)
    with pytest.raises(UsageError, match="a number, please"):
        await asked.ask("How many?", "", whole)
    assert paper.complaints == []
    assert await asked.line() == "11"


@pytest.mark.parametrize("lines", [["STOP"], []])
async def test_a_form_can_be_left_and_the_end_leaves_it(lines: list[str]) -> None:
    """Both say that nothing was written."""
    asked, _ = asking(*lines)
    with pytest.raises(StoppedError, match="nothing was written"):
        await asked.ask("How many?", "", whole)


async def test_whoever_is_broken_off_leaves_the_line_to_the_next() -> None:
    """A question that is given up takes no line with it."""
    typed: asyncio.Queue[str] = asyncio.Queue()

    async def lines() -> AsyncGenerator[str]:
        while True:
            yield await typed.get()

    paper = Paper()
    asked = Asking(paper.show, paper.complain)
    asked.begin(lines(), again=True)
    question = asyncio.create_task(asked.ask("How many?", "", whole))
    await asyncio.wait([question], timeout=0)
    question.cancel()
    await asyncio.wait([question])
    assert not asked.handing_out
    typed.put_nowait("list")
    assert await asked.line() == "list"
    await asked.end()
    assert await asked.line() is None


async def test_input_that_is_not_usable_says_so_once() -> None:
    """What a source complains of reaches whoever reads; then there is nothing more."""

    async def lines() -> AsyncGenerator[str]:
        nothing: tuple[str, ...] = ()
        for line in nothing:
            yield line
        raise UsageError("no UTF-8")

    asked = Asking(Paper().show, Paper().complain)
    asked.begin(lines(), again=True)
    with pytest.raises(UsageError, match="no UTF-8"):
        await asked.line()
    assert await asked.line() is None


async def test_a_question_that_is_broken_off_leaves_the_terminal_as_it_was(desk: Desk, alone: Handheld) -> None:
    """Ctrl-C at a question ends the form; the next line is a command."""
    made = await alone.create(incident())
    assert (await desk.type(f"add {made.record} people")).startswith("What are they to it?")
    before = len(desk.paper.complaints)
    assert desk.terminal.interrupt()
    assert "summary" in await desk.type(f"show {made.record}"), "a command again, and no answer"
    assert desk.paper.complaints[before:] == ["broken off"]


async def test_a_line_that_has_come_is_broken_off_before_it_begins(alone: Handheld) -> None:
    """Ctrl-C between the end of a line and its command breaks that command off, and not the handset."""
    paper = Paper()
    terminal = Terminal(alone, paper, facts(), local=SUMMER, now=lambda: Millis(NOON))
    broken: list[bool] = []

    async def lines() -> AsyncGenerator[str]:
        # Once the line is handed out, and before whoever waits for it goes on.
        asyncio.get_running_loop().call_soon(lambda: broken.append(terminal.interrupt()))
        yield "new Gate open in birmingham"
        yield "status"

    assert not await terminal.run(lines(), stop_at_failure=True)
    assert broken == [True]
    assert paper.complaints == ["broken off"]
    assert alone.status.waiting == 0
