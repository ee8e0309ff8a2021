"""Why the server refused a change, in words for the officer who made it.

The registry of errors speaks to integrators; what stands here is read on a handheld. What to do about it is the
registry's `action`.
"""

from typing import Final

from schemas.errors import ERRORS

REASONS: Final[dict[str, str]] = {
    "op_reused": "a copy of this device has used its number",
    "op_saw_unknown": "it builds on a change that the server does not have yet",
    "op_value_newer": "it holds a value that the server is too old to know",
    "op_by_rule_only": "only the rules write that, nobody by hand",
    "op_transition": "there is no such step",
    "op_decision_awaited": "people differ about it, and a decision is awaited",
    "op_claim_held": "somebody has it already",
    "op_reservation_long": "the reservation is too long",
    "op_not_entitled": "it is for somebody in another role to do",
    "op_kind_unknown": "the server does not know such records yet",
    "op_kind_differs": "under this id the server has a record of another kind",
    "op_field_unknown": "the server does not know such a field yet",
    "op_field_missing": "the new record lacks something that it must have",
    "op_value_wrong": "a value does not fit",
    "op_record_unknown": "the server does not have the record that it changes",
    "op_record_exists": "somebody has made this record already",
    "op_record_erased": "the record was erased when its time was over, and nothing brings it back",
    "op_not_permitted": "this device no longer has a right to the record",
    "op_record_full": "the record is full",
    "op_scopes_too_many": "it is addressed to too many at once",
}
"""Code of an op's refusal -> why, as the end of a sentence that begins with "refused: "."""


def reason(code: str, detail: str) -> str:
    """Why a change was refused, in words.

    Args:
        code: of the refusal; a newer server may have others than this program knows.
        detail: what in the change it is about, or "".
    """
    words = REASONS.get(code)
    if words is None:
        spec = ERRORS.get(code)
        words = f"for a reason that this program does not know, {code}" if spec is None else _as_clause(spec.meaning)
    return f"{words} ({detail})" if detail else words


def _as_clause(meaning: str) -> str:
    return meaning[:1].lower() + meaning[1:].rstrip(".")
