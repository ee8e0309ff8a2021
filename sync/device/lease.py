"""The lease: for how long the server's share may be used here without asking the server again.

Only a server's clock can be trusted, and between two contacts there is none. So the time since the grant is counted on
every clock there is, and whichever says that most has passed is believed: the boot clock, which sleep and airplane mode
do not stop, and the highest that the wall clock ever stood, which setting it back does not lower.

    within a run of the boot clock    the larger of what it and the highest wall clock say
    across a restart                  what was used until then, and the larger of: the boot clock since the
                                      restart, the wall clock's step forward, and a charge for restarting
    the wall clock not ahead of what  the lease has ended: time went back while nobody was looking, or nobody knows
    it was before the restart         how long the machine was off

What remains: whoever can switch a device off, set its clock to just after where it was, and has a share that was
*cached on disk*, gains the time it was off, at the price of the charge each time. With the share in memory only (the
default) a restart loses it, and there is nothing to gain.
"""

import threading
from typing import Final, Protocol

import msgspec

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId
from sync.clock import Made
from sync.device.clocks import Clock
from sync.device.keystore import KeyStore
from sync.device.slotfile import check_share

LEASE_MS_MAX: Final = 7 * 24 * 60 * 60_000
"""The longest lease that is believed: a week. A longer one is a mistake of whoever configured it."""
RESTART_CHARGE_MS: Final = 5 * 60_000
"""What a restart costs at least: no handheld needs longer for one."""
SAVE_EVERY_MS: Final = 30_000
"""How often the count is written down. What a power cut loses of it, the charge for restarting covers."""


class Lease(msgspec.Struct, frozen=True):
    """What the server granted.

    Attributes:
        granted_ms: the server's clock when it granted it (ms since 1970).
        until_ms: the server's clock at its end.
    """

    granted_ms: int
    until_ms: int

    def length_ms(self) -> int:
        """How long it lasts.

        Raises:
            UsageError: it ends before it begins, or lasts longer than is believed.
        """
        length = self.until_ms - self.granted_ms
        if not 0 < length <= LEASE_MS_MAX:
            raise UsageError(f"a lease lasts between 1 and {LEASE_MS_MAX} ms, this one {length}")
        return length


class Count(msgspec.Struct, frozen=True):
    """How much of a lease is used.

    Attributes:
        length_ms: how long the lease lasts.
        base_ms: used until the present run of the boot clock began to be counted.
        since: the device's clocks at that moment.
        wall_ms: the highest that the wall clock was seen at (ms since 1970).
        mono_ms: the highest that this run of the boot clock was seen at (ms).
    """

    length_ms: int
    base_ms: int
    since: Made
    wall_ms: int
    mono_ms: int

    def used_ms(self) -> int:
        """What is used of it, as far as was seen."""
        return self.base_ms + max(self.mono_ms - self.since.mono_ms, self.wall_ms - self.since.wall_ms)

    def remaining_ms(self) -> int:
        """What is left of it, as far as was seen; 0 when it has ended."""
        return max(0, self.length_ms - self.used_ms())


def begin(lease: Lease, now: Made) -> Count:
    """Begin to count, at the moment the grant arrives.

    Raises:
        UsageError: no such lease is believed.
    """
    return Count(lease.length_ms(), 0, now, now.wall_ms, now.mono_ms)


def look(count: Count, now: Made) -> Count:
    """The count at another look at the clocks. Whatever they say, what is left never grows.

    Args:
        count: at the look before.
        now: what the device's clocks say.
    """
    if now.boot == count.since.boot and now.mono_ms >= count.mono_ms:
        return msgspec.structs.replace(count, wall_ms=max(count.wall_ms, now.wall_ms), mono_ms=now.mono_ms)
    # A restart; or a machine that was put back to an earlier moment, whose clocks are worth as little.
    if now.wall_ms <= count.wall_ms:
        return Count(count.length_ms, max(count.length_ms, count.used_ms()), now, count.wall_ms, now.mono_ms)
    passed = max(RESTART_CHARGE_MS, now.mono_ms, now.wall_ms - count.wall_ms)
    return Count(count.length_ms, count.used_ms() + passed, now, now.wall_ms, now.mono_ms)


class CachedShare(msgspec.Struct, frozen=True):
    """A share with the lease for which it may be used."""

    share: bytes
    count: Count


class ShareCache(Protocol):
    """Where the share is between two openings."""

    def read(self) -> CachedShare | None:
        """The share that is there, if any.

        Raises:
            ReplicaError: the cache cannot be read.
        """

    def keep(self, cached: CachedShare) -> None:
        """Keep it, in place of another.

        Raises:
            ReplicaError: it cannot be kept.
        """

    def drop(self) -> None:
        """Destroy it.

        Raises:
            ReplicaError: it cannot be destroyed.
        """


class MemoryShareCache:
    """The default: the share ends with the process, and a device that was switched off asks the server."""

    def __init__(self) -> None:
        """Start empty."""
        self._cached: CachedShare | None = None

    def read(self) -> CachedShare | None:
        """See `ShareCache`."""
        return self._cached

    def keep(self, cached: CachedShare) -> None:
        """See `ShareCache`."""
        self._cached = cached

    def drop(self) -> None:
        """See `ShareCache`."""
        self._cached = None


class StoredShareCache:
    """The share rests in the device's keystore for its lease: a device that was switched off opens without a server.

    With `FileKeyStore` it lies in a file: an image taken during the lease holds it, and then only the PIN and what
    Argon2id makes of it stand between the image and the replica. Say so to whoever switches this on.
    """

    def __init__(self, store: KeyStore, seat: DeviceId) -> None:
        """Name the seat."""
        self._store = store
        self._name = f"{seat}.share"

    def read(self) -> CachedShare | None:
        """See `ShareCache`. One that cannot be read is as good as none: the server is asked."""
        raw = self._store.read(self._name)
        try:
            return None if raw is None else msgspec.json.decode(raw, type=CachedShare)
        except msgspec.DecodeError:
            return None

    def keep(self, cached: CachedShare) -> None:
        """See `ShareCache`."""
        self._store.keep(self._name, msgspec.json.encode(cached))

    def drop(self) -> None:
        """See `ShareCache`."""
        self._store.destroy(self._name)


class LeaseKeeper:
    """Holds the share while its lease lasts, and drops it from memory and cache when it ends."""

    def __init__(self, cache: ShareCache, clock: Clock) -> None:
        """Take up what the cache has.

        Raises:
            ReplicaError: the cache cannot be read.
        """
        self._cache = cache
        self._clock = clock
        # The database's thread looks at it while the lease may be ended from elsewhere: what has ended stays so.
        self._one_at_a_time = threading.RLock()
        self._cached = cache.read()
        self._saved: Count | None = None
        self._look()

    def _now(self) -> Made:
        return Made(self._clock.wall_ms(), self._clock.mono_ms(), self._clock.boot())

    def _look(self) -> None:
        if self._cached is None:
            return
        count = look(self._cached.count, self._now())
        self._cached = msgspec.structs.replace(self._cached, count=count)
        if count.remaining_ms() == 0:
            self.end()
        elif self._saved is None or count.used_ms() - self._saved.used_ms() >= SAVE_EVERY_MS:
            self._save()

    def _save(self) -> None:
        if self._cached is not None:
            self._cache.keep(self._cached)
            self._saved = self._cached.count

    def grant(self, lease: Lease, share: bytes) -> None:
        """Take up a share and its lease, in place of another. It is in the cache when this returns.

        Raises:
            UsageError: no such share or lease is believed; the one before stands.
            ReplicaError: it cannot be kept.
        """
        check_share(share)
        with self._one_at_a_time:
            self._cached = CachedShare(share, begin(lease, self._now()))
            self._save()

    def shorten(self, ms: int) -> None:
        """Let the lease last no longer than so long from now (ms); one that ends before that is as it was.

        Raises:
            ReplicaError: that cannot be written down.
        """
        with self._one_at_a_time:
            self._look()
            if self._cached is not None and self._cached.count.remaining_ms() > ms:
                count = self._cached.count
                shorter = msgspec.structs.replace(count, length_ms=count.used_ms() + ms)
                self._cached = msgspec.structs.replace(self._cached, count=shorter)
                self._save()

    def remaining_ms(self) -> int:
        """How long the replica may still be read (ms); 0 without a lease."""
        with self._one_at_a_time:
            self._look()
            return 0 if self._cached is None else self._cached.count.remaining_ms()

    def share(self) -> bytes:
        """The share, while its lease lasts.

        Raises:
            ReplicaError: there is none, or its lease has ended.
        """
        with self._one_at_a_time:
            self._look()
            if self._cached is None:
                raise ReplicaError(
                    "the lease has ended: records cannot be read until the server gives a new one. What you write now "
                    "is kept, sealed, and sent when there is signal"
                )
            return self._cached.share

    def require(self) -> None:
        """Let a reading pass only while the lease lasts.

        Raises:
            ReplicaError: it has ended.
        """
        self.share()

    def end(self) -> None:
        """End the lease now: the share goes, from memory and from the cache.

        Raises:
            ReplicaError: the cache could not be emptied; memory was.
        """
        with self._one_at_a_time:
            self._cached = None
            self._cache.drop()
