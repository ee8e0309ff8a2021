"""A device with clocks that a test turns, and an ear that notes what it was told."""

from dataclasses import dataclass, field

from loadtest.locust.chain import Key
from loadtest.locust.outbox import Own
from loadtest.locust.session import Device
from loadtest.locust.wire import Message, packed

SEED = bytes(range(32))
EPOCH = "00c0ffee00c0ffee"
NOW = 1_767_268_800_000


@dataclass
class Ear:
    """Notes everything."""

    results: list[Own] = field(default_factory=list)
    rows: list[Message] = field(default_factory=list)
    times_current: int = 0
    differing: list[str] = field(default_factory=list)

    def answered(self, own: Own) -> None:
        """Note it."""
        self.results.append(own)

    def heard(self, row: Message) -> None:
        """Note it."""
        self.rows.append(row)

    def current(self) -> None:
        """Note it."""
        self.times_current += 1

    def differed(self, scope: str) -> None:
        """Note it."""
        self.differing.append(scope)


@dataclass
class Clock:
    """Both clocks of a device; they stand until a test moves them."""

    wall: int = NOW + 40
    mono: float = 5.0


def device(clock: Clock | None = None, ear: Ear | None = None) -> tuple[Device, Ear, Clock]:
    """A device `hh-0042` of officer WM20417 that holds nothing."""
    clock, ear = clock or Clock(), ear or Ear()
    made = Device("hh-0042", "WM20417", Key(SEED), ear, wall=lambda: clock.wall, mono=lambda: clock.mono)
    return made, ear, clock


def challenge() -> bytes:
    """The server's first message."""
    return packed({"t": "challenge", "nonce": bytes(32), "server_time": NOW, "proto_min": 1, "proto_max": 1})


def welcome(scopes: list[Message] | None = None, **more: object) -> bytes:
    """A WELCOME with these plans."""
    told: Message = {"t": "welcome", "proto": 1, "schema_min": 1, "schema_max": 5, "epoch": EPOCH, "server_time": NOW}
    return packed({**told, "last_op": 0, "credit": 1_048_576, "scopes": scopes or [], **more})


def live(made: Device, scopes: list[Message] | None = None, **more: object) -> None:
    """Bring a device through the handshake."""
    made.opened()
    made.receive(challenge())
    made.outgoing()
    made.receive(welcome(scopes, **more))


def row(record: str, version: int, **cells: list[object]) -> Message:
    """A row whose cells all bear the stamp of op `desk-1/VERSION`."""
    stamp = ["desk-1", version, NOW, 0, "WM30008", NOW, NOW, version, 0]
    return {
        "id": record,
        "kind": "incident",
        "v": version,
        "stamps": [stamp],
        "cells": cells,
        "upto": {"desk-1": version},
    }
