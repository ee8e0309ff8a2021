"""Which records have something to come, kept with the store: so that a start does not read every record there ever was.

What falls due follows from the records, the force's settings and the program's rules, and almost all records are closed
with nothing to come. What was found once holds until the record changes, other settings or another program come, or the
clock goes back: then everything is read again. It is a shortcut and no record: without it a start takes longer.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

import schemas
import sync
from schemas.ids import Millis, RecordId, ScopeName, Seq
from schemas.settings import Settings, as_text
from sync.session.steps import Head

NAME: Final = "timers.to-come"
"""The secret under which it is kept: it names records of compartments too."""
EVERY_MS: Final = 10 * 60_000
"""How often it is kept anew (ms): what has changed since is read at the start."""
RECORDS_MAX: Final = 20_000
"""Records with something to come, above which nothing is kept: reading them all is then most of the work anyway."""


class ToCome(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        rules: by which settings and rules (`rules_of`).
        at: the server's clock then (ms since 1970).
        heads: scope -> the last commit that was looked at.
        records: those in which something is to come.
    """

    rules: str
    at: Millis
    heads: dict[ScopeName, Seq]
    records: tuple[RecordId, ...]


@functools.cache
def _program() -> bytes:
    """The rules themselves: every line of what decides what falls due."""
    whole = hashlib.sha256()
    for package in (schemas, sync):
        for file in sorted(path for root in package.__path__ for path in Path(root).rglob("*.py")):
            whole.update(file.read_bytes())
    return whole.digest()


def rules_of(settings: Settings, kinds: Iterable[str]) -> str:
    """What must be the same for something found earlier to hold.

    Args:
        settings: the force's.
        kinds: the record kinds in which something can fall due.
    """
    return hashlib.sha256(_program() + "\n".join((*sorted(kinds), as_text(settings))).encode()).hexdigest()


def kept_form(found: ToCome) -> bytes | None:
    """As it is kept; None for nothing, when there is too much of it."""
    return None if len(found.records) > RECORDS_MAX else msgspec.msgpack.encode(found)


def recalled(kept: bytes | None, rules: str, now: Millis) -> ToCome | None:
    """What was kept, where it still holds.

    Args:
        kept: as `kept_form` gave it; None when nothing is kept.
        rules: those of now.
        now: the server's clock (ms since 1970).
    """
    try:
        found = None if kept is None else msgspec.msgpack.decode(kept, type=ToCome)
    except msgspec.MsgspecError:
        # An earlier or a later program's.
        return None
    return found if found is not None and found.rules == rules and found.at <= now else None


def moved_since(found: ToCome, heads: Mapping[ScopeName, Head]) -> dict[ScopeName, Seq]:
    """The scopes in which something was committed since, and behind which commit to look."""
    behind = {scope: found.heads.get(scope, Seq(0)) for scope in heads}
    return {scope: seq for scope, seq in behind.items() if seq != heads[scope].seq}
