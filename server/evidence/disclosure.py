"""Giving a record out: the export is made, the disclosure is recorded, and only then is the export handed over."""

import hashlib
from typing import Protocol

import msgspec

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId, RecordId
from server.evidence import page
from server.evidence.gathering import Gathering, Head, Request
from server.registry.acts import Act, DisclosedAt, checked
from server.store import Store


class Performs(Protocol):
    """Where acts are done: the ledger."""

    async def perform(self, *acts: Act) -> None:
        """Do acts, durably."""


class Signs(Protocol):
    """Where the log's head is signed: the checkpoints."""

    @property
    def verifier(self) -> object:
        """The log's key; its text is the vkey."""

    async def witnessed(self) -> tuple[int, bytes]:
        """(size, signed checkpoint) of the log as it is now."""


class Export(msgspec.Struct, frozen=True):
    """What is handed over.

    Attributes:
        content: a zip (`server.evidence.exported`).
        digest: its SHA-256, as the act of disclosure has it.
    """

    content: bytes
    digest: bytes


class Disclosures:
    """Makes the disclosure exports of one running server."""

    def __init__(self, store: Store, ledger: Performs, checkpoints: Signs) -> None:
        """Bind the parts."""
        self._store = store
        self._ledger = ledger
        self._checkpoints = checkpoints

    async def make(
        self, record: RecordId, *, by: OfficerId, seat: DeviceId, recipients: tuple[str, ...], why: str, at: Millis
    ) -> Export:
        """The export of one record; when this returns, that it was disclosed is durable.

        Args:
            record: which.
            by, seat: who gives it out, and where; whoever calls has seen to it that they may.
            recipients: to whom, at least one.
            why: what for.
            at: now (ms since 1970).

        Raises:
            UsageError: recipients or reason are missing or too long, or there is no such record (any more).
            StoreError: it could not be read, or the disclosure not be recorded: nothing may be handed over.
        """
        if not recipients or not why.strip():
            raise UsageError("say to whom the record is disclosed, and what for: both are kept in the log")
        # Its form is checked before all is read: the reason or a name may be too long.
        act = DisclosedAt(by=by, seat=seat, at=at, record=record, recipients=recipients, export=bytes(32), why=why)
        checked(act)
        gathering = Gathering(self._store, Request(record=record, by=by, recipients=recipients, why=why, at=at))
        await gathering.read()
        size, checkpoint = await self._checkpoints.witnessed()
        content = page.export(await gathering.evidence(Head(size, str(self._checkpoints.verifier), checkpoint)))
        digest = hashlib.sha256(content).digest()
        await self._ledger.perform(msgspec.structs.replace(act, export=digest))
        return Export(content, digest)
