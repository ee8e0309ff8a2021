"""The log's side of its witnesses: ask all of them at once, wait for none of them long, and tell what each one said.

A witness that is down costs a cosignature and nothing else; how many are enough is the verifier's policy. A witness
that has seen another history is the alarm for which it exists, and is told apart from one that cannot be reached.
"""

import asyncio
import enum
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from schemas.errors import UsageError
from server.witness.request import PATH, SIZE_TYPE, AddCheckpoint
from sync.evidence import note
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.cosign import parse_cosignatures
from sync.evidence.merkle import SIZE_MAX
from sync.evidence.note import EvidenceError, KeyType, Note, Signature, VerifierKey

Prove = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""Gives the consistency proof from the first size to the second, from the log's store."""

TIMEOUT_S: Final = 10.0
"""For one witness, all its answers together."""
ANSWER_BYTES_MAX: Final = 64 * 1024
"""What is read of an answer; one cosignature has about 150 bytes."""
ATTEMPTS_MAX: Final = 4
"""A witness that keeps naming another size is given up for this checkpoint; perhaps two servers ask it in one name."""
_HEADERS: Final = {"accept-encoding": "identity", "content-type": "text/plain; charset=utf-8"}
"""An answer is read as it comes: a compressed one could be far longer than its bytes."""


class Verdict(enum.Enum):
    """What came of asking one witness."""

    COSIGNED = "cosigned"
    UNREACHABLE = "unreachable"
    """No answer in time, or it says that it is unwell. Ask again with the next checkpoint."""
    REFUSED = "refused"
    """It does not know this log or this key, or answers what is no answer: somebody has to look at how it is set up."""
    CONFLICT = "conflict"
    """It has seen a history that this one does not continue: longer, other, or not proven. This is an alarm."""


class WitnessAddress(msgspec.Struct, frozen=True):
    """Where a witness is.

    Attributes:
        url: its submission prefix (C2SP tlog-witness), http or https.
        key: its public half.
    """

    url: str
    key: VerifierKey

    def __post_init__(self) -> None:
        """Refuse what cannot be asked.

        Raises:
            UsageError: no http address, or the key of a log.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise UsageError(f"{self.url!r} is no address of a witness: https://HOST or http://HOST:PORT")
        if self.key.type is not KeyType.COSIGNATURE_V1:
            raise UsageError(f"{self.key.name!r} is the key of a log, not of a witness")


class Outcome(msgspec.Struct, frozen=True):
    """What one witness said.

    Attributes:
        witness: the name of its key.
        verdict: in a word.
        detail: in a sentence, for the operator.
        signatures: its cosignatures, verified; empty unless it has cosigned.
    """

    witness: str
    verdict: Verdict
    detail: str
    signatures: tuple[Signature, ...] = ()


class WitnessClient:
    """A log's connections to its witnesses. An asynchronous context manager.

    What size each witness saw last is remembered as a hint; where it is wrong the witness corrects it.
    """

    def __init__(
        self,
        witnesses: Iterable[WitnessAddress],
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Name the witnesses; nothing is sent yet.

        Args:
            witnesses: whom to ask.
            timeout_s: for one witness, all its answers together.
            transport: another way to reach them.

        Raises:
            UsageError: a witness is named twice.
        """
        self._witnesses = tuple(witnesses)
        if len({each.key.name for each in self._witnesses}) != len(self._witnesses):
            raise UsageError("a witness is named twice")
        self._timeout_s = timeout_s
        self._sizes: dict[str, int] = {}
        # Nothing from the environment: a proxy variable must not decide who sees the log's heads.
        self._http = httpx.AsyncClient(timeout=timeout_s, transport=transport, trust_env=False, headers=_HEADERS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def cosign(self, checkpoint: bytes, prove: Prove) -> tuple[bytes, list[Outcome]]:
        """Ask every witness to cosign.

        Args:
            checkpoint: the log's signed note.
            prove: reads consistency proofs; what it raises is raised here.

        Returns:
            The note with every cosignature that was given in time, and what each witness said, in their order.

        Raises:
            MalformedError: the checkpoint is none.
        """
        signed = Note.parse(checkpoint)
        head = Checkpoint.parse(signed.text)
        tasks = [asyncio.create_task(self._ask(each, signed, head, checkpoint, prove)) for each in self._witnesses]
        try:
            outcomes = await asyncio.gather(*tasks)
        finally:
            # Only a fault of `prove` leaves one of them running.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        more = [signature for outcome in outcomes for signature in outcome.signatures]
        return signed.signed(more).encode(), outcomes

    async def _ask(
        self, witness: WitnessAddress, signed: Note, head: Checkpoint, checkpoint: bytes, prove: Prove
    ) -> Outcome:
        name = witness.key.name
        try:
            async with asyncio.timeout(self._timeout_s):
                for _ in range(ATTEMPTS_MAX):
                    old = min(self._sizes.get(name, 0), head.size)
                    proof = tuple(await prove(old, head.size)) if 0 < old < head.size else ()
                    status, kind, body = await self._post(witness, AddCheckpoint(old, proof, checkpoint))
                    outcome = self._heard(witness, signed, head, old, (status, kind, body))
                    if outcome is not None:
                        return outcome
        except TimeoutError:
            return Outcome(name, Verdict.UNREACHABLE, f"gave no answer within {self._timeout_s} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Outcome(name, Verdict.UNREACHABLE, f"cannot be reached: {str(error) or type(error).__name__}")
        return Outcome(
            name, Verdict.UNREACHABLE, f"named another size {ATTEMPTS_MAX} times: does another server ask it?"
        )

    async def _post(self, witness: WitnessAddress, request: AddCheckpoint) -> tuple[int, str, bytes]:
        """The answer: status, content type, and of the body no more than is bearable."""
        url = witness.url.rstrip("/") + PATH
        body = bytearray()
        async with self._http.stream("POST", url, content=request.encode()) as response:
            async for piece in response.aiter_raw(4_096):
                body += piece
                if len(body) > ANSWER_BYTES_MAX:
                    break
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        return response.status_code, kind, bytes(body[:ANSWER_BYTES_MAX])

    def _heard(
        self, witness: WitnessAddress, signed: Note, head: Checkpoint, old: int, answer: tuple[int, str, bytes]
    ) -> Outcome | None:
        """What an answer means; None when the witness named another size, from which to ask again."""
        name = witness.key.name
        status, kind, body = answer
        match status:
            case 200:
                return self._signed(witness, signed, head, body)
            case 409:
                known = note.parse_number(body.decode("ascii", "replace").removesuffix("\n"), SIZE_MAX)
                if kind != SIZE_TYPE or known is None:
                    return Outcome(name, Verdict.REFUSED, "refuses the size and names none of its own")
                if known == old == head.size:
                    return Outcome(name, Verdict.CONFLICT, f"has cosigned another log of {known} entries")
                if known > head.size:
                    return Outcome(name, Verdict.CONFLICT, f"has cosigned {known} entries, this log has {head.size}")
                self._sizes[name] = known
                return None
            case 422:
                return Outcome(name, Verdict.CONFLICT, f"finds no proof that the log follows from its {old} entries")
            case _ if status >= 500:  # noqa: PLR2004  the class of a server's own errors
                return Outcome(name, Verdict.UNREACHABLE, f"is unwell: HTTP {status}")
            case _:
                return Outcome(
                    name, Verdict.REFUSED, f"refuses with HTTP {status}: does it watch this log and its key?"
                )

    def _signed(self, witness: WitnessAddress, signed: Note, head: Checkpoint, body: bytes) -> Outcome:
        name = witness.key.name
        try:
            signatures = tuple(parse_cosignatures(body, signed.text, witness.key))
        except EvidenceError as error:
            return Outcome(name, Verdict.REFUSED, f"answers what is no cosignature: {error}")
        if not signatures:
            return Outcome(name, Verdict.REFUSED, "signs with another key than the one that is trusted")
        self._sizes[name] = head.size
        return Outcome(name, Verdict.COSIGNED, f"cosigned {head.size} entries", signatures)
