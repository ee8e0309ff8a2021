"""The merge rules and the digest, written from docs/protocol.md alone (see plain_client.py)."""

import hashlib
from collections.abc import Iterable
from typing import Any

GROW = frozenset({"log", "checks", "property_items", "receipts"})
ONCE = frozenset({
    "opened_at", "source", "issued_at", "arrested_at", "arrived_at", "relevant_time", "detention_authorised_at",
    "arresting_officer",
})  # fmt: skip

Value = Any
Stamp = list[Any]
Cell = list[Any]
"""Like a row's cell, with the stamp itself in place of its index."""


def digest(pairs: Iterable[tuple[str, int]]) -> bytes:
    """A scope's digest over (record, version)."""
    total = sum(int.from_bytes(hashlib.sha256(f"{record} {v}".encode()).digest(), "big") for record, v in pairs)
    return (total % 2**256).to_bytes(32, "big")


def in_place(name: str, cell: Cell, stamps: list[Stamp]) -> Cell:
    """A cell with the stamps themselves instead of their indexes."""
    if name in GROW:
        return [[value, stamps[at], k] for value, at, k in cell]
    others = [[value, stamps[at]] for value, at in (cell[2] if len(cell) > 2 else [])]
    return [cell[0], stamps[cell[1]], others]


def stamps_of(name: str, cell: Cell) -> list[Stamp]:
    """Every stamp in a cell that `in_place` or `merged` made."""
    return [entry[1] for entry in cell] if name in GROW else [cell[1], *(other[1] for other in cell[2])]


def order(stamp: Stamp) -> tuple[Any, ...]:
    """Sorts stamps by corrected time, ties by op."""
    device, n, ms, tick = stamp[:4]
    return (ms, tick, device, n)


def merged(name: str, cell: Cell | None, value: Value, stamp: Stamp) -> Cell:
    """The cell after a change."""
    if name in GROW:
        known = {(entry[1][0], entry[1][1], entry[2]) for entry in cell or []}
        fresh = [[each, stamp, k] for k, each in enumerate(value) if (stamp[0], stamp[1], k) not in known]
        return sorted([*(cell or []), *fresh], key=lambda entry: (entry[1][5], *order(entry[1]), entry[2]))
    if cell is None:
        return [value, stamp, []]
    if name not in ONCE:
        return cell if order(cell[1]) >= order(stamp) else [value, stamp, []]
    if cell[0] is None and value is not None:
        return [value, stamp, cell[2]]
    if value is None or value == cell[0] or any(other[1][:2] == stamp[:2] for other in cell[2]):
        return cell
    return [cell[0], cell[1], sorted([*cell[2], [value, stamp]], key=lambda other: order(other[1]))]
