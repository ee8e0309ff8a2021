"""The log's head, as devices pin it: signed, newest, and proved to continue what they have seen."""

from server.registry import acts as a
from sync.evidence.checkpoint import open_signed
from sync.evidence.merkle import verify_consistency
from tests.server.authority.house import House
from tests.server.authority.virtual import VirtualLoop


def grow(house: House, name: str) -> None:
    """One act more in the log."""
    house.perform(a.UnitAdded(by="WM9", at=house.now, unit=name, title=name, places=(), start=house.now))


def test_the_newest_checkpoint_is_of_the_log_as_it_is(loop: VirtualLoop, house: House) -> None:
    """Its size and root, under the log's name, signed by the log's key."""
    for n in range(3):
        grow(house, f"unit-{n}")
        size, signed = loop.do(house.authority.checkpoints.newest())
        told = open_signed(signed, [house.authority.checkpoints.verifier])
        tree = loop.do(house.store.tree())
        assert (told.size, told.root) == (tree.size, tree.root)
        assert size == tree.size == n + 1


def test_it_comes_with_the_proof_from_what_was_pinned(loop: VirtualLoop, house: House) -> None:
    """From every size that there ever was; nothing need be proved to whoever has seen nothing."""
    checkpoints = house.authority.checkpoints
    roots = []
    for n in range(9):
        grow(house, f"unit-{n}")
        tree = loop.do(house.store.tree())
        roots.append((tree.size, tree.root))
    for size, root in roots:
        newest, signed, proof = loop.do(checkpoints.since(size))
        told = open_signed(signed, [checkpoints.verifier])
        assert verify_consistency(size, root, newest, told.root, proof)
    assert loop.do(checkpoints.since(0))[2] == ()


def test_nothing_proves_a_log_that_was_longer(loop: VirtualLoop, house: House) -> None:
    """Whoever has pinned more than there is sees from the checkpoint alone that the log has shrunk."""
    grow(house, "one")
    size, signed, proof = loop.do(house.authority.checkpoints.since(7))
    assert proof == ()
    assert open_signed(signed, [house.authority.checkpoints.verifier]).size == size == 1


def test_a_checkpoint_is_signed_once_for_each_head(loop: VirtualLoop, house: House) -> None:
    """Thousands of devices come back at once: they are shown the same bytes."""
    grow(house, "one")
    first = loop.do(house.authority.checkpoints.newest())
    assert loop.do(house.authority.checkpoints.newest())[1] is first[1]
    grow(house, "two")
    assert loop.do(house.authority.checkpoints.newest()) != first
