"""How often one may try: wrong tries make the next one wait, longer each time, until somebody must unlock.

A try is counted *before* it is checked, and taken back when it was right: a hundred at once gain nothing, and neither
does pulling the plug between the two. Counted are the officer (known or not: the answer is the same), the device and
the address it comes from. NIST SP 800-63B section 3.2.2 allows 100 wrong tries in a row; this allows far fewer.
"""

import asyncio
import heapq
import ipaddress
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Final, Protocol

import msgspec

from schemas.ids import DeviceId, Millis, MillisInt, OfficerId
from server.federation.refusals import RefusedError

KEPT_MAX: Final = 100_000
"""Subjects that are remembered: more than a force has officers and devices. Past it, those tried least and longest ago
are forgotten."""
_ROOM: Final = KEPT_MAX // 100
"""So many are forgotten at once: a stranger who names ever new officers does not cost a search each time."""
_HOUR_MS: Final = 60 * 60_000
_IPV6_SITE_BITS: Final = 64
_DOUBLINGS_MAX: Final = 40
"""Past so many doublings every delay is longer than its cap."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How wrong tries of one kind of subject are met.

    Attributes:
        free: wrong tries that cost no wait.
        first_ms: the wait after the next one; it doubles with each further one.
        longest_ms: no wait is longer.
        lock_at: wrong tries at which it is locked until somebody unlocks it; 0 for never.
        forget_ms: after so long without a try they are forgotten, unless it is locked.
    """

    free: Annotated[int, msgspec.Meta(ge=1)]
    first_ms: Annotated[int, msgspec.Meta(ge=1)]
    longest_ms: Annotated[int, msgspec.Meta(ge=1)]
    lock_at: Annotated[int, msgspec.Meta(ge=0)]
    forget_ms: Annotated[int, msgspec.Meta(ge=1)]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by kind.

    Behind one address may stand a whole force (the gateway of its mobile carrier), so it is never locked; and since
    tries that are under way count, it has room for as many as sign in at once when a shift changes. What one officer's
    passphrase is worth hangs on the officer's own count, not on this.
    """

    officer: Rule = Rule(free=3, first_ms=5_000, longest_ms=_HOUR_MS // 2, lock_at=15, forget_ms=24 * _HOUR_MS)
    device: Rule = Rule(free=5, first_ms=5_000, longest_ms=_HOUR_MS // 2, lock_at=40, forget_ms=24 * _HOUR_MS)
    address: Rule = Rule(free=1_000, first_ms=1_000, longest_ms=_HOUR_MS // 12, lock_at=0, forget_ms=_HOUR_MS)


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one subject.

    Attributes:
        wrong: wrong tries in a row, the one under way included.
        last_at: when the last one began.
        not_before: when the next one may begin.
    """

    wrong: Annotated[int, msgspec.Meta(ge=0)]
    last_at: MillisInt
    not_before: MillisInt


class Keeper(Protocol):
    """Where counts outlive the process."""

    async def keep(self, counts: Mapping[str, Count | None]) -> None:
        """Keep these counts by subject, durable on return; None forgets one.

        Raises:
            StoreError: they could not be kept. Then nobody may try.
        """


def subjects(officer: OfficerId | str, device: DeviceId | None, address: str | None) -> tuple[str, ...]:
    """The names that one try is counted under.

    Args:
        officer: the collar number as it was typed; it need not exist.
        device: the device that proved its key; None where none did.
        address: the peer's IP address; one of IPv6 stands for its whole site (64 bits). None where it is not known.
    """
    names = [f"officer:{officer.strip().upper()[:64]}"]
    if device is not None:
        names.append(f"device:{device}")
    if address is not None:
        names.append(f"address:{_site(address)}")
    return tuple(names)


def _site(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _IPV6_SITE_BITS), strict=False))
    return str(found)


class Tries:
    """Counts the tries of one server."""

    def __init__(self, keeper: Keeper, kept: Mapping[str, Count], rules: Rules | None = None) -> None:
        """Begin where the last process ended.

        Args:
            keeper: where counts go.
            kept: what it kept.
            rules: the limits.
        """
        self._keeper = keeper
        self._counts = dict(kept)
        self._rules = rules or Rules()
        self._keeping = asyncio.Lock()

    async def begin(self, names: Iterable[str], now: Millis) -> None:
        """Count a try, durably, before it is checked.

        Args:
            names: from `subjects`.
            now: the moment.

        Raises:
            RefusedError: `tries_wait` with `retry_after_ms`, or `tries_locked`. The try was not counted and is not to
                be checked.
            StoreError: it could not be kept; it is not to be checked either.
        """
        names = tuple(names)
        for name in names:
            self._look(name, now)
        changed: dict[str, Count | None] = {}
        for name in names:
            rule, wrong = self._rule(name), self._wrong(name, now) + 1
            wait = 0
            if wrong > rule.free:
                wait = min(rule.longest_ms, rule.first_ms << min(wrong - rule.free - 1, _DOUBLINGS_MAX))
            changed[name] = Count(wrong=wrong, last_at=now, not_before=Millis(now + wait))
        await self._change(dict.fromkeys(self._surplus(now, changed.keys() - self._counts.keys())) | changed)

    async def succeed(self, names: Iterable[str], now: Millis) -> None:
        """Take a counted try back: it was right. The officer begins anew; device and address lose this one alone.

        Otherwise whoever knows one passphrase could use it to go on guessing others from the same device.

        Raises:
            StoreError: it could not be kept.
        """
        changed: dict[str, Count | None] = {}
        for name in names:
            count = self._counts.get(name)
            if count is None or name.startswith("officer:") or count.wrong <= 1:
                changed[name] = None
            else:
                changed[name] = Count(wrong=count.wrong - 1, last_at=now, not_before=now)
        await self._change(changed)

    async def unlock(self, name: str) -> bool:
        """Forget a subject's tries; False when there were none.

        Raises:
            StoreError: it could not be kept.
        """
        known = name in self._counts
        if known:
            await self._change({name: None})
        return known

    def locked(self) -> list[str]:
        """The subjects that wait to be unlocked, sorted."""
        return sorted(name for name, count in self._counts.items() if self._is_locked(name, count))

    def _rule(self, name: str) -> Rule:
        kind = name.partition(":")[0]
        return {"officer": self._rules.officer, "device": self._rules.device}.get(kind, self._rules.address)

    def _is_locked(self, name: str, count: Count) -> bool:
        return 0 < self._rule(name).lock_at <= count.wrong

    def _wrong(self, name: str, now: Millis) -> int:
        count = self._counts.get(name)
        if count is None or (now - count.last_at >= self._rule(name).forget_ms and not self._is_locked(name, count)):
            return 0
        return count.wrong

    def _look(self, name: str, now: Millis) -> None:
        count = self._counts.get(name)
        if count is None or not self._wrong(name, now):
            return
        if self._is_locked(name, count):
            raise RefusedError("tries_locked", self._told(name, count))
        # A clock that was set back makes nobody wait longer than the rule says.
        wait = min(count.not_before - now, self._rule(name).longest_ms)
        if wait > 0:
            raise RefusedError("tries_wait", self._told(name, count), wait)

    @staticmethod
    def _told(name: str, count: Count) -> str:
        """For the log. What was typed as a collar number may be anything, so it is quoted, as an address is."""
        sort, _, typed = name.partition(":")
        return f"{sort} {typed!r}: {count.wrong} wrong tries"

    def _surplus(self, now: Millis, new: Collection[str]) -> list[str]:
        """What to forget so that there is room for new subjects."""
        over = len(self._counts) + len(new) - KEPT_MAX
        if over <= 0:
            return []

        def worth(name: str) -> tuple[int, int]:
            return self._wrong(name, now), self._counts[name].last_at

        return heapq.nsmallest(over + _ROOM, self._counts, key=worth)

    async def _change(self, changed: Mapping[str, Count | None]) -> None:
        # Here first and without awaiting, so that of two tries at once the second already sees the first.
        for name, count in changed.items():
            if count is None:
                self._counts.pop(name, None)
            else:
                self._counts[name] = count
        # And to the keeper as it stands once it is this one's turn: an older count never overwrites a newer one.
        async with self._keeping:
            await self._keeper.keep({name: self._counts.get(name) for name in changed})
