"""What is said most often, in as few bytes as it takes: a live batch, results, an acknowledgement.

Each says no more than the message that it stands for, and is made from it and turned back into it here, so that nothing
behind a session knows of them. What they cannot say is said in the long form. Only between ends that both name `diff`.
"""

from typing import Final

from schemas import wire
from schemas.ids import OpNumber

DIGEST_END_BYTES: Final = wire.DIGEST_END_BYTES


def short_batch(batch: wire.Batch) -> wire.ShortBatch | None:
    """A batch that tells of changed rows and of nothing else; None for another one."""
    if not batch.changed or batch.rows or batch.gone or batch.digest is None or batch.count is None:
        return None
    end = batch.digest[-DIGEST_END_BYTES:]
    return wire.ShortBatch(
        c=wire.ShortChange(batch.scope, batch.gen, batch.frm, batch.to, batch.count, end, batch.changed)
    )


def long_batch(short: wire.ShortBatch) -> wire.Batch:
    """The batch that it stands for; its digest is the end of one."""
    told = short.c
    return wire.Batch(
        scope=told.scope,
        gen=told.gen,
        frm=told.frm,
        to=told.to,
        changed=told.changed,
        digest=told.digest,
        count=told.count,
    )


def short_results(results: wire.Results) -> wire.ShortResults | None:
    """Results of ops in a row that one commit made durable, in the same scopes, and that all took effect; else None."""
    if not results.results:
        return None
    first = results.results[0]
    if first.status != "durable":
        return None
    told = wire.ShortDone(first.n, len(results.results), first.seq, results.credit, first.scopes)
    short = wire.ShortResults(c=told)
    return short if long_results(short) == results else None


def long_results(short: wire.ShortResults) -> wire.Results:
    """The results that it stands for."""
    told = short.c
    return wire.Results(
        results=tuple(
            wire.Result(n=OpNumber(n), status="durable", seq=told.seq, scopes=told.scopes)
            for n in range(told.first, told.first + told.ops)
        ),
        credit=told.credit,
    )
