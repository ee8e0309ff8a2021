"""Keeps the rules of police work out of the tests of the merge policies."""

from collections.abc import Iterator

import pytest

from sync.policing import rulebook


@pytest.fixture(autouse=True, scope="module")
def without_rules() -> Iterator[None]:
    """A policy holds for every change, also one that a rule refuses on the device of whoever would write it.

    An older program asks no rule, and two people can bring about together what either would have been refused.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rulebook, "GUARDS", {})
        yield
