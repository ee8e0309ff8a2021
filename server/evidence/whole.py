"""A whole database against its own log and against heads of it that others kept; no server takes part.

Every leaf is hashed again and every op, entry and row held to it; what was decided follows from what was kept; what
devices signed they did sign. What this cannot show is said as well: whoever has the database *and* redoes the whole
log is found out only by a head that somebody else kept (`Pinned`).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.errors import StoreError, UsageError
from schemas.ids import RecordId
from server.evidence.contents import Contents
from server.evidence.findings import Findings, Report
from server.evidence.standing import Standing
from server.evidence.story import Story
from server.evidence.tree import Pinned, TreeCheck
from server.registry import DEFAULT_RULES, Rules
from server.store.sqlite.inspection import Inspection
from server.store.vault import Subject
from sync.evidence.leaf import decode

NOT_PINNED: Final = (
    "no checkpoint was given that the log signed and somebody else kept: a log that was rewritten as a whole, cut "
    "short or restored from a backup cannot be told from the true one (give --checkpoint and --policy)"
)


_COMMON: Final = frozenset({"database", "meta", "log", "tree", "node"})
"""What every record leans on."""


def verify(inspection: Inspection, pinned: Sequence[Pinned] = (), rules: Rules = DEFAULT_RULES) -> Report:
    """Check all of a database.

    Args:
        inspection: the database, in one state.
        pinned: heads of its log that others kept.
        rules: which role gives which scopes, as the server has them.

    Raises:
        StoreError: the database cannot be read at all.
    """
    findings = Findings()
    for text in inspection.problems():
        findings.wrong("database", inspection.where.name, text, "The file is damaged, or was edited outside SQLite.")
    for name in inspection.lacking:
        findings.wrong(
            "database",
            name,
            "is not there with the columns that this program gives it, and was read as empty",
            "Somebody took the table away or made it anew: what it held is lost, or lies elsewhere.",
        )
    for name in sorted(set(inspection.foreign_schema()) - set(inspection.lacking)):
        findings.wrong(
            "database", name, "is not declared as this program declares it", "Somebody changed the tables themselves."
        )
    tree, story = TreeCheck(findings, pinned), Story(findings, rules)
    contents = Contents(inspection, findings, story)
    for index, raw in inspection.leaves():
        tree.take(index, raw)
        try:
            leaf = decode(raw)
        except StoreError as error:
            findings.wrong("log", index, str(error), "What it stood for cannot be checked.")
            continue
        contents.leaf(index, leaf)
    contents.end()
    story.end(logged_before=contents.logged_before)
    tree.end(inspection)
    Standing(inspection, findings, contents, story).check()
    if inspection.masters is None:
        findings.note("the master keys were not given: bodies are sealed, and only their hashes and order were checked")
    if not any(one.trusted for one in pinned):
        findings.note(NOT_PINNED)
    if not findings.total:
        findings.proven(
            f"the log's {tree.tree.size} entries give root {tree.tree.root.hex()}, and every op, journal entry and row "
            "that was checked is what the log has of it"
        )
    return findings.report()


def about(report: Report, inspection: Inspection, record: RecordId) -> Report:
    """Of a report only what concerns one record: the log, the record, its ops, and the seats that wrote them.

    Raises:
        UsageError: the database has nothing of such a record.
    """
    names, seats = {str(record)}, set()
    for op in inspection.ops():
        if op.record == record:
            names.add(op.id)
            seats.add(op.device)
    names |= {f"{one.what} {one.key}" for one in inspection.entries() if one.record == record}
    if not seats and Subject(record) not in inspection.subjects():
        raise UsageError(f"{inspection.where}: there is nothing of a record {record}; check its id")
    found = tuple(
        one
        for one in report.findings
        if one.table in _COMMON
        or one.row in names
        or str(record) in one.row
        or any(one.row in {seat, f"seat {seat}"} or one.row.startswith(f"head {seat}:") for seat in seats)
    )
    return msgspec.structs.replace(
        report, findings=found, findings_total=len(found), notes=(f"only what concerns {record} is told", *report.notes)
    )
