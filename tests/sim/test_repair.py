"""A replica that is not what the server says it is: noticed by the digest, repaired by range, and counted."""

from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from schemas.ids import RecordId, Seq
from schemas.wire import Snapshot
from sync import digest
from sync.replica import Outcome
from tests.sim.device import SimDevice
from tests.sim.world import SCOPES, World

SUITE: Final = SCOPES[-1]
BOOKINGS: Final = 60
RANGE: Final = 16
"""Records in one range of a REPAIR of so few: see `Replica.repair_ranges`."""
LATEST: Final = 0
"""`World.edit` counts back from the latest record."""


class Tap:
    """Counts what goes over one device's link."""

    def __init__(self, world: World, who: int) -> None:
        """Listen at a device."""
        self.pages: list[Snapshot] = []
        replica = world.devices[who].replica
        take = replica.page

        def page(message: Snapshot) -> Outcome:
            self.pages += [message] if message.repair else []
            return take(message)

        replica.page = page  # type: ignore[method-assign]

    @property
    def rows(self) -> int:
        """Rows that came for a repair."""
        return sum(len(page.rows) for page in self.pages)


def spoil(device: SimDevice) -> None:
    """Make the position's digest that of the members as they are, as if nothing were wrong."""
    held = device.tables.position(SUITE)
    assert held is not None
    members = device.tables.members(SUITE, "", "")
    device.tables.put_position(SUITE, msgspec.structs.replace(held, digest=digest.of(members), count=len(members)))


def version_wrong(device: SimDevice, record: RecordId) -> None:
    """A membership tells of another version."""
    device.tables.put_members(SUITE, [(record, Seq(999))])
    spoil(device)


def record_missing(device: SimDevice, record: RecordId) -> None:
    """A record is gone."""
    device.tables.drop_member(SUITE, record)
    device.tables.drop_row(record)
    spoil(device)


def record_extra(device: SimDevice, record: RecordId) -> None:
    """A record is there that no scope of the server holds."""
    row = device.tables.row(record)
    assert row is not None
    extra = RecordId(record[:-1] + ("0" if record[-1] != "0" else "1"))
    device.tables.put_row(extra, "custody-booking", Seq(1), row)
    device.tables.put_members(SUITE, [(extra, Seq(1))])
    spoil(device)


def fill(world: World) -> SimDevice:
    """Make the bookings, and have everyone hold them."""
    for number in range(BOOKINGS):
        world.create(0, 1, number)
    world.come_to_rest()
    return world.devices[1]


@pytest.mark.parametrize("damage", [version_wrong, record_missing, record_extra])
def test_damage_is_repaired_by_range(damage: Callable[[SimDevice, RecordId], None]) -> None:
    """The next batch shows it; one REPAIR is asked for; only the range of 16 that differs is sent."""
    with World() as world:
        device = fill(world)
        tap = Tap(world, 1)
        damage(device, device.tables.members(SUITE, "", "")[RANGE + 3][0])
        world.audit.damaged = True
        world.edit(0, LATEST, 0)
        world.come_to_rest()
        assert device.repairs == 1
        assert RANGE - 1 <= tap.rows <= RANGE + 1
        assert [page.last for page in tap.pages][-1]
        conn = next(conn for conn in world.server.conns if conn.session.device == device.id)
        assert conn.session.repairs == 1
        world.audit.damaged = False
        tap.pages.clear()
        world.edit(0, LATEST, 0)
        world.come_to_rest()
        assert (device.repairs, tap.pages) == (1, [])


def test_damage_is_noticed_when_a_device_comes_back() -> None:
    """Nothing has changed meanwhile: the plan's digest at the same position tells it."""
    with World() as world:
        device = fill(world)
        record_missing(device, device.tables.members(SUITE, "", "")[0][0])
        world.audit.damaged = True
        world.cut(1, 1)
        world.come_to_rest()
        assert device.repairs == 1


def test_a_digest_that_drifted_is_counted_afresh_without_a_repair() -> None:
    """The records were right all along: nothing is sent, and nothing is asked for again and again."""
    with World() as world:
        device = fill(world)
        tap = Tap(world, 1)
        held = device.tables.position(SUITE)
        assert held is not None
        device.tables.put_position(SUITE, msgspec.structs.replace(held, digest=b"\x01" * 32, count=held.count + 1))
        world.audit.damaged = True
        world.edit(0, LATEST, 0)
        world.come_to_rest()
        assert (device.repairs, tap.pages) == (0, [])


def test_damage_to_one_replica_costs_the_others_nothing() -> None:
    """The repaired scope is read for one device; its neighbours get their live batches and no page."""
    with World() as world:
        device = fill(world)
        other = Tap(world, 2)
        version_wrong(device, device.tables.members(SUITE, "", "")[5][0])
        world.audit.damaged = True
        world.edit(0, LATEST, 0)
        world.come_to_rest()
        assert (world.devices[2].repairs, other.pages) == (0, [])


def test_a_replica_that_lost_a_whole_scope_gets_it_back() -> None:
    """Every range differs then: the repair is a snapshot in all but name."""
    with World() as world:
        device = fill(world)
        tap = Tap(world, 1)
        for record, _ in device.tables.members(SUITE, "", ""):
            device.tables.drop_member(SUITE, record)
            device.tables.drop_row(record)
        spoil(device)
        world.audit.damaged = True
        world.edit(0, LATEST, 0)
        world.come_to_rest()
        assert tap.rows >= BOOKINGS - 1
