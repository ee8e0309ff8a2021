"""The promises, checked against the ledger once everything has come to rest.

Every check carries a proof that it can fail: the search for plaintext must find the words in what the server answers
its callers, the ledger must not be empty, and what verifies log and export must find altered copies wrong.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.ids import DeviceId, RecordId, split_op_id
from schemas.kinds import KINDS, BriefingReceipt
from server.demo import content
from server.demo.actors import Actor
from server.demo.disagreements import ASKED, SETTLED_BY_RULE, Outcome
from server.demo.evidence import Kept
from server.demo.ledger import Ledger, LedgerLine

PIECE_BYTES: Final = 64 * 1024
PLANTED: Final = re.compile(content.PLANTED_PATTERN.encode())
PLANTED_UTF16: Final = re.compile(content.PLANTED_PATTERN_UTF16)


class Verdict(msgspec.Struct, kw_only=True):
    """What was found.

    Attributes:
        ops_lost: ops that a handheld accepted and the server does not hold.
        ops_lost_after_durable: those of them that the handheld was told are durable.
        lost: the same, one by one: whose, on what, and what is missing of it.
        ops_twice: ops whose entry stands more than once.
        ops_unknown: ops on the server that no handheld made.
        replicas_equal: whether replicas with equal grants hold the same, and the same as the server.
        unequal: which do not.
        plaintext_found: planted words found in files of replicas, temporary files, or the server's.
        search_works: whether the same search finds the words where they must be.
        briefings_missing: (handheld, briefing) pairs that did not arrive.
        unexplained: changes that neither stand, nor link to what stands, nor wait in the inbox.
        conflicts_missed: disagreements of the script that the server has not counted.
        waiting: ops that are still waiting, held or sealed on a handheld.
        revoked_held_after, wiped_readable_after: as in `server.demo.losses.Losses`.
        quarantined: edits that came, sealed, from officers who had lost the right to the record meanwhile.
        receipts: signed receipts for what was removed.
        log_verified: whether the whole log is sound, and an altered copy was found out.
        export_verified: the same of a record that was given out.
        review_alarm_on_desk, review_alarms, clock_right: as in `server.demo.detention.Found`.
    """

    ops_lost: int = 0
    ops_lost_after_durable: int = 0
    lost: list[str] = msgspec.field(default_factory=list)
    ops_twice: int = 0
    ops_unknown: int = 0
    replicas_equal: bool = True
    unequal: list[str] = msgspec.field(default_factory=list)
    plaintext_found: int = 0
    search_works: bool = True
    briefings_missing: int = 0
    unexplained: int = 0
    conflicts_missed: int = 0
    waiting: int = 0
    revoked_held_after: int = 0
    wiped_readable_after: int = 0
    quarantined: int = 0
    receipts: int = 0
    log_verified: bool = True
    export_verified: bool = True
    review_alarm_on_desk: bool = True
    review_alarms: int = 1
    clock_right: bool = True

    @property
    def holds(self) -> bool:
        """Whether every promise held."""
        sound = self.search_works and self.replicas_equal and self.log_verified and self.export_verified
        warned = self.review_alarm_on_desk and self.review_alarms == 1
        return sound and warned and self.clock_right and not (
            self.ops_lost
            or self.ops_twice
            or self.ops_unknown
            or self.plaintext_found
            or self.briefings_missing
            or self.unexplained
            or self.conflicts_missed
            or self.waiting
            or self.revoked_held_after
            or self.wiped_readable_after
        )  # fmt: skip


def check_ops(
    verdict: Verdict,
    ledger: Ledger,
    records: Mapping[str, Mapping[str, Any]],
    database: Path,
    beside: Kept,
) -> None:
    """Promises 1 and 2: every op is on the server once, by its entry's text and by the op table on disk.

    An op of an officer who lost the right to its record before it was taken in is in quarantine instead, with its text.
    When it was on its way in that moment the op table has it as well, as refused: there it counts for nothing.
    """
    kept = _stored_ops(database, {line.device for line in ledger.lines.values()})
    stored = kept - beside.refused
    texts = Counter(_words(records))
    verdict.receipts = beside.receipts
    # Nobody is asked about what had come when its device sealed it, nor about what a handheld says by itself.
    verdict.quarantined = len((beside.quarantined.keys() - stored) & {split_op_id(op) for op in ledger.lines})
    for op, line in ledger.lines.items():
        name = split_op_id(op)
        sealed = beside.quarantined.get(name)
        if sealed is not None and name not in stored:
            if line.marker is not None and line.marker.encode() not in sealed:
                verdict.lost.append(_told(line, "what is in quarantine under its number says something else"))
            continue
        standing = 1 if line.marker is None else texts[line.marker]
        if name not in stored or not standing:
            where = "stored, but its text stands nowhere"
            if name not in stored:
                where = f"{'refused, and not' if name in beside.refused else 'neither stored nor'} in quarantine"
            verdict.lost.append(_told(line, where))
            verdict.ops_lost_after_durable += line.durable
        elif standing > 1:
            verdict.ops_twice += 1
    verdict.ops_lost = len(verdict.lost)
    # That a briefing has come a handheld says by itself: no officer did that, so the ledger has no line of it.
    verdict.ops_unknown = len(kept - _receipts(database) - {split_op_id(op) for op in ledger.lines})


def _told(line: LedgerLine, missing: str) -> str:
    """A lost change, for whoever has to find out how."""
    what = "a field" if line.marker is None else "a log entry"
    signal = "with signal" if line.with_signal else "with no signal"
    said = "said to be durable" if line.durable else "never said to be durable"
    return f"{line.op} ({what} of {line.record}, made {signal}, {said}): {missing}"


def check_conflicts(verdict: Verdict, outcome: Outcome) -> None:
    """Promise 3: nothing is unexplained; and the script's disagreements are among those that the server counted."""
    verdict.unexplained = outcome.unexplained
    missed = {policy for policy in SETTLED_BY_RULE if not outcome.by_rule.get(policy)}
    verdict.conflicts_missed = len(missed) + max(0, ASKED - outcome.in_inbox)


def _receipts(database: Path) -> set[tuple[str, int]]:
    """(device, n) of every op on a receipt."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        of_receipts = (
            "SELECT op.device, op.n FROM op JOIN record ON record.id = op.record WHERE record.kind = 'receipt'"
        )
        found = set(connection.execute(of_receipts))
    connection.close()
    return found


def _stored_ops(database: Path, devices: Iterable[DeviceId]) -> set[tuple[str, int]]:
    """(device, n) of every durable op in the op table, read from the file that a crash would leave."""
    wanted = set(devices)
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        found = {(device, n) for device, n in connection.execute("SELECT device, n FROM op") if device in wanted}
    connection.close()
    return found


def _words(records: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    """The planted word of every log entry on the server, as often as it stands there."""
    for of_kind in records.values():
        for record in of_kind.values():
            for entry in record["values"].get("log", []):
                text = entry["text"]
                if text.endswith(")"):
                    yield text[text.rindex("(") + 1 : -1]


async def check_replicas(verdict: Verdict, actors: Sequence[Actor], records: Mapping[str, Mapping[str, Any]]) -> None:
    """Promises 4 and 7: each replica holds exactly the server's records of its grants."""
    for actor in actors:
        granted = {
            *actor.person.audiences,
            *(f"{scope}:{lane}" for scope in actor.person.audiences for lane in ("briefing", "safety")),
        }
        for name, spec in KINDS.items():
            if spec.struct is BriefingReceipt:
                # An officer's word on briefings is told to nobody else, to whoever checks here neither.
                continue
            with actor.handheld.for_itself():
                found_here = await actor.handheld.find(spec.struct)
            held = {record: msgspec.to_builtins(value) for record, value in found_here}
            should = {
                record: msgspec.to_builtins(spec.build(found["values"]))
                for record, found in records[name].items()
                if granted.intersection(found["scopes"])
            }
            if held != should:
                differing = sum(held.get(RecordId(one)) != should.get(one) for one in {*held, *should})
                verdict.unequal.append(f"{actor.person.device}: {differing} of {len(should)} {name} records differ")
    verdict.replicas_equal = not verdict.unequal


def check_briefings(verdict: Verdict, actors: Sequence[Actor], ledger: Ledger) -> None:
    """A pushed briefing stands on every handheld, those included that had no signal."""
    verdict.briefings_missing = sum(
        record not in ledger.got.get(actor.person.device, set()) for actor in actors for record in ledger.briefings
    )


def check_waiting(verdict: Verdict, actors: Sequence[Actor]) -> None:
    """Nothing still waits, and nothing was refused."""
    statuses = [actor.handheld.status for actor in actors]
    verdict.waiting = sum(status.waiting + status.held + status.sealed for status in statuses)


def search_plaintext(
    verdict: Verdict, actors: Sequence[Actor], folders: Sequence[Path], records: Mapping[str, Mapping[str, Any]]
) -> None:
    """Encryption at rest: no planted word in any file of a replica (database, WAL, journal) or of these folders.

    May be called several times; what was found adds up.

    Args:
        verdict: takes what was found.
        actors: whose words are looked for, and in whose replicas.
        folders: the server's data, and the temporary files of this process.
        records: what the server answers: there the same search must find words.
    """
    words = {word for actor in actors for word in actor.planted}
    for folder in [*(actor.folder for actor in actors), *folders]:
        verdict.plaintext_found += count_words(folder, words)
    if words and not words.intersection(_words_of(msgspec.json.encode(records))):
        verdict.search_works = False


def count_words(folder: Path, words: Collection[str]) -> int:
    """How many of the words stand in some file below a folder, as UTF-8 or UTF-16."""
    found: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        for piece in _pieces(path):
            found.update(_words_of(piece))
    return len(found.intersection(words))


def _words_of(piece: bytes) -> Iterator[str]:
    """The planted words in some bytes."""
    yield from (match.decode() for match in PLANTED.findall(piece))
    yield from (match.decode("utf-16-le") for match in PLANTED_UTF16.findall(piece))


def _pieces(path: Path) -> Iterator[bytes]:
    """A file in pieces that overlap by a word: one long search would hold the handhelds of this process up."""
    overlap = 2 * content.PLANTED_CHARS
    try:
        with path.open("rb") as file:
            tail = b""
            while read := file.read(PIECE_BYTES):
                yield tail + read
                tail = (tail + read)[-overlap:]
    except FileNotFoundError:
        # A journal that was there a moment ago.
        return
