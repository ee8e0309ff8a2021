"""Lines come out of pipes and files as they went in, and what is no text is refused."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import UsageError
from sync.device.terminal.source import LINE_BYTES_MAX, given_lines, piped_lines


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe: where to read, where to write."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


async def test_a_line_comes_when_it_is_whole(pipe: tuple[int, int]) -> None:
    """A writer may take its time and cut lines anywhere; the last line may lack its end."""
    reader, writer = pipe
    lines = piped_lines(reader)
    os.write(writer, b"list\r\nsh")
    assert await anext(lines) == "list"
    os.write(writer, b"ow 1\n\n\xc3")
    assert [await anext(lines), await anext(lines)] == ["show 1", ""]
    os.write(writer, b"\xa9 end")
    os.close(writer)
    assert [line async for line in lines] == ["é end"]


async def test_a_file_is_read_like_a_pipe(tmp_path: Path) -> None:
    """A regular file cannot be waited for by epoll; it is read all the same."""
    script = tmp_path / "script"
    script.write_text("list\n" * 30_000 + "quit")
    with script.open("rb") as file:
        lines = [line async for line in piped_lines(file.fileno())]
    assert (len(lines), lines[-1]) == (30_001, "quit")


@pytest.mark.parametrize(
    ("raw", "words"), [(b"log 1 \xff\n", "not UTF-8"), (b"x" * (LINE_BYTES_MAX + 1), "longer than 65536 bytes")]
)
async def test_what_is_no_line_of_text_is_refused(tmp_path: Path, raw: bytes, words: str) -> None:
    """Bytes that cannot be written down unchanged are not guessed at, and no line takes all memory."""
    script = tmp_path / "script"
    script.write_bytes(raw)
    with script.open("rb") as file, pytest.raises(UsageError, match=words):
        [line async for line in piped_lines(file.fileno())]


async def test_given_lines_are_given() -> None:
    """The lines of the options come in order."""
    assert [line async for line in given_lines(["a", "b"])] == ["a", "b"]
