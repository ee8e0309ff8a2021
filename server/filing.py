"""Under which record a sealed edit is kept: the one that it is about, so that erasing that takes the edit along.

A device seals what it could not send to the server's quarantine key; the journal keeps it until somebody decides, and
afterwards. Kept under a key that all of quarantine shares, it would outlast its record: that was erased, and what
somebody had written into it could still be opened. So the server, which has the key, looks once for which record it is,
as it comes, and tells nobody. Everything is written by one committer; this is done there, by whatever way it came.

What names no record (a draft that makes a new one) or cannot be opened stays with quarantine itself.
"""

import msgspec

from schemas.codec import decode_op
from schemas.errors import FrameError, UsageError
from schemas.ops import Op
from server.authority.keys import ServerKeys
from server.commits import Submission
from server.intake import SealedEdit
from server.logbook import QUARANTINE, Entry
from sync.device.drafts import Draft

_EDIT = msgspec.msgpack.Decoder(SealedEdit)
_DRAFT = msgspec.msgpack.Decoder(Draft)


def unsealed(edit: SealedEdit, keys: ServerKeys) -> Op | Draft | None:
    """What was sealed; None where these keys do not open it, or this program cannot read it."""
    try:
        raw = keys.unseal(edit.sealed)
    except UsageError:
        return None
    try:
        return decode_op(raw)
    except FrameError:
        try:
            return _DRAFT.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None


class Filing:
    """Files the sealed edits of what is submitted."""

    def __init__(self, keys: ServerKeys) -> None:
        """Take the keys that open them."""
        self._keys = keys

    def __call__(self, submission: Submission) -> Submission:
        """The submission with each sealed edit under its record."""
        if all(entry.what != QUARANTINE for entry in submission.entries):
            return submission
        return msgspec.structs.replace(submission, entries=tuple(map(self._filed, submission.entries)))

    def _filed(self, entry: Entry) -> Entry:
        if entry.what != QUARANTINE or entry.record is not None:
            return entry
        found = unsealed(_EDIT.decode(entry.body), self._keys)
        return entry if found is None else msgspec.structs.replace(entry, record=found.record)
