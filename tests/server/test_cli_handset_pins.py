"""What `beatbook handset` asks for when a PIN alone does not do: another one in its place, and the one before."""

import pytest

from server.cli import handset
from sync.device.account import RefusedError
from sync.device.seat_opening import FORMER, FormerPinError
from sync.device.terminal import Settings, Shown


class _Server:
    """A run of a handset against a server that has reset the PIN, and a seat under the one before."""

    def __init__(self, *, once: str, former: str) -> None:
        self.passphrase = once
        self.once = True
        self.former = former
        self.opened_with: Shown | None = None

    async def run(self, settings: Settings) -> int:
        """As `run_handset`."""
        shown = settings.shown
        assert shown is not None
        if shown.pin != self.passphrase:
            raise RefusedError("sign_in_wrong", "collar number and passphrase do not go together")
        if self.once and shown.new is None:
            raise RefusedError("passphrase_once", "this passphrase was given out for one sign-in")
        if shown.new is not None:
            self.passphrase, self.once = shown.new, False
        if shown.former != self.former:
            raise FormerPinError(FORMER.format(seat="hh-01"))
        self.opened_with = shown
        return 0


def test_after_a_reset_it_asks_for_the_new_pin_and_then_for_the_one_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    """In one run: the one-time passphrase is not shown again once the server has taken the new PIN in its place."""
    server = _Server(once="h3kq-9qxm-2vtd-hb5a", former="482619")
    answers = iter(["730518", "482619"])
    monkeypatch.setattr(handset, "run_handset", server.run)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: next(answers))
    shown = Shown(pin="h3kq-9qxm-2vtd-hb5a", keep_share=True)
    assert handset._run(Settings(folder=tmp_path, author="WM21877", shown=shown)) == 0  # type: ignore[arg-type]  # a path, a name
    assert server.opened_with is not None
    opened = server.opened_with
    assert (opened.pin, opened.new, opened.former, opened.keep_share) == ("730518", None, "482619", True)
    assert "still under the one before" in capsys.readouterr().err
