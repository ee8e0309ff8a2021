"""`beatbook inbox`: what waits for a person, and their decisions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from schemas.errors import UsageError
from schemas.ids import FieldName, is_record_id
from schemas.kinds import kind_named
from schemas.limits import REASON_CHARS_MAX
from server.cli.deciding import decided, seen_op
from server.cli.remote import Remote, folder_option, open_remote, why_option
from server.http.accounts import DecisionDone, InboxItemBody, InboxLine, InboxList
from server.http.operations import LIST_MAX
from sync.explain.values import listed, moment, value


@click.group("inbox")
def command() -> None:
    """What no rule settles: list it, look at it, decide it."""


@command.command("list")
@click.option("--scope", help="Only what is asked in this scope, as in suite:perry-barr:inbox.")
@click.option("--overdue", is_flag=True, help="Only what should have been decided by now.")
@click.option("--all", "every", is_flag=True, help="Also what is settled.")
@folder_option
def list_command(scope: str | None, overdue: bool, every: bool, folder: Path) -> None:
    """List what waits for a person, the most urgent first."""
    query = {"open": "all" if every else "true", "overdue": "true" if overdue else "false", "limit": str(LIST_MAX)}
    if scope is not None:
        query["scope"] = scope  # the server says what is wrong with it
    with open_remote(folder) as remote:
        lines = sorted(_lines(remote, query), key=lambda line: (not line.open, line.due_at, line.item))
    for line in lines:
        state = "OVERDUE since" if line.overdue else "decide by" if line.open else "settled; was due by"
        click.echo(f"{line.item}  {state} {moment(line.due_at)}")
        said = " | ".join(_words(line, one) for one in line.values)
        called = "" if line.about is None else f" ({line.about})"
        click.echo(f"    {line.field} of {line.subject_kind} {line.subject}{called}: {said}")
    waiting = sum(line.open for line in lines)
    late = sum(line.overdue for line in lines)
    click.echo(f"{waiting} waiting, {late} overdue")


@command.command("show")
@click.argument("item")
@why_option
@folder_option
def show_command(item: str, why: str, folder: Path) -> None:
    """Show one question: what was said, by whom, when, what each had seen, and what else is free."""
    path = _path(item)
    with open_remote(folder, why) as remote:
        told = remote.get(path, InboxItemBody)
    for words in told.words:
        click.echo(words)
    for asked in told.asked:
        click.echo(f"Asked as well at {moment(asked.at)}: {asked.role.replace('-', ' ')}.")
    for decision in told.decisions:
        again = ", while another decision stands" if decision.differs else ""
        said = _words(told.line, decision.value)
        click.echo(
            f"{decision.author} decided at {moment(decision.recorded_at)}{again}: {said}. Reason: {decision.reason}"
        )
    if told.ended_by is not None and not told.decisions:
        click.echo(f"Nothing was left to decide after {told.ended_by}.")


@command.command("decide")
@click.argument("item")
@click.option("--candidate", help="Decide for what this op said, by its name in `show`, as in desk-1/17.")
@click.option(
    "--value", "text",
    help="Decide for this value: JSON, or plain text where that is none; a time also as in 2026-02-14T14:32:00Z.",
)  # fmt: skip
@click.option("--reason", required=True, help="Why.")
@click.option(
    "--seen", multiple=True,
    help="Op of a candidate that was looked at. Repeat it for each; what is left out is asked about anew.  "
    "[default: all that are there]",
)  # fmt: skip
@click.option(
    "--instead", multiple=True, metavar="HOLDER=RECORD",
    help="Of a claim: the free resource that a displaced holder gets. Repeat it for more.",
)  # fmt: skip
@folder_option
def decide_command(  # noqa: PLR0917  one parameter per option
    item: str,
    candidate: str | None,
    text: str | None,
    reason: str,
    seen: tuple[str, ...],
    instead: tuple[str, ...],
    folder: Path,
) -> None:
    """Decide ITEM as whoever is signed in: the value of one of its candidates, or another."""
    if (candidate is None) == (text is None):
        raise UsageError("say what is decided: either --candidate OP or --value VALUE")
    if not reason.strip():
        raise UsageError("--reason: say in words why; it stays with the decision for ever")
    path = _path(item)
    looked_at = [seen_op(op) for op in seen]
    body: dict[str, Any] = {"reason": reason, "instead": dict(map(_instead, instead))}
    with open_remote(folder, f"to decide: {reason}"[:REASON_CHARS_MAX]) as remote:
        told = remote.get(path, InboxItemBody)
        if text is not None:
            body["value"] = decided(told.line, text)
        elif candidate is not None:
            body["value"] = _said_by(told, candidate)
            body["seen"] = [one.op for one in told.candidates]
        if looked_at:
            body["seen"] = looked_at
        done = remote.post(f"{path}/decision", body, DecisionDone)
    click.echo(f"Decided by {done.op}: {done.field} of {done.subject} is now {_shown(done)}.")
    for holder, resource in done.given.items():
        click.echo(f"{holder} has {resource} instead.")
    for holder in body["instead"].keys() - done.given.keys():
        click.echo(f"{holder} did not get it: somebody else claimed it in the same moment.")
    if done.open:
        click.echo("Something came in that was not looked at: a new question waits in the inbox.")


def _path(item: str) -> str:
    if not is_record_id(item):
        raise UsageError(f"{item!r} is no inbox item: give an id that `beatbook inbox list` shows")
    return f"/v1/inbox/{item}"


def _lines(remote: Remote, query: dict[str, str]) -> Iterator[InboxLine]:
    """The lines of every page."""
    after: str | None = ""
    while after is not None:
        page = remote.get("/v1/inbox", InboxList, {**query, "after": after})
        yield from page.items
        after = page.next


def _words(line: InboxLine, given: object) -> str:
    kind = kind_named(line.subject_kind)
    field = None if kind is None else kind.fields.get(FieldName(line.field))
    return value(None if field is None else field.type, given)


def _shown(done: DecisionDone) -> str:
    return msgspec.json.encode(done.value).decode()


def _said_by(told: InboxItemBody, op: str) -> object:
    for one in told.candidates:
        if one.op == op:
            return one.value
    raise UsageError(f"--candidate {op}: the item has {listed(one.op for one in told.candidates)}")


def _instead(text: str) -> tuple[str, str]:
    holder, _, record = text.rpartition("=")
    if not holder or not is_record_id(record):
        raise UsageError(f"--instead {text!r}: give HOLDER=RECORD, the record being the id of a free resource")
    return holder, record
