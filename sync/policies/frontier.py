"""The values that nobody has overwritten with sight of them: what `highest`, `state` and `judged` choose from.

A change supersedes exactly the values that its author saw (a multi-value register: Shapiro et al., "A comprehensive
study of convergent and commutative replicated data types", 2011, section 3.2.2). So what stands is a function of the
set of changes, whatever the order in which they arrive, and nothing that somebody had not seen is overwritten.
"""

from collections.abc import Callable, Sequence

from sync.policies.base import Cell, Change, Said

Pick = Callable[[Sequence[Said]], Said]
"""Chooses from the values that stand, one or more, the one that the cell names first."""


def join(cell: Cell | None, change: Change, pick: Pick) -> Cell:
    """The cell after a change. What its author saw has come before it (`sync.check.op_on`)."""
    before = Cell() if cell is None else cell
    standing = before.standing()
    if any(one.stamp.op == change.stamp.op for one in standing):
        return before
    kept = [one for one in standing if not change.has_seen(one.stamp)]
    kept.append(Said(change.value, change.stamp))
    first = pick(kept)
    ops = {one.stamp.op for one in kept}
    return Cell(
        said=first,
        beside=tuple(sorted((one for one in kept if one is not first), key=lambda one: one.stamp.order)),
        decided=change.stamp.op if change.decides else before.decided,
        against=tuple(pair for pair in before.against if pair[0] in ops),
    )
