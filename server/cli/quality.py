"""`beatbook quality`: what a Force Crime Registrar looks at: a call-back sample, and the crimes that were cancelled."""

from datetime import UTC, datetime
from pathlib import Path

import click

from schemas.kinds.call import Involved
from server.cli.forms import record_named
from server.cli.remote import folder_option, open_remote, why_option
from server.http.operations import LIST_MAX
from server.http.quality import AccuracyPage, Drawn, DrawnPage
from sync.policing.incidents.sampling import Agreement


@click.group("quality")
def command() -> None:
    """Look at how reports were dealt with and recorded, by those who did not."""


@command.command("sample")
@click.argument("record")
@why_option
@folder_option
def sample_command(record: str, why: str, folder: Path) -> None:
    """Tell whom to call back: the incidents that the call-back sample RECORD draws, and what has been heard so far.

    The same seed draws the same incidents, whoever asks and however often.
    """
    named = record_named(record)
    total = Agreement(drawn=0, called=0, reached=0, agreeing=0)
    with open_remote(folder, why) as server:
        query = {"limit": str(LIST_MAX)}
        while True:
            page = server.get(f"/v1/call-backs/{named}", DrawnPage, query)
            for one in page.incidents:
                click.echo(_printable(_line(one)))
            total = Agreement(
                **{name: getattr(total, name) + getattr(page.agreement, name) for name in total.__struct_fields__}
            )
            if page.next is None:
                break
            query["after"] = page.next
    click.echo(
        f"{total.drawn} drawn, {total.called} called, {total.reached} reached, {total.agreeing} say what was recorded"
    )


@command.command("cancellations")
@click.option("--scope", help="Only of incidents in this scope, as in area:birmingham.")
@why_option
@folder_option
def cancellations(scope: str | None, why: str, folder: Path) -> None:
    """Tell what is wrong with crimes that were cancelled, in the incidents that you may see."""
    recorded = cancelled = sound = 0
    with open_remote(folder, why) as server:
        query = {"limit": str(LIST_MAX)} | ({} if scope is None else {"scope": scope})
        while True:
            page = server.get("/v1/cancelled-crimes", AccuracyPage, query)
            for one in page.findings:
                click.echo(_printable(f"{one.incident}  {one.crime}  by {one.author}: {one.why}"))
            recorded, cancelled, sound = recorded + page.recorded, cancelled + page.cancelled, sound + page.sound
            if page.next is None:
                break
            query["after"] = page.next
    click.echo(f"{recorded} crimes recorded, {cancelled} cancellations, {sound} of them with nothing wrong")


def _line(one: Drawn) -> str:
    day = datetime.fromtimestamp(one.opened_at // 1_000, UTC)
    people = "; ".join(map(_person, one.people)) or "nobody to call is recorded"
    return f"{one.called}  {one.incident}  {day:%Y-%m-%d}  {one.area}  {people}  ({one.calls} calls)"


def _person(one: Involved) -> str:
    return f"{one.part.value} {one.name}" + (f", {one.telephone}" if one.telephone else "")


def _printable(text: str) -> str:
    """Without what a terminal would obey: names and summaries are as somebody wrote them."""
    return "".join(one if one.isprintable() else " " for one in text)
