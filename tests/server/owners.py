"""Files that belong to another user, whoever runs the tests: root could give them away, and nobody else could."""

import os
from collections.abc import Callable

import pytest

NOBODY_HERE = 4_711
"""A user who neither runs the tests nor is root."""


def owned_by(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    """From now on every file says that it belongs to this user, and the process is of one who is not root."""

    def told(ask: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def tell(*given: object, **named: object) -> os.stat_result:
            found = ask(*given, **named)
            return os.stat_result((*found[:4], uid, *found[5:10]))

        return tell

    for name in ("stat", "fstat"):
        monkeypatch.setattr(os, name, told(getattr(os, name)))
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY_HERE - 1)
