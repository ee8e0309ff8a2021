"""`beatbook code`, `revoke`, `wipe`, `device`, `officer` and `grant`: what an administrator does, over HTTP."""

import datetime as dt
from pathlib import Path
from typing import Any, Final

import click

from schemas.errors import UsageError
from schemas.roles import Role
from server.cli.forms import device_form, officer_form
from server.cli.remote import folder_option, open_remote
from server.http.administration import ActsDone, OfficerList, ResetDone
from server.http.devices import CodeBody, DeviceBody, DeviceList, Revoked
from server.http.identities import Done
from sync.explain.values import moment

ROLES: Final = tuple(role.value for role in Role)
FIELDS: Final = ("role", "unit", "shift", "scope", "mission", "compartment")
"""The options of `grant`, of which one says what is given."""


@click.command("code")
@click.argument("device", callback=device_form)
@click.option("--officer", callback=officer_form, help="For whom it is; left out for a handheld that is shared.")
@folder_option
def code(device: str, officer: str | None, folder: Path) -> None:
    """Give out a one-time code with which DEVICE is enrolled, on the device, by `beatbook enrol`."""
    with open_remote(folder) as remote:
        told = remote.post("/v1/devices/codes", {"device": device, "officer": officer}, CodeBody)
    click.echo(told.code)
    click.echo(f"It enrols {told.device} once, until {moment(told.expires_at)}", err=True)


@click.command("revoke")
@click.argument("device", required=False, callback=device_form)
@click.option("--officer", callback=officer_form, help="All devices at which this officer has a seat, instead.")
@click.option("--why", required=True, help="What for; it stays in the log.")
@folder_option
def revoke(device: str | None, officer: str | None, why: str, folder: Path) -> None:
    """Trust DEVICE no more, at once; or every device of an officer."""
    if (device is None) == (officer is None):
        raise UsageError("say what is revoked: either DEVICE or --officer COLLAR")
    path = f"/v1/devices/{device}/revocation" if officer is None else f"/v1/officers/{officer}/revocation"
    with open_remote(folder) as remote:
        told = remote.post(path, {"why": why}, Revoked)
    click.echo(f"Revoked: {', '.join(told.devices) or 'nothing, all were revoked already'}")


@click.command("wipe")
@click.argument("device", callback=device_form)
@click.option("--seat", callback=device_form, help="Only this seat of it.")
@click.option("--why", required=True, help="What for; it stays in the log.")
@folder_option
def wipe(device: str, seat: str | None, why: str, folder: Path) -> None:
    """Have DEVICE destroy what it holds at its next contact; the server's share of its keys is destroyed now."""
    with open_remote(folder) as remote:
        remote.post(f"/v1/devices/{device}/wipe", {"why": why, "seat": seat}, DeviceBody)
    click.echo(f"{seat or device} opens for nobody from now on, and is wiped at its next contact")


@click.group("device")
def device() -> None:
    """The devices that were enrolled."""


@device.command("list")
@folder_option
def device_list(folder: Path) -> None:
    """List the devices, who sits at them, and how they stand."""
    with open_remote(folder) as remote:
        found = remote.get("/v1/devices", DeviceList).devices
    for one in found:
        state = "wiped" if one.wiped else "to be wiped" if one.wipe else "revoked" if one.revoked else "trusted"
        click.echo(f"{one.device}  {state}, enrolled {moment(one.enrolled_at)}")
        for seat in one.seats:
            until = seat.signed_in_until
            who = "a program" if seat.unattended else "nobody signed in" if until is None else f"until {moment(until)}"
            click.echo(f"    {seat.seat}: {seat.officer}, {who}{', connected' if seat.connected else ''}")


@device.command("hand-over")
@click.argument("name", metavar="DEVICE", callback=device_form)
@click.option("--seat", callback=device_form, help="Only from this seat of it.")
@click.option("--why", required=True, help="What for; it stays in the log.")
@folder_option
def hand_over(name: str, seat: str | None, why: str, folder: Path) -> None:
    """Let what rests unsent on DEVICE, which is revoked, be handed over at its officer's next sign-in."""
    with open_remote(folder) as remote:
        told = remote.post(f"/v1/devices/{name}/hand-over", {"why": why, "seat": seat}, DeviceBody)
    allowed = [f"{one.officer} at {one.seat}" for one in told.seats if one.hand_over == "allowed"]
    click.echo(f"Once each, and to hand over alone, may sign in on {name}: {', '.join(allowed)}")


@click.group("officer")
def officer() -> None:
    """The officers: take in, list, unlock, reset a passphrase, let go."""


@officer.command("add")
@click.argument("collar", callback=officer_form)
@click.option("--name", required=True, help="As colleagues read it.")
@click.option(
    "--role", "roles", multiple=True, type=click.Choice([role.value for role in Role]), help="Repeat for more."
)
@click.option("--unit", help="The unit to which they are posted.")
@folder_option
def officer_add(collar: str, name: str, roles: tuple[str, ...], unit: str | None, folder: Path) -> None:
    """Take COLLAR in, with roles and a posting, and print a passphrase for their first sign-in."""
    given: list[dict[str, Any]] = [{"t": "role-given", "officer": collar, "role": role} for role in roles]
    if unit is not None:
        given.append({"t": "posted", "officer": collar, "unit": unit})
    with open_remote(folder) as remote:
        remote.post("/v1/officers", {"acts": [{"t": "officer-added", "officer": collar, "name": name}]}, ActsDone)
        if given:
            remote.post("/v1/grants", {"acts": given}, ActsDone)
        _tell(remote.post(f"/v1/officers/{collar}/passphrase", {}, ResetDone))


@officer.command("list")
@folder_option
def officer_list(folder: Path) -> None:
    """List the officers with what they are now, and the names under which each grant can be ended."""
    with open_remote(folder) as remote:
        found = remote.get("/v1/officers", OfficerList).officers
    for one in found:
        locked = ", LOCKED" if one.locked else ""
        click.echo(f"{one.officer}  {one.name}: {', '.join(one.roles) or 'no role'}{locked}")
        for span in one.spans:
            what = ", ".join(f"{name} {value}" for name, value in span.what.items() if name not in {"by", "at"})
            until = "" if span.until is None else f" until {moment(span.until)}"
            click.echo(f"    {span.span}: {span.t} {what} from {moment(span.start)}{until}")


@officer.command("reset")
@click.argument("collar", callback=officer_form)
@folder_option
def officer_reset(collar: str, folder: Path) -> None:
    """Print a passphrase for one sign-in of COLLAR, at which they choose their own."""
    with open_remote(folder) as remote:
        _tell(remote.post(f"/v1/officers/{collar}/passphrase", {}, ResetDone))


@officer.command("unlock")
@click.argument("collar", callback=officer_form)
@click.option("--why", required=True, help="How it is known that the wrong tries were theirs.")
@folder_option
def officer_unlock(collar: str, why: str, folder: Path) -> None:
    """Let COLLAR try again to sign in."""
    with open_remote(folder) as remote:
        remote.post(f"/v1/officers/{collar}/unlock", {"why": why}, Done)
    click.echo(f"{collar} may try again")


@officer.command("end")
@click.argument("collar", callback=officer_form)
@click.option("--why", required=True, help="What for; it stays in the log.")
@folder_option
def officer_end(collar: str, why: str, folder: Path) -> None:
    """Let COLLAR go: nothing that entitled them counts from now on."""
    act = {"t": "officer-ended", "officer": collar, "why": why}
    with open_remote(folder) as remote:
        remote.post("/v1/officers", {"acts": [act]}, ActsDone)
    click.echo(f"{collar} has left")


def _tell(reset: ResetDone) -> None:
    click.echo(reset.passphrase)
    click.echo(f"It is good for one sign-in (`beatbook sign-in --choose`), until {moment(reset.until)}", err=True)


@click.group("unit")
def unit() -> None:
    """The units of the force."""


@unit.command("add")
@click.argument("name")
@click.option("--title", required=True, help="What people call it.")
@click.option("--place", "places", multiple=True, required=True, help="As in area:birmingham; repeat for more.")
@folder_option
def unit_add(name: str, title: str, places: tuple[str, ...], folder: Path) -> None:
    """Begin the unit NAME, which serves these places."""
    with open_remote(folder) as remote:
        remote.post(
            "/v1/organisation",
            {"acts": [{"t": "unit-added", "unit": name, "title": title, "places": places}]},
            ActsDone,
        )
    click.echo(f"The unit {name} serves {', '.join(places)}")


@unit.command("merge")
@click.argument("name")
@click.argument("into")
@folder_option
def unit_merge(name: str, into: str, folder: Path) -> None:
    """Let the unit NAME go up in INTO, records and people included, from now on."""
    with open_remote(folder) as remote:
        remote.post("/v1/organisation", {"acts": [{"t": "unit-merged", "unit": name, "into": into}]}, ActsDone)
    click.echo(f"The unit {name} is part of {into}")


@click.group("grant")
def grant() -> None:
    """What entitles somebody to see records: give it, and end it."""


@grant.command("give")
@click.argument("who")
@click.option("--role", type=click.Choice(ROLES), help="A role.")
@click.option("--unit", help="A posting to this unit; with --role, the unit that the role covers.")
@click.option("--shift", is_flag=True, help="A shift, where they are posted; needs --until.")
@click.option("--scope", help="The scope of work they are assigned to; of a program's seat, a scope it is granted.")
@click.option("--mission", help="Membership of a mission.")
@click.option("--compartment", help="Clearance for a compartment.")
@click.option("--until", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="When it ends, as in 2026-02-14T22:00:00Z.")
@click.option("--why", help="What for; asked of scopes and compartments.")
@click.option("--seat", is_flag=True, help="WHO is a program's seat, and not an officer.")
@folder_option
def grant_give(who: str, until: dt.datetime | None, why: str | None, seat: bool, folder: Path, **given: Any) -> None:  # noqa: ANN401  click's own
    """Give WHO, an officer or with --seat a program's seat, one thing that entitles them."""
    act = _grant(who, {name: value for name, value in given.items() if value}, why, seat=seat)
    if until is not None:
        act["until"] = int(until.timestamp() * 1_000)
    with open_remote(folder) as remote:
        (done,) = remote.post("/v1/grants", {"acts": [act]}, ActsDone).acts
    click.echo(f"{done.span}")
    click.echo(f"Given to {who}; `beatbook grant end` ends it by that name", err=True)


def _grant(who: str, given: dict[str, Any], why: str | None, *, seat: bool) -> dict[str, Any]:
    reason = {} if why is None else {"why": why}
    if seat:
        if given.keys() != {"scope"}:
            raise UsageError("a program's seat is granted scopes: give --scope alone")
        return {"t": "scope-granted", "seat": who, **given, **reason}
    to = {"officer": who}
    match sorted(given):
        case ["role"] | ["role", "unit"]:
            return {"t": "role-given", **to, **given}
        case ["unit"]:
            return {"t": "posted", **to, **given}
        case ["shift"]:
            return {"t": "shift-set", **to}
        case ["scope"]:
            return {"t": "assigned", **to, **given, **reason}
        case ["mission"]:
            return {"t": "mission-joined", **to, **given}
        case ["compartment"]:
            return {"t": "cleared", **to, **given, **reason}
        case _:
            raise UsageError(f"say one thing that is given: {', '.join('--' + name for name in FIELDS)}")


@grant.command("end")
@click.argument("span")
@click.option("--why", required=True, help="What for; it stays in the log.")
@folder_option
def grant_end(span: str, why: str, folder: Path) -> None:
    """End the grant, role, posting or membership of that name; devices remove what it gave within a second."""
    act = {"t": "span-ended", "span": span, "why": why}
    with open_remote(folder) as remote:
        remote.post("/v1/grants", {"acts": [act]}, ActsDone)
    click.echo(f"{span} has ended")
