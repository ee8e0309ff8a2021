"""The line that is being typed: keys in, finished lines out. It draws nothing and reads nothing itself.

The terminal's own line editing cannot be used: what it has taken in so far is out of reach, so a message that comes
while the officer types could not be put above the line and the line be drawn again below it.
"""

import codecs
import enum
import re
from collections import deque
from collections.abc import Callable
from typing import ClassVar, Final

from rich.cells import cell_len

HISTORY_LINES_MAX: Final = 200
LINE_CHARS_MAX: Final = 16_384
"""Longer than anything that a field takes; what is typed or pasted beyond it is left out."""

_ESCAPE: Final = "\x1b"
# CSI (ECMA-48 section 5.4): parameters, intermediates, one final byte. SS3: one byte. Anything else: Alt and a key.
_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^\[O])", re.DOTALL)
_SEQUENCE_CHARS_MAX: Final = 32


class Done(enum.Enum):
    """That the input is over."""

    END = "end"


class LineEditor:
    """One line with a cursor, and the lines before it. They are kept in memory only, since they hold content.

    Attributes:
        text: what is typed so far.
        cursor: how many characters of it are before the cursor.
    """

    def __init__(self) -> None:
        """Start with an empty line."""
        self.text = ""
        self.cursor = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._unfinished = ""
        self._history: deque[str] = deque(maxlen=HISTORY_LINES_MAX)
        self._back = 0
        """How many lines back in the history the line on the screen is."""
        self._draft = ""
        """What was being typed before the history was looked at."""

    def feed(self, raw: bytes) -> list[str | Done]:
        """Take in what the keyboard sent.

        Returns:
            The lines that were finished by it, and `Done.END` last when it ended the input (Ctrl-D on an empty line).
        """
        finished: list[str | Done] = []
        for key in self._keys(self._decoder.decode(raw)):
            if key in ("\r", "\n"):
                finished.append(self._submit())
            elif key == "\x04" and not self.text:
                finished.append(Done.END)
                break
            elif len(key) == 1 and key.isprintable():
                self._insert(key)
            else:
                self._ACTIONS.get(key, LineEditor._nothing)(self)
        return finished

    def window(self, cells: int) -> tuple[str, int]:
        """The piece of the line that fits into a width and holds the cursor.

        Args:
            cells: the width.

        Returns:
            The piece, and the cursor's distance from its start in cells.
        """
        start = self.cursor
        used = 0
        # One cell is for the cursor itself, which may stand behind the last character.
        while start > 0 and used + cell_len(self.text[start - 1]) < cells:
            start -= 1
            used += cell_len(self.text[start])
        before = used
        end = self.cursor
        while end < len(self.text) and used + cell_len(self.text[end]) < cells:
            used += cell_len(self.text[end])
            end += 1
        return self.text[start:end], before

    def _keys(self, text: str) -> list[str]:
        """Characters and whole escape sequences; the beginning of one is kept for the next time."""
        keys: list[str] = []
        text = self._unfinished + text
        self._unfinished = ""
        at = 0
        while at < len(text):
            if text[at] != _ESCAPE:
                keys.append(text[at])
                at += 1
            elif (sequence := _SEQUENCE.match(text, at)) is not None:
                keys.append(sequence[0])
                at = sequence.end()
            elif len(text) - at < _SEQUENCE_CHARS_MAX:
                self._unfinished = text[at:]
                break
            else:
                at += 1
        return keys

    def _submit(self) -> str:
        line = self.text
        if line.strip() and (not self._history or self._history[-1] != line):
            self._history.append(line)
        self._put("")
        self._back = 0
        return line

    def _put(self, text: str) -> None:
        self.text = text
        self.cursor = len(text)

    def _insert(self, char: str) -> None:
        if len(self.text) < LINE_CHARS_MAX:
            self.text = self.text[: self.cursor] + char + self.text[self.cursor :]
            self.cursor += 1

    def _nothing(self) -> None:
        pass

    def _left(self) -> None:
        self.cursor = max(0, self.cursor - 1)

    def _right(self) -> None:
        self.cursor = min(len(self.text), self.cursor + 1)

    def _home(self) -> None:
        self.cursor = 0

    def _end(self) -> None:
        self.cursor = len(self.text)

    def _backspace(self) -> None:
        if self.cursor:
            self._left()
            self._delete()

    def _delete(self) -> None:
        self.text = self.text[: self.cursor] + self.text[self.cursor + 1 :]

    def _cut_before(self) -> None:
        self.text = self.text[self.cursor :]
        self.cursor = 0

    def _cut_after(self) -> None:
        self.text = self.text[: self.cursor]

    def _cut_word(self) -> None:
        kept = re.sub(r"\S+\s*$|\s+$", "", self.text[: self.cursor])
        self.text = kept + self.text[self.cursor :]
        self.cursor = len(kept)

    def _older(self) -> None:
        if self._back == 0:
            self._draft = self.text
        self._go_back(min(self._back + 1, len(self._history)))

    def _newer(self) -> None:
        self._go_back(max(self._back - 1, 0))

    def _go_back(self, lines: int) -> None:
        if lines != self._back:
            self._back = lines
            self._put(self._history[-lines] if lines else self._draft)

    _ACTIONS: ClassVar[dict[str, "Callable[[LineEditor], None]"]] = {
        "\x7f": _backspace, "\x08": _backspace,
        "\x04": _delete, "\x1b[3~": _delete,
        "\x01": _home, "\x1b[H": _home, "\x1bOH": _home, "\x1b[1~": _home,
        "\x05": _end, "\x1b[F": _end, "\x1bOF": _end, "\x1b[4~": _end,
        "\x02": _left, "\x1b[D": _left, "\x1bOD": _left,
        "\x06": _right, "\x1b[C": _right, "\x1bOC": _right,
        "\x10": _older, "\x1b[A": _older, "\x1bOA": _older,
        "\x0e": _newer, "\x1b[B": _newer, "\x1bOB": _newer,
        "\x15": _cut_before,
        "\x0b": _cut_after,
        "\x17": _cut_word,
    }  # fmt: skip
    """Keys (Emacs's, as in a shell) and the sequences of the common terminals for the same."""
