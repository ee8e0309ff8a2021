"""A disk whose power goes at a chosen step: what was not synced is torn, names that were not synced may be lost.

Every function of `os` through which files are changed is one step. At the chosen one a write is half done and anything
else not done at all; no step is done after it. Then files lose half of what was written to them since they were last
synced, and, where asked for, renames and removals whose folder was not synced are undone.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

_STEPS: Final = ("open", "write", "fsync", "replace", "rename", "unlink", "link", "rmdir", "truncate")


class PowerCutError(BaseException):
    """The power went. Nobody catches it by mistake."""


class Disk:
    """The steps of one run, and what of them is not on disk yet."""

    def __init__(self, root: Path, cut_at: int | None, *, lose_names: bool) -> None:
        """Let the power go at step `cut_at` (from 0); None for never."""
        self.root = root
        self.steps = 0
        self.gone = False
        self._cut_at = cut_at
        self._lose_names = lose_names
        self._real = {name: getattr(os, name) for name in _STEPS}
        self._dirty: dict[int, int] = {}
        self._undo: list[tuple[Path, Callable[[], None]]] = []
        self._spare = root.parent / f"{root.name}.spare"
        self._spare.mkdir(exist_ok=True)

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  as os has it
        """Do one step, or end there."""
        if self.gone:
            raise PowerCutError
        if self.steps == self._cut_at:
            if name == "write":
                descriptor, data = arguments
                self._wrote(descriptor)
                self._real["write"](descriptor, bytes(data)[: len(data) // 2])
            self.cut()
            raise PowerCutError
        self.steps += 1
        if name in ("replace", "rename", "unlink") and named.get("dir_fd") is None:
            self._remember(name, Path(arguments[0]), Path(arguments[1]) if len(arguments) > 1 else None)
        if name == "write":
            self._wrote(arguments[0])
        # What fsync is for is played here; a real one would only take time.
        result = None if name == "fsync" else self._real[name](*arguments, **named)
        if name == "fsync":
            held = os.fstat(arguments[0])
            self._dirty.pop(held.st_ino, None)
            if stat.S_ISDIR(held.st_mode):
                self._undo = [(folder, undo) for folder, undo in self._undo if folder.stat().st_ino != held.st_ino]
        return result

    def _wrote(self, descriptor: int) -> None:
        """Note how much of the file was on disk before."""
        held = os.fstat(descriptor)
        self._dirty.setdefault(held.st_ino, held.st_size)

    def _remember(self, name: str, source: Path, target: Path | None) -> None:
        goes = source if name == "unlink" else target
        assert goes is not None
        kept: Path | None = None
        if goes.exists():
            # A second name of the same file: what is written into it later shows there too.
            kept = self._spare / f"{self.steps}"
            self._real["link"](goes, kept)

        def undo() -> None:
            if target is not None:
                self._real["replace"](target, source)
            if kept is not None:
                self._real["replace"](kept, goes)

        self._undo.append((goes.parent, undo))

    def cut(self) -> None:
        """Let the power go now."""
        self.gone = True
        if self._lose_names:
            for _, undo in reversed(self._undo):
                with contextlib.suppress(FileNotFoundError):
                    undo()
        for path in self.root.rglob("*"):
            held = path.stat()
            synced = self._dirty.get(held.st_ino)
            if synced is not None and held.st_size > synced:
                self._real["truncate"](path, synced + (held.st_size - synced) // 2)


@contextmanager
def powered(root: Path, cut_at: int | None = None, *, lose_names: bool = False) -> Iterator[Disk]:
    """Run a block on such a disk. The block ends where the power goes."""
    disk = Disk(root, cut_at, lose_names=lose_names)
    with pytest.MonkeyPatch.context() as patch:
        for name in _STEPS:
            patch.setattr(os, name, lambda *a, _name=name, **k: disk.call(_name, *a, **k))
        with contextlib.suppress(PowerCutError):
            yield disk


def after_cut(root: Path, act: Callable[[], object], *, lose_names: bool) -> None:
    """Let `act` return, and the power go right after it: what it said is done must be."""
    with powered(root, lose_names=lose_names) as disk:
        act()
        disk.cut()


def crash_points(
    make: Callable[[], Path], act: Callable[[Path], object], part: tuple[int, int] = (0, 1)
) -> Iterator[Path]:
    """Run `act` with the power going at every one of its steps, with names lost and kept; what is left each time.

    Args:
        make: prepares a fresh folder.
        act: what is interrupted; it gets the folder.
        part: (which, of how many): only every so many-th step, where all of them would take a test too long.
    """
    first, stride = part
    for lose_names in (False, True):
        step = first
        while True:
            root = make()
            with powered(root, step, lose_names=lose_names) as disk:
                act(root)
            if not disk.gone:
                break
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, "fsync", lambda _: None)
                yield root
            step += stride
        assert step > first
