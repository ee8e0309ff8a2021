"""Whose word an op is: what one area or one team says is written by somebody of it (`Kind.sides`). Pure."""

from collections.abc import Set as AbstractSet

from schemas.ids import FieldName
from schemas.ops import Op
from server.commits import Submission
from sync import entitled
from sync.merge import RecordState
from sync.refusal import Refusal


def on_another_side(
    op: Op, after: RecordState, submission: Submission, unread: AbstractSet[FieldName]
) -> Refusal | None:
    """That an op is the word of somebody else's area or team, if it is.

    A role that covers units alone must count there too: a supervisor of the area that asks for officers agrees to
    nothing on behalf of the area that lends them, though the record is in both.

    Args:
        op: the op.
        after: the record with it.
        submission: who brought it; the server's own rules may say everything.
        unread: the fields of a newer program's op, of which nothing can be asked.
    """
    sided = (op.changes.keys() & after.spec.struct.SIDED) - unread
    if not sided or submission.scopes is None:
        return None
    record, roles = after.build(), submission.roles
    found = entitled.on_another_side(op, after.spec, record, submission.scopes)
    if found is not None or roles is None or not roles.bound:
        return found
    sides = {scope for each in entitled.sides(op, after.spec, record).values() for scope in each}
    told = (entitled.refusal(op, after.spec, None, roles.among({scope})) for scope in sorted(sides))
    return next((one for one in told if one is not None), None)
