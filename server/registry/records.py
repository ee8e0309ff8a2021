"""What acts about records need, and what they change: four eyes before anything is erased, and nothing after it."""

from typing import assert_never

from schemas.errors import UsageError
from server.registry.acts import Disclosed, RecordAct, RecordErased, RetentionReviewed
from server.registry.state import State


def check(state: State, act: RecordAct) -> None:
    """Whether the act can be.

    Raises:
        UsageError: it cannot; the text says why and what to do.
    """
    if act.record in state.erased:
        raise UsageError(f"record {act.record} is erased; nothing is left of it")
    match act:
        case RetentionReviewed():
            if act.outcome == "keep" and act.until is None:
                raise UsageError(f"record {act.record}: say until when it is kept")
        case RecordErased():
            review = state.reviews.get(act.record)
            if review is None or review.outcome != "erase":
                raise UsageError(f"record {act.record}: nobody has proposed to erase it; review it first")
            if review.by == act.by:
                raise UsageError(f"record {act.record}: {act.by} proposed it, somebody else must erase it (four eyes)")
        case Disclosed():
            pass
        case _:
            assert_never(act)


def apply(state: State, act: RecordAct) -> None:
    """Change the state by an act that can be."""
    match act:
        case RetentionReviewed():
            state.reviews[act.record] = act
        case RecordErased():
            state.erased.add(act.record)
            state.reviews.pop(act.record, None)
        case Disclosed():
            pass  # evidence only
        case _:
            assert_never(act)
