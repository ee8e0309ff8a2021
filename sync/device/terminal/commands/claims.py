"""Commands about what is scarce and what people differ about: to claim, to give up, to decide."""

import re
from typing import Final

from schemas.errors import UsageError
from sync.device.terminal.spec import Typed, alone, matched, one, spec


class Claim(Typed, frozen=True):
    """`claim`: take something scarce; for the officer, when no holder is named."""

    which: str
    holder: str | None


class Release(Typed, frozen=True):
    """`release`: give it up."""

    which: str


class Reserve(Typed, frozen=True):
    """`reserve`: keep a pool for this device and a time."""

    which: tuple[str, ...]
    until: str
    holder: str | None


class Free(Typed, frozen=True):
    """`free`: what else there is."""

    which: str


class ShowInbox(Typed, frozen=True):
    """`inbox`: what waits for a person."""


class Decide(Typed, frozen=True):
    """`decide`: settle what people differ about.

    Attributes:
        which: the inbox item.
        choice: a candidate's number, or `=` and a value, without the quotes it may have been typed in.
        instead: of a claim: what is claimed for whoever is displaced.
        reason: why.
    """

    which: str
    choice: str
    instead: str | None
    reason: str


def _claim(rest: str) -> Claim:
    return Claim(**matched(r"(?P<which>\S+)(?:\s+(?P<holder>.+))?", rest))


def _reserve(rest: str) -> Reserve:
    parts = matched(r"(?P<which>.+?)\s+until\s+(?P<until>.+?)(?:\s+for\s+(?P<holder>.+))?", rest)
    return Reserve(tuple(parts["which"].split()), parts["until"], parts["holder"])


def _decide(rest: str) -> Decide:
    instead = r"(?:\s+instead\s+(?P<instead>\S+))?"
    choice = r"(?:=\"(?P<quoted>[^\"]*)\"|(?P<choice>=\S*|\S+))"
    parts = matched(rf"(?P<which>\S+)\s+{choice}{instead}\s+(?P<reason>.+)", rest)
    quoted = parts.pop("quoted")
    if quoted is None:
        _require_whole(parts["choice"], parts["reason"])
    else:
        parts["choice"] = f"={quoted}"
    return Decide(**parts)


def _require_whole(choice: str, reason: str) -> None:
    """Refuse a bare value that looks like the first word of a longer one: what is decided cannot be taken back."""
    value = choice.removeprefix("=")
    cut = not value or '"' in value or value.endswith(",") or reason.startswith(",")
    dated = re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None and reason[:1].isdigit()
    if choice.startswith("=") and (cut or dated):
        raise UsageError(
            f"{choice!r} may not be the whole value, so nothing was decided: put a value of several words in quotes, "
            'as in ="nuts, milk", and the reason after it'
        )


SPECS: Final = (
    spec("claim ID [HOLDER…]", "take a cell, a vehicle, a suspect: for a booking, a unit, or yourself", _claim),
    spec("release ID", "give up a claim that stands", lambda rest: Release(one(rest))),
    spec("reserve ID… until TIME [for HOLDER…]", "keep a pool for this device, to be sure without signal", _reserve),
    spec("free ID", "what is free in its place, the nearest first", lambda rest: Free(one(rest))),
    spec("inbox", "what waits for a person's decision, the most urgent first", alone(ShowInbox())),
    spec("decide ID CHOICE [instead ID] REASON…", 'settle it: CHOICE is a number of show, =WORD, ="VALUE…"', _decide),
)
