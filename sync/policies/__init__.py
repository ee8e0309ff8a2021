"""The merge policies, one small pure unit each, behind one interface (`sync.policies.base.MergePolicy`).

`ENGINE` is what the rest of the core uses. Adding a policy is one module here, its name in `schemas.policies`, and
tests.
"""

from typing import Final

from schemas.policies import IMPLEMENTED
from sync.policies.base import Cell, Entry, MergePolicy, Said
from sync.policies.grow import Grow
from sync.policies.latest import Latest
from sync.policies.once import Once

ENGINE: Final[dict[str, MergePolicy]] = {policy.name: policy for policy in (Latest(), Once(), Grow())}

if ENGINE.keys() != IMPLEMENTED:
    raise TypeError(
        f"schemas.policies.IMPLEMENTED and sync.policies.ENGINE disagree: {sorted(IMPLEMENTED ^ ENGINE.keys())}"
    )

__all__ = ["ENGINE", "Cell", "Entry", "MergePolicy", "Said"]
