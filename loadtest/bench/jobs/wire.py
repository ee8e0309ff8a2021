"""`wire`: how many bytes an edit costs on the wire, up to the server and down to another device, beside a JSON patch.

A desk changes one field of an incident; another device of the area is told, and the desk itself. Counted are the bytes
of WebSocket frames out of and into both, everything in them: op, chain head and signature, result, batch, and what says
that it was taken: each of the two says so after every edit, as devices do whose edits are further apart than the moment
for which they gather what they say. Both keep each row as it stands, make new ones of the differences that come, and
hold them against what they were told to expect: nothing is counted that could not be used. No text is said twice, and
the patch's is as long; a text is told by what changed in it as well, here the number of calls.

The other side of the comparison says the same with RFC 6902: up goes the patch, with the ids, times, base, link and
salt of the op and one signature for a push; back comes number, state and commit; down goes the patch with the record's
id, version, author and time; each as JSON text, binary as base64, in frames of the same protocol, with as many
acknowledgements.

Singly each edit is a push of its own; together `burst` edits of as many incidents are one.
"""

import base64
import os
from collections.abc import Sequence
from typing import Final

import msgspec

from loadtest.bench.contact import SALT_BYTES, wall_clock
from loadtest.bench.force import Said, gathered, kept
from loadtest.bench.light import Arrivals, Light
from loadtest.bench.outcome import Outcome, outcome
from loadtest.bench.wire import frame_bytes
from schemas import wire
from schemas.codec import decode_row
from schemas.differences import check, rebuilt
from schemas.ids import RecordId, record_id
from schemas.limits import LINK_BYTES, RECORD_BYTES_MAX
from sync.device.keys import DeviceIdentity
from sync.session.device import DownEvent

WORDS: Final = {
    "up_bytes": "bytes up for an edit, singly",
    "answer_bytes": "bytes back to the desk, singly",
    "down_bytes": "bytes to and from the other device, singly",
    "edit_bytes": "bytes of an edit, all of it, singly",
    "burst_up_bytes": "bytes up for an edit, together",
    "burst_answer_bytes": "bytes back to the desk, together",
    "burst_down_bytes": "bytes to and from the other device, together",
    "burst_edit_bytes": "bytes of an edit, all of it, together",
    "json_bytes": "the same as a JSON patch, singly",
    "burst_json_bytes": "the same as a JSON patch, together",
    "of_json_patch": "bytes of an edit / JSON patch, singly",
    "burst_of_json_patch": "bytes of an edit / JSON patch, together",
}
_AREA: Final = "everybody"
_SIGNATURE_BYTES: Final = 64
_EDITS_BEFORE: Final = 1_000
"""The number in the first text; that of the patch has as many digits."""
_SUMMARY: Final = "Glass breaking, {n} calls so far"


class Keeping(Light):
    """A device that keeps each row, and rebuilds those that come as differences, as a replica does.

    Attributes:
        rebuilt: how many rows came so.
    """

    def __init__(self, identity: DeviceIdentity, officer: str, area: str) -> None:
        """Begin with nothing."""
        super().__init__(identity, officer, area)
        self.rebuilt = 0
        self._rows: dict[RecordId, bytes] = {}

    def heard(self, event: DownEvent, frame: bytes) -> None:
        """Take rows in, whole or not.

        Raises:
            ValueError: a difference did not lead to what it was to lead to.
        """
        if isinstance(event, wire.Batch | wire.Snapshot):
            self._rows.update((decode_row(raw).id, bytes(raw)) for raw in event.rows)
        for one in event.changed if isinstance(event, wire.Batch) else ():
            record = record_id(one.record)
            row = rebuilt(self._rows[record], one.edits, RECORD_BYTES_MAX)
            if check(row) != one.check or decode_row(row).id != record:
                raise ValueError(f"{self.name}: a difference of {record} led to another row")
            self._rows[record] = row
            self.rebuilt += 1
        super().heard(event, frame)


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        edits: single edits in a round, and edits that are made together.
        rounds: how many are measured.
    """

    edits: int = 50
    rounds: int = 3


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    async with gathered() as force:
        desk, other = await force.enrol(Keeping, "WM00001", [_AREA, _AREA])
        await force.connect([desk, other])
        rounds = []
        async with kept([desk, other]):
            await desk.report(size.edits)
            for n in range(size.rounds):
                first = _EDITS_BEFORE + n * (size.edits + 1)
                singly = [await _edit(desk, other, desk.records[i : i + 1], first + i) for i in range(size.edits)]
                together = await _edit(desk, other, desk.records[: size.edits], first + size.edits)
                figures = _figures([sum(each) / size.edits for each in zip(*singly, strict=True)], "")
                figures |= _figures([each / size.edits for each in together], "burst_")
                figures["json_bytes"] = as_json_patch(desk.name, desk.officer, desk.records[:1])
                figures["burst_json_bytes"] = as_json_patch(desk.name, desk.officer, desk.records[: size.edits])
                rounds.append(figures)
                said(f"round {n + 1}: {figures['edit_bytes']:.0f} bytes, as a JSON patch {figures['json_bytes']:.0f}")
        return outcome(
            "wire",
            size,
            force.machine,
            rounds,
            floors={},
            ratios={
                "of_json_patch": ("edit_bytes", "json_bytes"),
                "burst_of_json_patch": ("burst_edit_bytes", "burst_json_bytes"),
            },
        )


async def _edit(desk: Light, other: Light, records: Sequence[RecordId], n: int) -> tuple[float, float, float]:
    """Change these at once; bytes (out of the desk, into the desk, out of and into the other device)."""
    up, answer, down = desk.wire.bytes_out, desk.wire.bytes_in, other.wire.bytes_in + other.wire.bytes_out
    _, seq = await desk.change(records, _SUMMARY.format(n=n))
    for device in (other, desk):
        arrivals = Arrivals(1)
        device.expect(seq, arrivals)
        await arrivals.all_there.wait()
    told = other.wire.bytes_in + other.wire.bytes_out - down
    return desk.wire.bytes_out - up, desk.wire.bytes_in - answer, told


def _figures(bytes_each: Sequence[float], prefix: str) -> dict[str, float]:
    up, answer, down = bytes_each
    return {
        f"{prefix}up_bytes": up,
        f"{prefix}answer_bytes": answer,
        f"{prefix}down_bytes": down,
        f"{prefix}edit_bytes": up + answer + down,
    }


def as_json_patch(device: str, author: str, records: Sequence[RecordId]) -> float:
    """Bytes for each of these edits, made at once, when RFC 6902 says them: all frames that `_edit` counts."""
    value = _SUMMARY.format(n=_EDITS_BEFORE)
    now, text = wall_clock(), {"op": "replace", "path": "/summary", "value": value}
    ops = [
        {
            "device": device,
            "n": n,
            "record": record,
            "kind": "incident",
            "author": author,
            "hlc": [now, n],
            "occurred_at": now,
            "wall": now,
            "base": n,
            "link": _text(LINK_BYTES),
            "salt": _text(SALT_BYTES),
            "patch": [text],
        }
        for n, record in enumerate(records, 1_000)
    ]
    place = {"scope": f"area:{_AREA}", "gen": 1}
    rows = [
        {"record": op["record"], "kind": "incident", "version": op["n"], "author": author, "at": now, "patch": [text]}
        for op in ops
    ]
    push = {"t": "push", "ops": ops, "head": _text(_SIGNATURE_BYTES)}
    results = {"t": "results", "results": [{"n": op["n"], "status": "durable", "seq": op["n"]} for op in ops]}
    batch = {
        "t": "batch", **place, "from": 999, "to": 1_000, "patches": rows, "digest": _text(LINK_BYTES), "count": 1_000
    }  # fmt: skip
    ack = {"t": "ack", "scopes": {place["scope"]: 1_000}, "credit": 1_000}
    up: list[object] = [push, ack, ack]
    down: list[object] = [results, batch, batch]
    size = sum(frame_bytes(_size(each), masked=True) for each in up)
    size += sum(frame_bytes(_size(each), masked=False) for each in down)
    return size / len(records)


def _text(size: int) -> str:
    """Random bytes, as JSON can say them."""
    return base64.b64encode(os.urandom(size)).decode()


def _size(message: object) -> int:
    return len(msgspec.json.encode(message))
