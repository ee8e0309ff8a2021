"""The status board: who waits is woken by the first status that fits, and by nothing else."""

import asyncio

import pytest

from schemas.errors import UsageError
from sync.device.status import StatusBoard, SyncStatus


async def test_waiting_for_what_already_holds_returns_at_once() -> None:
    """A predicate that holds now needs no change."""
    board = StatusBoard()
    assert await board.wait_until(lambda status: status.waiting == 0) == SyncStatus()


async def test_a_state_that_passes_at_once_is_seen() -> None:
    """Who waits gets the status that fitted, though it has changed again since."""
    board = StatusBoard()
    waiter = asyncio.ensure_future(board.wait_until(lambda status: status.waiting == 2))
    await asyncio.sleep(0)
    board.count(1, 1, 0)
    board.count(2, 2, 0)
    board.count(3, 3, 0)
    assert (await waiter).waiting == 2
    assert board.now.waiting == 3


async def test_counts_of_an_earlier_transaction_never_replace_later_ones() -> None:
    """Two transactions whose ends are told in the wrong order leave the later one's counts."""
    board = StatusBoard()
    board.count(2, 5, 1)
    board.count(1, 9, 9)
    assert (board.now.waiting, board.now.held) == (5, 1)


async def test_an_error_in_a_predicate_is_its_waiters() -> None:
    """Others are still woken, and the engine that changed the status never sees it."""
    board = StatusBoard()

    def broken(status: SyncStatus) -> bool:
        return 1 // (1 - status.waiting) == 7

    first = asyncio.ensure_future(board.wait_until(broken))
    second = asyncio.ensure_future(board.wait_until(lambda status: status.waiting == 1))
    await asyncio.sleep(0)
    board.count(1, 1, 0)
    with pytest.raises(ZeroDivisionError):
        await first
    assert (await second).waiting == 1


async def test_a_waiter_that_was_cancelled_is_forgotten() -> None:
    """Nothing is said to a future that nobody waits for."""
    board = StatusBoard()
    waiter = asyncio.ensure_future(board.wait_until(lambda status: status.waiting == 1))
    await asyncio.sleep(0)
    waiter.cancel()
    board.count(1, 1, 0)
    with pytest.raises(asyncio.CancelledError):
        await waiter


async def test_closing_tells_who_waits() -> None:
    """Nobody waits for ever for a handheld that is closed, before or after."""
    board = StatusBoard()
    waiter = asyncio.ensure_future(board.wait_until(lambda status: status.connected))
    await asyncio.sleep(0)
    board.close()
    with pytest.raises(UsageError, match="closed"):
        await waiter
    with pytest.raises(UsageError, match="closed"):
        await board.wait_until(lambda status: status.connected)
