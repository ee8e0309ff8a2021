"""Routes: the enrolled devices and what they may see."""

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.ids import DeviceId, ScopeName, Seq
from server.http import bodies
from server.http.operations import Operation, read_body
from server.http.problems import beatbook_of, reply
from server.identity import Enrolment


async def list_devices(request: Request) -> Response:
    """Every enrolled device, and which are connected."""
    beatbook = beatbook_of(request)
    connected = beatbook.hub.connected()
    return reply(bodies.DeviceList(devices=[_device(enrolment, connected) for enrolment in beatbook.directory.all()]))


async def set_grants(request: Request) -> Response:
    """Change what a device may see; a connected one adds and removes at once."""
    wanted = await read_body(request, bodies.Audiences)
    beatbook = beatbook_of(request)
    device = DeviceId(request.path_params["device"])
    if beatbook.directory.find(device) is None:
        raise HTTPException(404, f"no device {device!r} is enrolled")
    enrolment = beatbook.directory.regrant(device, wanted.scopes)
    beatbook.hub.regrant(device, enrolment.generations())
    return reply(_device(enrolment, beatbook.hub.connected()))


def _device(enrolment: Enrolment, connected: Mapping[DeviceId, Mapping[ScopeName, Seq]]) -> bodies.DeviceBody:
    return bodies.DeviceBody(
        device=enrolment.device,
        officer=enrolment.officer,
        scopes=dict(enrolment.generations()),
        connected=enrolment.device in connected,
        acked=dict(connected.get(enrolment.device, {})),
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/devices",
        handler=list_devices,
        gives=bodies.DeviceList,
    ),
    Operation(
        method="PUT",
        path="/v1/devices/{device}/grants",
        handler=set_grants,
        takes=bodies.Audiences,
        gives=bodies.DeviceBody,
    ),
)
