"""Consultations at the server: whoever reads a record over HTTP is noted in the journal before the answer goes out.

Handhelds keep a read log of their own (`sync.replica.reads`); this is the same for callers that read the server's
copy (Data Protection Act 2018 section 62(1)(c), (e), (2)).
"""

import secrets
from collections.abc import Sequence
from typing import Final, Literal, Protocol

import msgspec

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Millis, OfficerId, RecordId
from schemas.limits import REASON_CHARS_MAX
from server.commits import Submission
from server.logbook import OFFICE, Entry, KeptEntry

CONSULTED: Final = "consultation"
"""The journal's sort of these entries."""
KEY_BYTES: Final = 6
"""Random bytes that tell two entries of one seat and moment apart: the same key again would not be kept."""
RECORDS_MAX: Final = 500
"""Records of one entry: a page of a list."""
MATTERS_MAX: Final = 10_000
"""Reasons that are remembered, so that each is asked once for each matter."""
What = Literal["consultation", "combination"]


class UnjustifiedError(UsageError):
    """Somebody looks at records without saying why."""


class Consulted(msgspec.Struct, frozen=True, kw_only=True):
    """One look at records.

    Attributes:
        what: `consultation`, or `combination` for a search over several records.
        officer, seat: who, where.
        records: what they were shown.
        at: when (ms since 1970).
        matter: for the sake of which incident or booking, if it was said.
        why: the justification.
    """

    what: What
    officer: OfficerId
    seat: DeviceId
    records: tuple[RecordId, ...]
    at: Millis
    matter: RecordId | None = None
    why: str = ""


class Commits(Protocol):
    """Where entries are made durable: the committer."""

    async def commit(self, submission: Submission) -> object:
        """Have it committed."""


class Consultations:
    """Notes consultations of one running server."""

    def __init__(self, commits: Commits) -> None:
        """Begin with no reason remembered."""
        self._commits = commits
        self._reasons: dict[tuple[OfficerId, RecordId], str] = {}

    async def note(self, look: Consulted) -> None:
        """Make durable that somebody looks at records; answer them only once this returns.

        The reason may be left out where the same officer has given one for the same matter before.

        Raises:
            UnjustifiedError: no reason was given, or it is too long.
            StoreError: it could not be made durable; nothing may be shown.
        """
        why = look.why.strip() or (self._reasons.get((look.officer, look.matter), "") if look.matter else "")
        if not why or len(why) > REASON_CHARS_MAX:
            raise UnjustifiedError(
                f"say why you look at this record, in 1 to {REASON_CHARS_MAX} characters: it is asked once for each "
                "incident or booking, and kept (Data Protection Act 2018 section 62)"
            )
        for start in range(0, len(look.records), RECORDS_MAX):
            part = msgspec.structs.replace(look, why=why, records=look.records[start : start + RECORDS_MAX])
            key = f"{look.seat}:{look.at}:{secrets.token_hex(KEY_BYTES)}"
            entry = Entry(CONSULTED, key, msgspec.msgpack.encode(part))
            await self._commits.commit(Submission(OFFICE, frozenset(), (), entries=(entry,)))
        if look.matter is not None:
            if len(self._reasons) >= MATTERS_MAX:
                del self._reasons[next(iter(self._reasons))]
            self._reasons[look.officer, look.matter] = why


def consultations(kept: KeptEntry) -> Sequence[Consulted]:
    """What an entry of the sort CONSULTED says; nothing once its body is gone.

    Raises:
        StoreError: it cannot be read.
    """
    if kept.body is None:
        return ()
    try:
        return (msgspec.msgpack.decode(kept.body, type=Consulted),)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(
            f"journal entry {kept.what} {kept.key} cannot be read ({error}); run `beatbook verify`"
        ) from None
