"""Routes: how somebody comes to have a token: setting up, enrolling, signing in and out; and their own passphrase."""

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas.errors import UsageError
from schemas.wire import Lease
from server.authority import Enrolled, SignedInSeat
from server.edge.refusals import DATA_POLICY
from server.http.callers import address_of, caller_of, callers_of
from server.http.identities import (
    Change,
    Done,
    EnrolledBody,
    Enrolment,
    LeaseBody,
    Me,
    Renewal,
    RenewedBody,
    Setup,
    SignedInBody,
    SignInBody,
    SignOut,
)
from server.http.operations import ANYBODY, KEY_HOLDER, SIGNED_IN, Operation, read_body
from server.http.problems import beatbook_of, reply

_SETUP: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Beatbook</title></head>
<body><h1>This link is for a command</h1>
<p>Use it on the machine from which you will administer, with the whole link in quotes:</p>
<pre>beatbook setup 'LINK' --server ADDRESS --officer COLLAR --name NAME --device ID</pre>
<p>It is good once. Show it to nobody, and close this page: it stands in the browser's history.</p>
</body></html>
"""


async def show_setup(_request: Request) -> Response:
    """What to do with the link of a start, for whoever opens it in a browser; the link's secret is not sent along."""
    return HTMLResponse(_SETUP, headers={"Content-Security-Policy": DATA_POLICY.decode()})


async def set_up(request: Request) -> Response:
    """Use the one-time link of the first start: make the first administrator and enrol the device they call from."""
    body = await read_body(request, Setup)
    key = callers_of(request).new_key(request)
    enrolled = await beatbook_of(request).authority.enrolling.set_up(
        body.code,
        officer=body.officer,
        name=body.name,
        passphrase=body.passphrase,
        device=body.device,
        public_key=key,
    )
    return reply(_enrolled(enrolled), 201)


async def enrol(request: Request) -> Response:
    """Enrol the device that a one-time code was given out for, under the key that proves this call."""
    body = await read_body(request, Enrolment)
    key = callers_of(request).new_key(request)
    enrolled = await beatbook_of(request).authority.enrolling.enrol(body.code, key, address_of(request))
    return reply(_enrolled(enrolled), 201)


async def sign_in(request: Request) -> Response:
    """Sign an officer in with collar number and passphrase or PIN, on a device that proves its key."""
    body = await read_body(request, SignInBody)
    authority = beatbook_of(request).authority
    callers_of(request).prove_key(request, body.device)
    if authority.signing.hands_over(body.device, body.officer):
        handing = await authority.signing.hand_over(body.device, body.officer, body.passphrase, address_of(request))
        return reply(signed_in_body(handing, hand_over=True))
    authority.admission.require_trusted(body.device)
    signed_in = await authority.signing.sign_in(
        body.device, body.officer, body.passphrase, address_of(request), body.new_passphrase
    )
    return reply(signed_in_body(signed_in))


async def renew(request: Request) -> Response:
    """Another token while the sign-in lives, for the device's key alone; for a program at its own seat, any time."""
    body = await read_body(request, Renewal)
    beatbook = beatbook_of(request)
    admission = beatbook.authority.admission
    callers_of(request).prove_seat(request, body.seat)
    renewed = admission.renew(body.seat)
    return reply(
        RenewedBody(token=renewed.token, lasts_ms=renewed.lasts_ms, until=renewed.until, server_time=beatbook.now())
    )


async def tell_me(request: Request) -> Response:
    """Who the caller is to this server, and what they may see."""
    caller = caller_of(request)
    return reply(
        Me(
            officer=caller.officer,
            seat=caller.seat,
            device=caller.device,
            roles=sorted(role.value for role in caller.roles),
            scopes=sorted(caller.scopes),
        )
    )


async def sign_out(request: Request) -> Response:
    """End one's own sign-in, here and on the sync socket."""
    await read_body(request, SignOut)
    caller = caller_of(request)
    if caller.sign_in is None:
        raise UsageError(f"nobody is signed in at seat {caller.seat!r}: it is a program's")
    await beatbook_of(request).authority.signing.sign_out(caller.sign_in, caller.officer, "signed out")
    return reply(Done())


async def change_passphrase(request: Request) -> Response:
    """Change one's own passphrase; wrong tries count as those of signing in do."""
    body = await read_body(request, Change)
    caller = caller_of(request)
    await beatbook_of(request).authority.signing.change_passphrase(
        caller.device, caller.officer, body.old, body.new, address_of(request)
    )
    return reply(Done())


def _enrolled(enrolled: Enrolled) -> EnrolledBody:
    return EnrolledBody(
        device=enrolled.device,
        certificate=enrolled.certificate,
        log_key=enrolled.log_key,
        seal_to=enrolled.seal_to,
    )


def signed_in_body(signed_in: SignedInSeat, *, hand_over: bool = False) -> SignedInBody:
    """What whoever has signed in is told, whichever way they did; or was let in to hand over, and for nothing else."""
    lease = signed_in.lease
    return SignedInBody(
        seat=signed_in.seat,
        officer=signed_in.officer,
        until=signed_in.until,
        token=lease.token,
        lasts_ms=lease.token_lasts_ms,
        lease=_lease(lease),
        server_time=signed_in.server_time,
        hand_over=hand_over,
    )


def _lease(lease: Lease) -> LeaseBody:
    return LeaseBody(
        until=lease.until,
        lasts_ms=lease.lasts_ms,
        share=lease.share,
        share_no=lease.share_no,
        share_before=lease.share_before,
        roles=list(lease.roles),
        seal_to=lease.seal_to,
    )


OPERATIONS: Final = (
    Operation(method="GET", path="/setup", handler=show_setup, who=ANYBODY),
    Operation(
        method="POST", path="/v1/setup", handler=set_up, who=KEY_HOLDER, takes=Setup, gives=EnrolledBody, status=201
    ),
    Operation(
        method="POST", path="/v1/enrol", handler=enrol, who=KEY_HOLDER, takes=Enrolment, gives=EnrolledBody, status=201
    ),
    Operation(method="POST", path="/v1/sign-in", handler=sign_in, who=KEY_HOLDER, takes=SignInBody, gives=SignedInBody),
    Operation(method="POST", path="/v1/token", handler=renew, who=KEY_HOLDER, takes=Renewal, gives=RenewedBody),
    Operation(method="GET", path="/v1/me", handler=tell_me, who=SIGNED_IN, gives=Me),
    Operation(method="POST", path="/v1/sign-out", handler=sign_out, who=SIGNED_IN, takes=SignOut, gives=Done),
    Operation(method="POST", path="/v1/passphrase", handler=change_passphrase, who=SIGNED_IN, takes=Change, gives=Done),
)
