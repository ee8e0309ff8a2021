"""`SyncStatus`: how it stands between this handheld and the server, and a way to wait for it to change."""

import asyncio
from collections.abc import Callable

import msgspec

from schemas.errors import UsageError
from schemas.ids import Millis


class SyncStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One moment's answer to "is my work safe, and is what I see up to date?".

    Attributes:
        connected: whether the server has let this device in and the connection stands.
        waiting: own ops that are on this disk and not known to be on the server's.
        held: own ops that were refused; `Handheld.held` tells why.
        last_synced_at: when the replica last held all that the server had for it (ms since 1970); None for never.
        last_error: why the last connection ended or could not be made; "" once one stands.
        caught_up: whether the replica holds all that the server has told of. Only true while connected.
        repairs: how often a scope's digest was not the server's and had to be repaired, since this was opened.
        clock_skew_ms: how far the device's clock is off, where the server found it worth telling (positive: ahead).
        sealed: own edits on records that left their author's grants: sealed to the server, not yet in its quarantine.
        sign_in_needed: whether the server lets nobody in at this seat until the officer signs in again.
        lease_ended: whether records cannot be read until the server gives a new lease; drafts can be written.
        alarms: how many findings somebody must look at; `Handheld.alarms` tells them.
        handed_over: how many sealed edits and drafts the server has taken into quarantine since this was opened.
        wiped: why everything here was destroyed; None while it was not.
    """

    connected: bool = False
    waiting: int = 0
    held: int = 0
    last_synced_at: Millis | None = None
    last_error: str = ""
    caught_up: bool = False
    repairs: int = 0
    clock_skew_ms: int | None = None
    sealed: int = 0
    sign_in_needed: bool = False
    lease_ended: bool = False
    alarms: int = 0
    handed_over: int = 0
    wiped: str | None = None


class StatusBoard:
    """Holds the status and wakes who waits for it. Used on the loop only."""

    def __init__(self) -> None:
        """Start disconnected, with nothing waiting."""
        self._now = SyncStatus()
        self._revision = 0
        self._waiters: list[tuple[Callable[[SyncStatus], bool], asyncio.Future[SyncStatus]]] = []
        self._closed = False

    @property
    def now(self) -> SyncStatus:
        """The status."""
        return self._now

    def update(self, **fields: object) -> None:
        """Change some fields."""
        changed = msgspec.structs.replace(self._now, **fields)
        if changed == self._now:
            return
        self._now = changed
        waiters, self._waiters = self._waiters, []
        for predicate, future in waiters:
            if future.done():
                continue
            # Asked at every change, so that a state which passes quickly is still seen.
            try:
                holds = predicate(changed)
            except Exception as error:  # noqa: BLE001  it is the waiter's own and is raised where it waits
                future.set_exception(error)
                continue
            if holds:
                future.set_result(changed)
            else:
                self._waiters.append((predicate, future))

    def count(self, revision: int, waiting: int, held: int, sealed: int = 0) -> None:
        """Take the counts of a transaction; those of an earlier one than was seen are dropped."""
        if revision > self._revision:
            self._revision = revision
            self.update(waiting=waiting, held=held, sealed=sealed)

    async def wait_until(self, predicate: Callable[[SyncStatus], bool]) -> SyncStatus:
        """The first status, from now on, for which `predicate` holds.

        Raises:
            UsageError: the handheld was closed meanwhile.
        """
        if predicate(self._now):
            return self._now
        if self._closed:
            raise UsageError("the handheld is closed: its status no longer changes")
        future: asyncio.Future[SyncStatus] = asyncio.get_running_loop().create_future()
        self._waiters.append((predicate, future))
        return await future

    def close(self) -> None:
        """Nothing changes any more; whoever still waits is told."""
        self._closed = True
        for _, future in self._waiters:
            if not future.done():
                future.set_exception(UsageError("the handheld was closed while its status was waited for"))
        self._waiters.clear()
