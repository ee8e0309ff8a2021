"""`beatbook verify`: check a database, one record of it, a proof or a disclosure export, with no server."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from schemas.errors import BeatbookError, UsageError
from server.cli.forms import record_named
from server.evidence import checking, exported
from server.evidence.findings import Finding, Report
from server.evidence.plain import leaf_words
from server.evidence.tree import Pinned
from server.evidence.whole import about, verify
from server.store.masters import MasterKeys, key_file
from server.store.sqlite.folder import database_of
from server.store.sqlite.inspection import Inspection
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.note import Note, VerifierKey
from sync.evidence.policy import Policy
from sync.evidence.proof import HEADER, SUFFIX, NotInLogError, Proof

_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
_SQLITE: Final = b"SQLite format 3\x00"


class CannotCheckError(click.ClickException):
    """Nothing was found wrong, and nothing right: it could not be checked."""

    exit_code = 2


@click.command("verify")
@click.argument("target", type=click.Path(path_type=Path, exists=True))
@click.option("--record", metavar="ID", help="Tell only what concerns this record.")
@click.option(
    "--checkpoint", "checkpoints", type=_FILE, multiple=True,
    help="A checkpoint of the log that somebody kept: the log must begin with what it was of. Repeat it for more.",
)  # fmt: skip
@click.option("--policy", type=_FILE, help="Whose signatures are asked for (C2SP tlog-policy).")
@click.option("--log", "logs", multiple=True, metavar="VKEY", help="Or the log's verifier key alone, NAME+ID+KEY.")
@click.option("--master-keys", type=_FILE, help="The master keys that open the bodies.  [default: the data folder's]")
@click.option(
    "--entry",
    type=_FILE,
    help="Of a proof: the entry of the log that it is of, byte for byte.  [default: the one in it]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(  # noqa: PLR0917  click passes one for each option, by name
    target: Path,
    record: str | None,
    checkpoints: tuple[Path, ...],
    policy: Path | None,
    logs: tuple[str, ...],
    master_keys: Path | None,
    entry: Path | None,
    as_json: bool,
) -> None:
    """Check TARGET: a data folder, a copy of its database, a proof (*.tlog-proof) or a disclosure export.

    Needs no server. Ends with 0 when nothing is wrong, with 1 when something is, and with 2 when it could not be
    checked. Without a checkpoint that somebody else kept, a log that was rewritten as a whole looks like the true one.
    """
    try:
        trusted = _policy(policy, logs)
        if _is_proof(target):
            report = _proof(target, entry, trusted)
        elif _is_database(target):
            report = _database(target, record, [_pinned(path, trusted) for path in checkpoints], master_keys)
        elif exported.is_export(target):
            report = _export(target, trusted)
        else:
            raise UsageError(f"{target}: is no data folder, no database, no proof and no export; name one")
    except (BeatbookError, OSError) as error:
        raise CannotCheckError(str(error)) from None
    click.echo(msgspec.json.encode(report).decode() if as_json else "\n".join(_told(report)))
    if not report.sound:
        raise click.exceptions.Exit(1)


def _told(report: Report) -> list[str]:
    lines = [f"WRONG   {one.words}" for one in report.findings]
    if report.findings_total > len(report.findings):
        lines.append(f"WRONG   and {report.findings_total - len(report.findings)} more")
    lines += [f"proven  {words}" for words in report.proven]
    lines += [f"note    {words}" for words in report.notes]
    lines += [f"looked  at {count} {what}" for what, count in report.checked.items()]
    verdict = "nothing is wrong with what was checked" if report.sound else f"{report.findings_total} things are wrong"
    return [*lines, verdict]


def _policy(path: Path | None, logs: tuple[str, ...]) -> Policy | None:
    if path is not None and logs:
        raise UsageError("give --policy or --log, not both")
    if path is not None:
        with _named(path):
            return Policy.parse(path.read_text(encoding="utf-8"))
    return Policy.of([VerifierKey.parse(text) for text in logs]) if logs else None


def _pinned(path: Path, policy: Policy | None) -> Pinned:
    raw = path.read_bytes()
    with _named(path):
        if policy is None:
            return Pinned(path.name, Checkpoint.parse(Note.parse(raw).text), trusted=False)
        return Pinned(path.name, policy.open(raw).checkpoint, trusted=True)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say of which of several files it is that something is wrong."""
    try:
        yield
    except (UsageError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None


def _is_proof(target: Path) -> bool:
    return target.is_file() and (target.name.endswith(SUFFIX) or _begins(target, HEADER.encode()))


def _is_database(target: Path) -> bool:
    return database_of(target).exists() if target.is_dir() else _begins(target, _SQLITE)


def _begins(path: Path, words: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(words)) == words


def _database(target: Path, record: str | None, pinned: list[Pinned], master_keys: Path | None) -> Report:
    database = database_of(target) if target.is_dir() else target
    keys = key_file(database.parent) if master_keys is None else master_keys
    masters = MasterKeys.read(keys) if keys.exists() else None
    named = None if record is None else record_named(record)
    inspection = Inspection.open(database, masters)
    try:
        report = verify(inspection, pinned)
        return report if named is None else about(report, inspection, named)
    finally:
        inspection.close()


def _export(target: Path, policy: Policy | None) -> Report:
    report = checking.check(exported.read(target), policy)
    if target.is_dir():
        return report
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    said = f"the export's SHA-256 is {digest}: the log's act of disclosure, if you are given it, names the same"
    return msgspec.structs.replace(report, notes=(*report.notes, said))


def _proof(target: Path, entry: Path | None, policy: Policy | None) -> Report:
    if policy is None:
        raise UsageError(f"{target}: say whose signatures count with --policy or --log: what comes with a proof cannot")
    with _named(target):
        proof = Proof.parse(target.read_bytes())
        raw = proof.extra if entry is None else entry.read_bytes()
        if raw is None:
            raise UsageError("name the entry that it is of with --entry: this proof does not bring it along")
        try:
            head = proof.verify(raw, policy)
        except NotInLogError as error:
            means = "It proves nothing of this entry."
            finding = Finding(table="proof", row=target.name, differs=str(error), means=means)
            return Report(findings=(finding,), findings_total=1)
    by = ", ".join(sorted(head.cosigned_s)) or "no witness"
    log = f"the log {head.checkpoint.origin}, which had {head.checkpoint.size} entries; cosigned by {by}"
    return Report(proven=(f"{leaf_words(raw)} is entry {proof.index} of {log}",), checked={"proofs": 1})
