"""What an officer is entitled to on whatever device, with the reasons: a trusted seat of theirs holds the same."""

from schemas.ids import Millis, OfficerId, ScopeName
from server.registry import Reason, grounds
from server.registry.reasons import reason
from server.registry.state import State


def entitlement_of(state: State, officer: OfficerId, at: Millis) -> dict[ScopeName, tuple[Reason, ...]]:
    """Scope -> reasons for which an officer is entitled to it at a moment, in the order of scopes."""
    found = grounds.of_officer(state, state.officers[officer], at)
    return {scope: tuple(dict.fromkeys(reason(state, one, at) for one in found[scope])) for scope in sorted(found)}
