"""What the tests of hostile input share."""

import pytest

from schemas import wire
from schemas.codec import encode
from schemas.errors import ERRORS
from schemas.ids import DeviceId, FieldName, OfficerId, OpNumber, RecordId
from schemas.ops import Op
from tests.server.rawsocket import RawSocket
from tests.server.running import NOW

PIECES = pytest.mark.parametrize("piece", [None, 1], ids=["whole", "bytewise"])
GOOD_PING = encode(wire.Ping(id=1))


async def refused(raw: RawSocket, code: str) -> wire.Error:
    """Read to the end of a socket, which must be an ERROR with this code and the registry's close code."""
    error, close = await raw.ending()
    raw.close()
    assert error is not None
    assert (error.code, close) == (code, ERRORS[code].close)
    assert error.recovery == ERRORS[code].recovery.value
    return error


def op_of(device: str, n: int, note: str = "Two youths, one bicycle.") -> Op:
    """A sound op."""
    changes = {"opened_at": NOW, "area": "birmingham", "category": "crime", "summary": note}
    return Op(
        device=DeviceId(device),
        n=OpNumber(n),
        record=RecordId("01890000-0000-7000-8000-000000000001"),
        kind="incident",
        author=OfficerId("WM1234"),
        create=True,
        hlc=(NOW, 0),
        occurred_at=NOW,
        wall=NOW,
        changes={FieldName(name): value for name, value in changes.items()},
    )
