"""Rows that came as differences, made whole again from those that the replica holds.

A live batch may tell of a row only what changed in it. Whoever stands right before the batch holds the row that it
starts from, or one that another scope brought and that is as new as what the batch leads to. Anything else is a defect
somewhere, and is never built upon: the batch is not applied, the device comes back, and the log brings the row whole.
"""

from collections.abc import Mapping
from typing import Final

from schemas.codec import decode_rows, row_head
from schemas.differences import check, rebuilt
from schemas.errors import FrameError, PeerError
from schemas.ids import RecordId, Seq, record_id
from schemas.limits import RECORD_BYTES_MAX
from schemas.wire import Batch, Difference
from sync.replica.tables import PlacedRow, Tables

_ARRAY_OF_ONE: Final = b"\x91"
"""Before a row: an array of it (MessagePack), as pages have rows, so that the same bounds hold for it."""


def by_record(batch: Batch) -> dict[RecordId, Difference]:
    """The differences of a batch, each under its record."""
    return {record_id(one.record): one for one in batch.changed}


def newer_rows(
    batch: Batch, changed: Mapping[RecordId, Difference], kept: Mapping[RecordId, Seq], tables: Tables
) -> dict[RecordId, PlacedRow]:
    """Of the rows that a batch tells as differences those that replace what is kept.

    Args:
        batch: where they came.
        changed: its differences (`by_record`).
        kept: record -> version of the row that is kept.
        tables: what keeps them.

    Raises:
        PeerError: `base_differs` when one of them does not lead to a row from what is kept.
    """
    found = {}
    for record, one in changed.items():
        version = kept.get(record)
        if version is not None and version >= batch.to:
            # Another scope was faster.
            continue
        base = None if version != one.base else tables.row(record)
        if base is None:
            raise PeerError("base_differs", f"{batch.scope}: {record} is told from {one.base}, and held in {version}")
        found[record] = _rebuilt(record, batch.to, base, one)
    return found


def _rebuilt(record: RecordId, version: Seq, base: bytes, one: Difference) -> PlacedRow:
    wrong = PeerError("base_differs", f"{record}: what is held in {one.base} does not lead to {version}")
    try:
        body = rebuilt(base, one.edits, RECORD_BYTES_MAX)
        if check(body) != one.check:
            raise wrong
        (whole,) = decode_rows(_ARRAY_OF_ONE + body)
    except FrameError:
        raise wrong from None
    row = row_head(whole)
    if (row.id, row.v) != (record, version):
        raise wrong
    return PlacedRow(record, row.kind, version, body)
