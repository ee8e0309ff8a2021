"""Whether a request was meant for this server (Host), and whether a page of ours made it (Origin).

A browser tells which page a request comes from (RFC 6454, Fetch section 3.1); a page elsewhere must not act with what
the browser holds for us, and WebSockets know no same-origin policy of their own (RFC 6455 section 10.2). A page could
also give this server's address a name of its own (DNS rebinding): the Host header shows it.

Everything is compared byte by byte with the one canonical form, lower case and ASCII, that a browser sends; whatever is
written differently is no browser's and is refused.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

from server.edge.refusals import Refusal

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = rf"{_LABEL}(?:\.{_LABEL})*"
_V6: Final = r"\[[0-9a-f:.]{2,45}\]"
_PORT: Final = r"[1-9][0-9]{0,4}"
HOST_NAME: Final = re.compile(rf"(?:{_NAME}|{_V6})\Z")
"""A host as it stands in a URL: a name, an IPv4 address, or an IPv6 address in brackets; in lower case."""
_HOST: Final = re.compile(rf"(?P<name>{_NAME}|{_V6})(?::(?P<port>{_PORT}))?\Z")
ORIGIN: Final = re.compile(rf"https?://(?:{_NAME}|{_V6})(?::{_PORT})?\Z")
"""A serialised origin (RFC 6454 section 6.2) as a browser sends it."""
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}

_BAD_HOST: Final = Refusal(
    status=400, title="host not understood", detail="send one Host header with this server's name, in lower case"
)
_OTHER_HOST: Final = Refusal(
    status=421,
    title="not this server's name",
    detail="the Host header names a host that is not in listen.hosts of the server's configuration",
)
_OTHER_ORIGIN: Final = Refusal(
    status=403,
    title="origin not allowed",
    detail="a browser may call this server from its own pages, or from those in listen.origins of its configuration",
)


class Names:
    """The server's own names, and the origins whose pages may call it."""

    def __init__(self, hosts: Collection[str], origins: Collection[str]) -> None:
        """Bind them.

        Args:
            hosts: names and addresses, as `HOST_NAME` has them; a request may add any port.
            origins: as `ORIGIN` has them; none means the server's own.
        """
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)

    def refusal(self, scheme: str, hosts: Sequence[bytes], origins: Sequence[bytes]) -> Refusal | None:
        """Why a request is refused, or None.

        Args:
            scheme: `http` or `https`, as the caller used it.
            hosts: the value of each Host header.
            origins: the value of each Origin header; a program that is no browser sends none.
        """
        if len(hosts) != 1 or (found := _HOST.match(hosts[0].decode("latin-1"))) is None:
            return _BAD_HOST
        if found["name"] not in self._hosts:
            return _OTHER_HOST
        if not origins:
            return None
        if len(origins) > 1:
            return _OTHER_ORIGIN
        allowed = self._origins or {_origin(scheme, found["name"], found["port"])}
        return None if origins[0].decode("latin-1") in allowed else _OTHER_ORIGIN


def _origin(scheme: str, name: str, port: str | None) -> str:
    """The origin of the pages that this server would give out under the name by which it was called."""
    shown = "" if port is None else f":{port}"
    return f"{scheme}://{name}{'' if shown == _DEFAULT_PORTS[scheme] else shown}"
