"""The merge policies, one small pure unit each, behind one interface (`sync.policies.base.MergePolicy`).

`policy_of` is what the rest of the core uses. Adding a policy is one module here, its name in `schemas.policies`, and
tests. `frontier` is what three of them share.
"""

from typing import Final

from schemas.kinds import FieldSpec
from schemas.policies import POLICIES
from sync.policies.base import Cell, Change, Entry, MergePolicy, Said
from sync.policies.claim import Claim
from sync.policies.grow import Grow
from sync.policies.highest import Highest
from sync.policies.judged import Judged
from sync.policies.latest import Latest
from sync.policies.once import Once
from sync.policies.state import State
from sync.policies.tags import Tags

ENGINE: Final[dict[str, MergePolicy]] = {
    policy.name: policy for policy in (Latest(), Once(), Highest(), Grow(), Tags(), State(), Judged(), Claim())
}

if ENGINE.keys() != {policy.name for policy in POLICIES}:
    raise TypeError(
        "schemas.policies.POLICIES and sync.policies.ENGINE disagree: "
        f"{sorted({policy.name for policy in POLICIES} ^ ENGINE.keys())}"
    )


def policy_of(field: FieldSpec) -> MergePolicy:
    """What carries out the field's declared policy."""
    return ENGINE[field.policy.name]


__all__ = ["ENGINE", "Cell", "Change", "Entry", "MergePolicy", "Said", "policy_of"]
