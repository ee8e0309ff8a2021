"""What a check has found: each thing with where it is, what differs and what that means, for a person to act on."""

from typing import Final

import msgspec

KEPT_MAX: Final = 1_000
"""Findings that are told one by one; of a database that is wrong throughout, more say nothing new."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it must be.

    Attributes:
        table: where: a table of the database, `log`, or a file.
        row: which row there, by what names it.
        differs: what is there, and what was expected.
        means: what follows from it.
    """

    table: str
    row: str
    differs: str
    means: str

    @property
    def words(self) -> str:
        """In one line."""
        return f"{self.table} {self.row}: {self.differs}. {self.means}"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a check came to.

    Attributes:
        findings: what is wrong; nothing, when all that was checked is as it was written.
        findings_total: how many there were, those included that are not told one by one.
        proven: what the check has shown, in plain words.
        notes: what could not be checked, or needs a person's judgement without being wrong.
        checked: what -> how many of it were looked at.
    """

    findings: tuple[Finding, ...] = ()
    findings_total: int = 0
    proven: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    checked: dict[str, int] = {}

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.findings_total == 0


class Findings:
    """A report in the making."""

    def __init__(self) -> None:
        """Begin with nothing found."""
        self._findings: list[Finding] = []
        self._proven: list[str] = []
        self._notes: dict[str, None] = {}
        self._checked: dict[str, int] = {}
        self._unchecked: dict[str, int] = {}
        self.total = 0

    def wrong(self, table: str, row: object, differs: str, means: str) -> None:
        """Tell of something that is not as it must be."""
        self.total += 1
        if len(self._findings) < KEPT_MAX:
            self._findings.append(Finding(table=table, row=str(row), differs=differs, means=means))

    def proven(self, words: str) -> None:
        """Tell of something that was shown."""
        self._proven.append(words)

    def note(self, words: str) -> None:
        """Tell of something that is not wrong; the same words once."""
        self._notes[words] = None

    def looked_at(self, what: str, count: int = 1) -> None:
        """Count what was checked."""
        self._checked[what] = self._checked.get(what, 0) + count

    def passed_over(self, what: str) -> None:
        """Count what could not be checked."""
        self._unchecked[what] = self._unchecked.get(what, 0) + 1

    def report(self) -> Report:
        """All of it."""
        passed = (f"not checked: {count} {what}" for what, count in sorted(self._unchecked.items()))
        return Report(
            findings=tuple(self._findings),
            findings_total=self.total,
            proven=tuple(self._proven),
            notes=(*self._notes, *passed),
            checked=dict(sorted(self._checked.items())),
        )
