"""What a person sees of the demo."""

import io

from rich.console import Console

from server.demo.ledger import Ledger
from server.demo.view import View


def test_the_live_view_draws_counts_and_events() -> None:
    """On a terminal: the server's address, the counts, the latest events."""
    written = io.StringIO()
    view = View(Console(file=written, force_terminal=True, width=100), Ledger(), live=True)
    with view:
        view.address = "http://127.0.0.1:1"
        view.say("the server is killed (SIGKILL)")
    shown = written.getvalue()
    assert "http://127.0.0.1:1" in shown
    assert "the server is killed (SIGKILL)" in shown


def test_without_a_terminal_every_event_is_a_line() -> None:
    """Nothing is redrawn, so that a log stays readable."""
    written = io.StringIO()
    with View(Console(file=written), Ledger(), live=False) as view:
        view.say("signal returns")
    assert written.getvalue().count("\n") == 1
    assert written.getvalue().endswith("signal returns\n")
