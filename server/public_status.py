"""Tokens that show a victim how their own report stands: given out, found again, ended.

A token is 256 random bits. The server keeps its hash, until when it holds and of which incident; for whom it is, it
keeps only as a hash that nobody without the token can try names against. When the incident is erased, nothing of the
victim is left here. That a token was given out, to whom and what for, is an act of disclosure in the log, in the commit
that keeps the token (Data Protection Act 2018 section 62(1)(d), (3)): there is none that the log does not know.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, MillisInt, OfficerId, RecordId, RecordText
from schemas.kinds import Incident
from server.federation import onetime
from server.logbook import Entry
from server.registry.acts import Act, DisclosedAt
from server.store import Store
from sync import merge
from sync.device.dpop import base64url
from sync.policing.public import tellable, victims

SECRET_BYTES: Final = 32
DAY_MS: Final = 24 * 60 * 60_000
ENDED: Final = "status-token-ended"
"""Journal entries: somebody has ended the tokens of an incident."""
_TOKEN: Final = "status-token/"  # noqa: S105  a prefix of names
_OF_RECORD: Final = "status-tokens-of/"
_PURPOSE: Final = "status token"
_PERSON: Final = "status token's person"
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_NOISE_BYTES: Final = 4


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a token, under its hash.

    Attributes:
        record: the incident.
        person: hash of token and victim together.
        until: the first moment at which it no longer holds (ms since 1970).
    """

    record: RecordText
    person: str
    until: MillisInt


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """That an incident's tokens were ended, as the journal keeps it.

    Attributes:
        record: the incident.
        by, seat: who did it, where.
        at: when (ms since 1970).
        count: how many there were.
        why: what for.
    """

    record: RecordText
    by: str
    seat: str
    at: MillisInt
    count: int
    why: str


class Keeps(Protocol):
    """Where acts are done and secrets kept: the ledger."""

    async def perform(self, *acts: Act, secrets: Mapping[str, bytes | None] | None = None) -> None:
        """Do acts, with what is kept in the same commit."""

    async def keep(self, secrets: Mapping[str, bytes | None], entries: tuple[Entry, ...] = ()) -> None:
        """Keep or forget secrets, with journal entries in the same commit."""


class StatusTokens:
    """The tokens of one running server."""

    def __init__(self, store: Store, ledger: Keeps, now: Callable[[], Millis]) -> None:
        """Bind it; `now` is the server's clock (ms since 1970)."""
        self._store = store
        self._ledger = ledger
        self._now = now
        # Between what is read of an incident's tokens and what is written of them nobody else writes.
        self._one_at_a_time = asyncio.Lock()

    async def issue(
        self, incident: merge.RecordState, person: str, *, by: OfficerId, seat: DeviceId, why: str, days: int
    ) -> tuple[str, Millis]:
        """A new token for a victim, and until when it holds; that it was given out is durable by then.

        Args:
            incident: which; whoever calls has seen to it that the officer may see it.
            person: the victim, as the incident names them.
            by, seat: who gives it out, and where.
            why: what for.
            days: how long it holds.

        Raises:
            UsageError: it is no incident, is in a compartment, or has no such victim.
            StoreError: it could not be made durable: the token is good for nothing.
        """
        record, found = incident.id, incident.build()
        if not isinstance(found, Incident):
            raise UsageError(f"record {record} is no incident: only an incident's progress is shown to a victim")
        if not tellable(found):
            raise UsageError(f"incident {record} is in a compartment: nothing of it is shown outside")
        if person not in victims(found):
            raise UsageError(f"incident {record} has no victim of that name: write them down in `people` first")
        now = self._now()
        until = Millis(now + days * DAY_MS)
        token = base64url(secrets.token_bytes(SECRET_BYTES))
        digest = _digest(token)
        kept = Kept(record=record, person=_person(token, person), until=until)
        act = DisclosedAt(
            by=by, seat=seat, at=now, record=record, recipients=(person,), export=bytes.fromhex(digest), why=why
        )
        async with self._one_at_a_time:
            known = await self._of(record)
            over = {name for name, until in known.items() if until <= now}
            left = {name: until for name, until in known.items() if name not in over} | {digest: until}
            changes: dict[str, bytes | None] = {_TOKEN + name: None for name in over}
            changes[_TOKEN + digest] = msgspec.msgpack.encode(kept)
            changes[_OF_RECORD + record] = msgspec.msgpack.encode(left)
            await self._ledger.perform(act, secrets=changes)
        return token, until

    async def end(self, record: RecordId, *, by: OfficerId, seat: DeviceId, why: str) -> int:
        """End every token of an incident; how many there were that still held.

        Raises:
            StoreError: it could not be made durable.
        """
        async with self._one_at_a_time:
            known = await self._of(record)
            if not known:
                return 0
            now = self._now()
            count = sum(until > now for until in known.values())
            ended = Ended(record=record, by=by, seat=seat, at=now, count=count, why=why)
            key = f"{record}:{now}:{secrets.token_hex(_NOISE_BYTES)}"
            entry = Entry(ENDED, key, msgspec.msgpack.encode(ended), record)
            changes: dict[str, bytes | None] = {_TOKEN + name: None for name in known}
            await self._ledger.keep({**changes, _OF_RECORD + record: None}, (entry,))
        return count

    async def find(self, token: str) -> tuple[RecordId, Incident, str] | None:
        """(the incident's id, the incident, the victim) that a token stands for.

        None alike for one that never was, has ended or expired, whose incident is gone or has been closed in a
        compartment, or whose victim is no victim in it any more.
        """
        if _FORM.fullmatch(token) is None:
            return None
        raw = await self._store.secret(_TOKEN + _digest(token))
        kept = None if raw is None else msgspec.msgpack.decode(raw, type=Kept)
        if kept is None or kept.until <= self._now():
            return None
        row = await self._store.record(RecordId(kept.record))
        found = None if row is None else merge.from_row(decode_row(row)).build()
        if not isinstance(found, Incident) or not tellable(found):
            return None
        person = next((each for each in victims(found) if _person(token, each) == kept.person), None)
        return None if person is None else (RecordId(kept.record), found, person)

    async def _of(self, record: RecordId) -> dict[str, Millis]:
        """Hash -> until when, of an incident's tokens."""
        raw = await self._store.secret(_OF_RECORD + record)
        return {} if raw is None else msgspec.msgpack.decode(raw, type=dict[str, Millis])


def _digest(token: str) -> str:
    return onetime.digest(_PURPOSE, token.encode())


def _person(token: str, name: str) -> str:
    return onetime.digest(_PERSON, f"{token}\0{name}".encode())
