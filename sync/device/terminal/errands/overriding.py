"""`because`: to go on where a rule was against it and leaves it to the officer."""

from typing import Final

from sync.device.terminal.spec import spec
from sync.device.terminal.work import GO_ON, Errand, Work


class Because(Errand, frozen=True):
    """`because`: the reason for going on with what was just refused."""

    reason: str

    async def run(self, work: Work) -> None:
        """See `Work.go_on`."""
        await work.go_on(self.reason)


def _because(rest: str) -> Because:
    if not rest.strip():
        raise ValueError
    return Because(rest.strip())


SPECS: Final = (spec(f"{GO_ON} REASON…", "go on with what a rule just refused, where it leaves that to you", _because),)
