"""Having the log's head cosigned by witnesses, now and then and whenever somebody is given a proof.

A witness is run by people that the log's keepers do not command (`beatbook witness`). One that has seen another history
is an alarm, kept in the journal; one that cannot be reached costs a cosignature and nothing else.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from schemas.errors import StoreError
from schemas.ids import Millis
from server import alarms, intake
from server.authority.checkpoints import Checkpoints
from server.authority.ledger import Commits
from server.logbook import OFFICE
from server.witness.client import Outcome, Verdict, WitnessAddress, WitnessClient

_log = logging.getLogger(__name__)
EVERY_S: Final = 60.0


class Witnessing:
    """Asks witnesses about one log."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        commits: Commits,
        witnesses: Iterable[WitnessAddress],
        now: Callable[[], Millis],
        *,
        every_s: float = EVERY_S,
    ) -> None:
        """Bind them; nothing is asked yet.

        Args:
            checkpoints: of the log.
            commits: where an alarm is made durable.
            witnesses: whom to ask.
            now: the server's clock (ms since 1970).
            every_s: how often, at most.
        """
        self._checkpoints = checkpoints
        self._commits = commits
        self._witnesses = tuple(witnesses)
        self._now = now
        self._every_s = every_s
        self._said: dict[str, Verdict] = {}

    async def run(self) -> None:
        """Ask at intervals, until cancelled. Without witnesses there is nothing to do."""
        if not self._witnesses:
            return
        async with WitnessClient(self._witnesses) as client:
            self._checkpoints.ask = partial(self.look, client)
            try:
                while True:
                    await asyncio.sleep(self._every_s)
                    try:
                        await self.look(client)
                    except StoreError as error:
                        _log.error("witnesses cannot be asked now: %s", error)
            finally:
                self._checkpoints.ask = None

    async def look(self, client: WitnessClient) -> None:
        """Have the log's head cosigned, if it has moved since the last time.

        Raises:
            StoreError: the log cannot be read, or an alarm cannot be kept.
        """
        size, signed = await self._checkpoints.newest()
        if not size or size == self._checkpoints.cosigned_size:
            return
        note, outcomes = await client.cosign(signed, self._checkpoints.consistency)
        if any(outcome.verdict is Verdict.COSIGNED for outcome in outcomes):
            self._checkpoints.keep_cosigned(size, note)
        for outcome in outcomes:
            await self._tell(outcome)

    async def _tell(self, outcome: Outcome) -> None:
        """Say once what a witness says differently from the last time; a conflict is an alarm."""
        before = self._said.get(outcome.witness)
        self._said[outcome.witness] = outcome.verdict
        if outcome.verdict is before:
            return
        if outcome.verdict is Verdict.CONFLICT:
            alarm = alarms.Alarm("witness_conflict", OFFICE, f"{outcome.witness}: {outcome.detail}", self._now())
            await self._commits.commit(intake.alarm_entry(alarm))
        if outcome.verdict is not Verdict.COSIGNED:
            _log.warning("witness %s: %s", outcome.witness, outcome.detail)
