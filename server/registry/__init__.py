"""The registry: units, officers, devices and what entitles whom to what, as a pure fold over administrative acts.

What commits is an act (`acts`), and the state (`fold.Registry`) is nothing but all acts in their order: the evidence
and the rights can never tell two stories. `rights` answers who may see what at a moment and why, `plans` what of it is
to be recorded for a seat, `moments` when anything changes next. No I/O here: clock, random bytes and store are the
caller's. No secrets either: of a code only its hash comes in, of a passphrase nothing.
"""

from server.registry.fold import Registry
from server.registry.plans import affected, due, next_change, plan
from server.registry.reasons import Reason
from server.registry.rights import held_roles, lease_ms, live_sign_in, may_sign_in, posted_at, rights_of, roles_of
from server.registry.rules import DEFAULT_RULES, RoleRule, Rules

__all__ = [
    "DEFAULT_RULES",
    "Reason",
    "Registry",
    "RoleRule",
    "Rules",
    "affected",
    "due",
    "held_roles",
    "lease_ms",
    "live_sign_in",
    "may_sign_in",
    "next_change",
    "plan",
    "posted_at",
    "rights_of",
    "roles_of",
]
