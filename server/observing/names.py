"""Which words name somebody: the collar numbers and the names of devices and seats that the registry knows."""

from collections.abc import Callable

from schemas.ids import DeviceId
from server.registry import Registry


class Names:
    """Asked for every word of every log line: an answer is two or three looks into dictionaries."""

    def __init__(self, registry: Callable[[], Registry]) -> None:
        """Bind it to the registry as it is at each moment."""
        self._registry = registry
        self._collars: frozenset[str] = frozenset()
        self._counted = -1

    def __call__(self, word: str) -> bool:
        """Whether a word is a name. Collar numbers in any case: scopes have them in lower case."""
        registry = self._registry()
        device = DeviceId(word)
        if device in registry.seats or device in registry.devices:
            return True
        if len(registry.officers) != self._counted:
            # Nobody is ever taken out of the registry, so a count tells whether there are others.
            self._counted = len(registry.officers)
            self._collars = frozenset(map(str.lower, registry.officers))
        return word.lower() in self._collars
