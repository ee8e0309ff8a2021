"""Let the cast of a load test in: `python -m loadtest.locust.enrolling --server http://127.0.0.1:8700 --devices 250`.

All of it over HTTP, as docs/howto/identity.md has it: the first administrator from the one-time link that the server
printed, units, officers with role and posting, a one-time code and a key pair for each device, and a first sign-in with
a passphrase (Argon2id on the server). What is there already is left as it is, so the command may be repeated, and made
larger.
"""

import os
import re
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import click

from loadtest.locust.calls import Caller, CallError
from loadtest.locust.cast import Cast, CastError, Seat
from loadtest.locust.chain import Key
from loadtest.locust.rates import AREAS, CONTROL, CUSTODY, OFFICER, SORTS, SUITES, shares

LINK_VARIABLE: Final = "BEATBOOK_SETUP_LINK"
AUDIT_CONTROL: Final = "audit-control"
AUDIT_CUSTODY: Final = "audit-custody"
_ROLES: Final = {
    **{sort.name: sort.role for sort in SORTS},
    AUDIT_CONTROL: CONTROL.role,
    AUDIT_CUSTODY: CUSTODY.role,
}
_AT_ONCE: Final = 8
_BATCH: Final = 100
_LINK: Final = re.compile(r"#([\w-]+)")


def enrol(cast: Cast, wanted: dict[str, int]) -> int:
    """Let in whoever is missing; the cast grows by those.

    Args:
        cast: with its administrator, who has signed in once.
        wanted: sort -> how many there shall be.

    Returns:
        How many were let in.

    Raises:
        CallError: the server refused something.
    """
    administrator = signed_in(cast, cast.administrator)
    _organise(administrator)
    missing = list(_missing(cast, {**wanted, AUDIT_CONTROL: 1, AUDIT_CUSTODY: 1}))
    for start in range(0, len(missing), _BATCH):
        _take_in(administrator, missing[start : start + _BATCH])
    passes = [
        (
            administrator.call("POST", f"/v1/officers/{seat.officer}/passphrase", {})["passphrase"],
            administrator.call("POST", "/v1/devices/codes", {"device": seat.device})["code"],
        )
        for seat in missing
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        cast.seats += pool.map(lambda each: _come_in(cast, *each), zip(missing, passes, strict=True))
    administrator.close()
    return len(missing)


def begin(server: str, code: str, ca_file: str = "") -> Cast:
    """Make the first administrator with the secret of the one-time link.

    Raises:
        CallError: the server refused it.
    """
    key = Key.drawn()
    seat = Seat("administrator", f"lt-admin-{_word()}", f"LTA{_word()}".upper(), key.text(), secrets.token_urlsafe(18))
    body = {"code": code, "officer": seat.officer, "name": "Load Administrator", "passphrase": seat.passphrase}
    caller = Caller(server, key, ca_file)
    caller.call("POST", "/v1/setup", {**body, "device": seat.device})
    caller.close()
    return Cast(server.rstrip("/"), seat, ca_file=ca_file)


def signed_in(cast: Cast, seat: Seat, source: str = "") -> Caller:
    """Sign the officer of a seat in, from that address of this machine.

    Raises:
        CallError: the server refused it.
    """
    caller = Caller(cast.server, seat.signer(), cast.ca_file, source)
    body = {"device": seat.device, "officer": seat.officer, "passphrase": seat.passphrase}
    told = caller.call("POST", "/v1/sign-in", body)
    seat.seat, caller.token = told["seat"], told["token"]
    return caller


def _organise(administrator: Caller) -> None:
    there = {unit["unit"] for unit in administrator.call("GET", "/v1/organisation")["units"]}
    units = [(f"area-{area}", area, f"area:{area}") for area in AREAS]
    units += [(f"suite-{suite}", suite, f"suite:{suite}") for suite in SUITES]
    acts = [
        {"t": "unit-added", "unit": unit, "title": title.replace("-", " ").title(), "places": [place]}
        for unit, title, place in units
        if unit not in there
    ]
    if acts:
        administrator.call("POST", "/v1/organisation", {"acts": acts})


def _missing(cast: Cast, wanted: dict[str, int]) -> Iterator[Seat]:
    for sort, count in wanted.items():
        places = {OFFICER.name: AREAS, CUSTODY.name: SUITES}.get(sort, ("",))
        for number in range(len(cast.of(sort)), count):
            word = _word()
            place = places[number % len(places)]
            yield Seat(
                sort,
                f"lt-{sort}-{word}",
                f"LT{word}".upper(),
                Key.drawn().text(),
                secrets.token_urlsafe(18),
                place=place,
            )


def _word() -> str:
    """What tells this device from those of other casts on the server."""
    return secrets.token_hex(5)


def _take_in(administrator: Caller, seats: list[Seat]) -> None:
    officers = [{"t": "officer-added", "officer": seat.officer, "name": f"Load {seat.officer}"} for seat in seats]
    administrator.call("POST", "/v1/officers", {"acts": officers})
    grants: list[dict[str, Any]] = []
    for seat in seats:
        grants.append({"t": "role-given", "officer": seat.officer, "role": _ROLES[seat.sort]})
        grants += [{"t": "posted", "officer": seat.officer, "unit": unit} for unit in _units(seat)]
    administrator.call("POST", "/v1/grants", {"acts": grants})


def _units(seat: Seat) -> list[str]:
    if seat.sort == AUDIT_CUSTODY:
        return [f"suite-{suite}" for suite in SUITES]
    family = {OFFICER.name: "area", CUSTODY.name: "suite"}.get(seat.sort)
    return [] if family is None else [f"{family}-{seat.place}"]


def _come_in(cast: Cast, seat: Seat, passes: tuple[str, str]) -> Seat:
    """On the device: use the code, sign in with the passphrase for once, choose another."""
    once, code = passes
    caller = Caller(cast.server, seat.signer(), cast.ca_file)
    caller.call("POST", "/v1/enrol", {"code": code})
    body = {"device": seat.device, "officer": seat.officer, "passphrase": once, "new_passphrase": seat.passphrase}
    seat.seat = caller.call("POST", "/v1/sign-in", body)["seat"]
    caller.close()
    return seat


def code_of(link: str) -> str:
    """The secret of a one-time link, or of text that holds one.

    Raises:
        CastError: there is none.
    """
    found = _LINK.search(link)
    if found is None:
        raise CastError("no one-time link: it ends in # and a secret, as the server printed it at its first start")
    return found.group(1)


def _known(path: Path, server: str, ca_file: str) -> Cast:
    cast = Cast.read(path)
    cast.server, cast.ca_file = server.rstrip("/") or cast.server, ca_file or cast.ca_file
    return cast


def _new(path: Path, server: str, ca_file: str, link_file: Path | None) -> Cast:
    link = link_file.read_text(encoding="utf-8") if link_file else os.environ.get(LINK_VARIABLE, "")
    if not server:
        raise CastError(f"{path} is not there yet: --server says where to enrol, and the one-time link who may")
    cast = begin(server, code_of(link), ca_file)
    cast.write(path)
    return cast


@click.command()
@click.option(
    "--cast", "path", type=click.Path(path_type=Path), default=Path("build/load/cast.json"), show_default=True
)
@click.option("--server", default="", help="Address of the HTTP side; the cast's own when absent.")
@click.option("--ca-file", default="", help="PEM file of the authority that vouches for the server.")
@click.option("--link-file", type=click.Path(path_type=Path), help=f"Holds the one-time link; else {LINK_VARIABLE}.")
@click.option("--devices", default=25, show_default=True, help="How many, shared out by rates.")
def main(path: Path, server: str, ca_file: str, link_file: Path | None, devices: int) -> None:
    """Let the cast of a load test in."""
    try:
        cast = _known(path, server, ca_file) if path.exists() else _new(path, server, ca_file, link_file)
        count = enrol(cast, shares(devices))
    except (CastError, CallError, OSError, ValueError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    cast.write(path)
    click.echo(f"{count} let in, {len(cast.seats)} in all: {path}")


if __name__ == "__main__":
    main()
