"""Routes: a proof of what was done to a record, of one op, or of one entry of the log, to hand to somebody.

The last is for auditors, who find entries by searching; the others are for whoever may give the record out. Both leave
their trace before the proof is told (`server.evidence.proofs`).
"""

import re
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.codec import decode_row
from schemas.ids import OP_PATTERN, OpId, RecordId, split_op_id
from schemas.roles import Role
from server.evidence.plain import leaf_words
from server.evidence.proofs import Giving, Proofs
from server.http.callers import caller_of, check_roles, sees
from server.http.consulting import named, reason_of, recipients_of
from server.http.operations import PLACE_DIGITS_MAX, Operation
from server.http.problems import beatbook_of, reply
from server.http.sight import seen_record
from sync import merge
from sync.evidence.proof import Proof
from sync.merge import RecordState

DISCLOSERS: Final = (Role.SUPERINTENDENT, Role.REGISTRAR)
"""Who gives records out: somebody who answers for it (Data Protection Act 2018 section 35)."""


class ProofBody(msgspec.Struct, frozen=True, kw_only=True):
    """A proof that an entry is in the log.

    Attributes:
        entry: the entry's place in the log, from 0.
        words: what the entry says, in words.
        log: the log's verifier key (vkey).
        proof: the file (C2SP tlog-proof), with the entry in its line `extra`, in base64.
    """

    entry: int
    words: str
    log: str
    proof: bytes


async def prove_record(request: Request) -> Response:
    """A proof of the commit that left a record as it stands; who asks for it, or gets it, is in the log first."""
    state = await seen_record(request)
    check_roles(caller_of(request), DISCLOSERS, state.scopes())
    row = await beatbook_of(request).store.record(state.id)
    if row is None:
        raise HTTPException(404, f"there is no record {state.id!r}")
    return await _about(request, await _proofs(request).of_record(row), state)


async def prove_op(request: Request) -> Response:
    """A proof of one op; who asks for it, or gets it, is in the log first."""
    name = f"{request.path_params['device']}/{request.path_params['n']}"
    kept = None
    if re.match(OP_PATTERN, name) is not None:
        kept = await beatbook_of(request).store.op(*split_op_id(OpId(name)))
    state = None if kept is None else await _state(request, kept.record)
    if kept is None or state is None or not sees(caller_of(request), state.scopes()):
        raise HTTPException(404, f"there is no op {name!r}")
    check_roles(caller_of(request), DISCLOSERS, state.scopes())
    return await _about(request, await _proofs(request).of_entry(kept.leaf), state)


async def prove_entry(request: Request) -> Response:
    """A proof of one entry of the log; where it is about records, that somebody asked for it is in the log first."""
    text: str = request.path_params["entry"]
    if re.fullmatch(f"[0-9]{{1,{PLACE_DIGITS_MAX}}}", text) is None:
        raise HTTPException(404, f"the log has no entry {text!r}")
    proofs = _proofs(request)
    proof = await proofs.of_entry(int(text))
    raw = proof.encode()
    await named(request, await proofs.records_in(proof.extra or b""))
    return _told(request, proof, raw)


async def _about(request: Request, proof: Proof, state: RecordState) -> Response:
    """A proof about a record, once it is in the log who asked for it, or to whom it goes."""
    raw, caller, recipients = proof.encode(), caller_of(request), recipients_of(request)
    if recipients:
        giving = Giving(
            by=caller.officer,
            seat=caller.seat,
            recipients=recipients,
            why=reason_of(request),
            at=beatbook_of(request).now(),
        )
        await _proofs(request).give(raw, state.id, giving)
    else:
        await named(request, [state.id], state.build().about() or state.id)
    return _told(request, proof, raw)


def _told(request: Request, proof: Proof, raw: bytes) -> Response:
    log = beatbook_of(request).authority.checkpoints.verifier
    return reply(ProofBody(entry=proof.index, words=leaf_words(proof.extra or b""), log=str(log), proof=raw))


def _proofs(request: Request) -> Proofs:
    beatbook = beatbook_of(request)
    return Proofs(beatbook.store, beatbook.authority.ledger, beatbook.authority.checkpoints)


async def _state(request: Request, record: RecordId) -> RecordState | None:
    row = await beatbook_of(request).store.record(record)
    return None if row is None else merge.from_row(decode_row(row))


OPERATIONS: Final = (
    Operation(method="GET", path="/v1/records/{record}/proof", handler=prove_record, who=DISCLOSERS, gives=ProofBody),
    Operation(method="GET", path="/v1/ops/{device}/{n}/proof", handler=prove_op, who=DISCLOSERS, gives=ProofBody),
    Operation(
        method="GET", path="/v1/log/entries/{entry}/proof", handler=prove_entry, who=(Role.AUDITOR,), gives=ProofBody
    ),
)
