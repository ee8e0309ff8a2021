"""The rule of a witness: cosign what follows from everything cosigned before, and nothing else (C2SP tlog-witness)."""

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Final

import msgspec

from schemas.errors import StoreError, UsageError
from server.witness.heads import Head, Heads
from server.witness.request import SIZE_TYPE, AddCheckpoint
from sync.evidence import cosign
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.merkle import verify_consistency
from sync.evidence.note import KeyType, MalformedError, Note, Signer, UntrustedError, VerifierKey

_TEXT: Final = "text/plain; charset=utf-8"
_logger: Final = logging.getLogger(__name__)


class Answer(msgspec.Struct, frozen=True):
    """What the log is told.

    Attributes:
        status: of HTTP: 200 with cosignatures; 400, 403, 404, 409, 422 as C2SP tlog-witness says; 503 when the
            witness's own disk fails.
        body: signature lines, the known size, or a sentence.
        media_type: of the body.
    """

    status: int
    body: bytes
    media_type: str = _TEXT


class Witness:
    """One witness over its memory. One thread at a time: to compare and to replace a head must not interleave."""

    def __init__(
        self,
        heads: Heads,
        logs: Iterable[VerifierKey],
        key: VerifierKey,
        signer: Signer,
        now_s: Callable[[], float],
    ) -> None:
        """Bind it.

        Args:
            heads: what it has let pass.
            logs: keys of the logs that it watches; the name of a key is the log's origin.
            key: its own public half, of the type COSIGNATURE_V1.
            signer: signs with the private half.
            now_s: the wall clock, seconds since 1970-01-01T00:00Z (POSIX).

        Raises:
            UsageError: no logs, a key in the wrong role, or the witness's own key among them.
            StoreError: the memory is another witness's.
        """
        self._logs: dict[str, list[VerifierKey]] = {}
        for log in logs:
            if log.type is not KeyType.ED25519:
                raise UsageError(f"{log.name!r} is the key of a witness: a witness watches logs")
            if log.public_key == key.public_key:
                raise UsageError(f"the log {log.name!r} has the witness's own key: nobody vouches for themselves")
            self._logs.setdefault(log.name, []).append(log)
        if not self._logs:
            raise UsageError("a witness needs a log to watch: give it the log's key")
        if key.type is not KeyType.COSIGNATURE_V1:
            raise UsageError(f"{key.name!r} is the key of a log: a witness has one of type 0x04")
        heads.bind(key.name, key.public_key)
        self._heads = heads
        self._key = key
        self._signer = signer
        self._now_s = now_s

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a log that asks for a cosignature. Never raises, whatever came."""
        try:
            return self._answer(body)
        except MalformedError as error:
            return _said(HTTPStatus.BAD_REQUEST, str(error))
        except UntrustedError as error:
            return _said(HTTPStatus.FORBIDDEN, str(error))
        except StoreError:
            # Not a word of the folder to a stranger; the operator reads the log.
            _logger.exception("the witness cannot remember, so it does not sign")
            return _said(HTTPStatus.SERVICE_UNAVAILABLE, "the witness cannot write down what it sees: come back later")

    def _answer(self, body: bytes) -> Answer:
        request = AddCheckpoint.parse(body)
        signed = Note.parse(request.checkpoint)
        new = Checkpoint.parse(signed.text)
        logs = self._logs.get(new.origin)
        if logs is None:
            return _said(HTTPStatus.NOT_FOUND, "this witness does not watch a log of that origin")
        if not signed.verified(logs):
            return _said(HTTPStatus.FORBIDDEN, "the checkpoint bears no signature of the log's key")
        if request.old > new.size:
            return _said(HTTPStatus.BAD_REQUEST, "the old size is above the checkpoint's")
        known = self._heads.latest(new.origin)
        if request.old != known.size:
            return _known(known)
        if new.size == known.size and new.root != known.root:
            self._forked(new, request.checkpoint)
            return _known(known)
        if not verify_consistency(known.size, known.root, new.size, new.root, request.proof):
            _logger.warning("log %s: %d entries, not proven to follow from %d", new.origin, new.size, known.size)
            return _said(HTTPStatus.UNPROCESSABLE_ENTITY, "the proof does not lead from the old size to the checkpoint")
        after = Head(new.size, new.root, request.checkpoint)
        # The same head again is only signed again, with the time of now.
        seen = bool(known.note) and new.size == known.size
        if not seen and not self._heads.advance(new.origin, known, after):
            return _known(self._heads.latest(new.origin))
        # From here on it is on the disk: a fork of it is refused by whatever process comes after this one.
        line = cosign.cosign(signed.text, self._key, self._signer, int(self._now_s()))
        return Answer(HTTPStatus.OK, str(line).encode())

    def _forked(self, new: Checkpoint, note: bytes) -> None:
        _logger.critical("log %s is forked: two signed heads of %d entries; both are kept", new.origin, new.size)
        self._heads.keep_conflict(new.origin, note)


def _known(head: Head) -> Answer:
    return Answer(HTTPStatus.CONFLICT, f"{head.size}\n".encode(), SIZE_TYPE)


def _said(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, f"{text}\n".encode())
