"""`Registry`: the state as a fold over acts. `check` before an act is committed, `apply` once it is."""

from collections.abc import Iterable

from schemas.errors import StoreError
from server.registry import codes, devices, organisation, parting, people, records, seats, signing
from server.registry.acts import (
    Act,
    CodeAct,
    DeviceAct,
    OrganisationAct,
    PartingAct,
    PeopleAct,
    SeatAct,
    SignInAct,
    checked,
    tag_of,
)
from server.registry.rules import DEFAULT_RULES, Rules
from server.registry.state import State


class Registry(State):
    """Units, officers, devices, seats and what entitles them, as all acts so far have made them."""

    @classmethod
    def of(cls, acts: Iterable[Act], rules: Rules = DEFAULT_RULES) -> "Registry":
        """The registry after acts that were committed, in their order.

        Raises:
            StoreError: one of them refers to what no act before it has made; the text says which.
        """
        registry = cls(rules)
        for n, act in enumerate(acts, start=1):
            try:
                registry.apply(act)
            except KeyError as error:
                raise StoreError(
                    f"administrative act {n} ({tag_of(act)}) refers to {error}, which no act before it has made: acts "
                    "are missing; restore the data folder from a backup"
                ) from None
        return registry

    def check(self, act: Act) -> None:
        """Whether the act can be done now. It changes nothing.

        Raises:
            UsageError: it cannot: a value has not its form, or what it refers to is not there or forbids it. The text
                says which, and what to do.
        """
        checked(act)
        if isinstance(act, OrganisationAct):
            organisation.check(self, act)
        elif isinstance(act, PeopleAct):
            people.check(self, act)
        elif isinstance(act, CodeAct):
            codes.check(self, act)
        elif isinstance(act, DeviceAct):
            devices.check(self, act)
        elif isinstance(act, SeatAct):
            seats.check(self, act)
        elif isinstance(act, SignInAct):
            signing.check(self, act)
        elif isinstance(act, PartingAct):
            parting.check(self, act)
        else:
            records.check(self, act)

    def apply(self, act: Act) -> None:
        """Take in an act that was checked and committed."""
        if isinstance(act, OrganisationAct):
            organisation.apply(self, act)
        elif isinstance(act, PeopleAct):
            people.apply(self, act)
        elif isinstance(act, CodeAct):
            codes.apply(self, act)
        elif isinstance(act, DeviceAct):
            devices.apply(self, act)
        elif isinstance(act, SeatAct):
            seats.apply(self, act)
        elif isinstance(act, SignInAct):
            signing.apply(self, act)
        elif isinstance(act, PartingAct):
            parting.apply(self, act)
        else:
            records.apply(self, act)
