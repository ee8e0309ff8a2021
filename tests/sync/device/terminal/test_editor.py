"""The line editor: any split of the keyboard's bytes gives the same lines, and keys do what they do in a shell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sync.device.terminal.editor import HISTORY_LINES_MAX, LINE_CHARS_MAX, Done, LineEditor


def typed(*keys: str) -> LineEditor:
    """An editor after these keys."""
    editor = LineEditor()
    for each in keys:
        editor.feed(each.encode())
    return editor


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        ("list é", "list é", 6),
        ("list\x7f\x08", "li", 2),
        ("ab\x1b[Dc", "acb", 2),
        ("ab\x1b[D\x1b[D\x1b[D\x1b[3~", "b", 0),
        ("ab\x02\x04", "a", 1),
        ("b\x01a\x05c", "abc", 3),
        ("b\x1b[Ha\x1bOFc", "abc", 3),
        ("b\x1b[1~a\x1b[4~c\x1b[D\x1b[C\x06", "abc", 3),
        ("log 1 on  scene\x17", "log 1 on  ", 10),
        ("log 1 \x17\x17", "", 0),
        ("one two\x1b[D\x1b[D\x1b[D\x15", "two", 0),
        ("one two\x1b[D\x1b[D\x1b[D\x0b", "one ", 4),
        ("a\x1b[1;5Cb\x1b[200~c\x1bxd\x07\x00", "abcd", 4),
        ("\x7f\x1b[A\x1b[B\x17", "", 0),
    ],
)
def test_keys_do_what_they_do_in_a_shell(keys: str, text: str, cursor: int) -> None:
    """Moving, deleting and cutting work in the line; sequences that mean nothing here leave nothing behind."""
    editor = typed(keys)
    assert (editor.text, editor.cursor) == (text, cursor)


def test_lines_are_finished_by_enter_and_the_input_by_its_end() -> None:
    """Several lines may come at once; Ctrl-D ends the input only on an empty line."""
    editor = LineEditor()
    assert editor.feed(b"list\rshow 1\nhal") == ["list", "show 1"]
    assert editor.feed(b"\x04") == []
    assert editor.feed(b"f\r\x04ignored") == ["half", Done.END]


def test_earlier_lines_come_back_and_the_draft_is_not_lost() -> None:
    """Up and down walk through the history, each line once in a row, and back to what was being typed."""
    editor = typed("one\r", "two\r", "two\r", "  \r", "dra")
    seen = []
    for key in ("\x1b[A", "\x1b[A", "\x1b[A", "\x1b[B", "\x1b[B", "\x1b[B"):
        editor.feed(key.encode())
        seen.append(editor.text)
    assert seen == ["two", "one", "one", "two", "dra", "dra"]
    assert editor.feed(b"\x10\r") == ["two"]
    assert editor.text == ""


def test_nothing_grows_without_end() -> None:
    """A pasted novel and a long shift stay within their bounds."""
    editor = typed("x" * (LINE_CHARS_MAX + 10))
    assert len(editor.text) == LINE_CHARS_MAX
    for n in range(HISTORY_LINES_MAX + 10):
        editor.feed(f"{n}\r".encode())
    editor.feed(b"\x1b[A" * (HISTORY_LINES_MAX + 20))
    assert editor.text == "10"
    assert typed("\x1b[" + "1;" * 40 + "Rok").text.endswith("ok")


@given(st.text(), st.lists(st.integers(0, 200)))
def test_how_the_bytes_are_split_does_not_matter(text: str, cuts: list[int]) -> None:
    """Letters and escape sequences that arrive in pieces are the same as in one."""
    raw = (text + "é\x1b[D\x1b[3~ü\r").encode()
    whole, parts = LineEditor(), LineEditor()
    finished = whole.feed(raw)
    if Done.END in finished:
        return
    ends = sorted({min(cut, len(raw)) for cut in cuts} | {len(raw)})
    pieces = [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert [line for piece in pieces for line in parts.feed(piece)] == finished
    assert (parts.text, parts.cursor) == (whole.text, whole.cursor)


@given(st.text(alphabet="ab é漢字👮", max_size=40), st.integers(0, 40), st.integers(2, 30))
def test_the_window_fits_and_holds_the_cursor(text: str, left: int, cells: int) -> None:
    """However narrow, the piece that is drawn fits with room for the cursor, and is part of the line."""
    editor = typed(text, "\x1b[D" * left)
    piece, before = editor.window(cells)
    assert cell_len(piece) < cells
    assert piece in editor.text
    assert editor.text[: editor.cursor].endswith(_start(piece, before))


def _start(piece: str, cells: int) -> str:
    """The part of a piece that takes so many cells."""
    end = 0
    while cell_len(piece[:end]) < cells:
        end += 1
    return piece[:end]
