"""A shift hands over: what the shift that goes off saw waiting, and who of the next one took each matter on.

The view of what waits is computed (`sync.policing.handover`) and needs nobody to write anything down. This record keeps
what no computation can tell: that somebody named a matter to somebody else, and that the other took it. What nobody has
taken on stays in the view, and an alarm tells of it.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from schemas import scopes
from schemas.ids import FieldName, MillisInt, RecordId, RecordText, ScopeName, ScopeText, SlugText, named_record_id
from schemas.kinds.base import Kind
from schemas.kinds.common import Note
from schemas.kinds.detention import EntryRef
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, grow, once
from schemas.retention import RetentionGroup
from schemas.rights import POLICE, Rights
from schemas.roles import Role

DAY_MS: Final = 24 * 60 * 60_000
KEY_CHARS_MAX: Final = 200
_Key = Annotated[str, msgspec.Meta(max_length=KEY_CHARS_MAX)]


class HandedItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One matter that is handed over, as the giver saw it. Who gave it is its stamp's.

    Attributes:
        record, kind: in which record it is.
        part: what sort of matter it is (`sync.policing.handover.Part`).
        key: tells two of a part in one record apart; "" where there is one.
        words: what is to be done.
        at: by when (ms since 1970); None where there is no time.
        note: what the giver has to say of it.
    """

    record: RecordText
    kind: SlugText
    part: SlugText
    key: _Key = ""
    words: Note
    at: MillisInt | None = None
    note: Note | None = None

    def ref(self) -> str:
        """The name by which an answer means it: 16 hexadecimal digits that follow from record, part and key."""
        said = [self.record, self.part, self.key]
        return hashlib.sha256(msgspec.msgpack.encode(said)).hexdigest()[:16]


class HandedAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody of the next shift takes a matter on, or does not. Who it is is its stamp's.

    Attributes:
        item: which (`HandedItem.ref`).
        taken: whether it is theirs from now on.
        at: when (ms since 1970).
        note: what they have to say; of a refusal the reason.
    """

    item: EntryRef
    taken: bool
    at: MillisInt
    note: Note | None = None


def handover_id(audience: str, ends_at: int | str) -> RecordId:
    """The one record of the end of a shift: two who hand over without sight of each other write in the same.

    Args:
        audience, ends_at: as in `Handover`; the time as a number or in decimal digits.
    """
    return named_record_id("handover", audience, str(ends_at))


def _named(values: Mapping[FieldName, Any]) -> RecordId:
    # Of a newer program's op neither has been looked at: whatever they are, another id is all that follows.
    return handover_id(str(values.get(FieldName("audience"))), str(values.get(FieldName("ends_at"))))


_FIRST: Final = "Whose shift it is, and when it ends, is in the record's own name, and stands."


@record_kind(
    "handover",
    named=_named,
    retention=RetentionGroup.ADMINISTRATIVE,
    rights=Rights(
        makers=POLICE,
        writers=POLICE,
        because="Whoever goes off duty hands over, and whoever comes on takes it on.",
    ),
)
class Handover(Kind, frozen=True, kw_only=True):
    """One end of one shift, of a team, a suite or an area.

    Attributes:
        audience: whose shift: `team:response-a`, `suite:perry-barr`, `area:dudley`.
        ends_at: when it ends (ms since 1970).
        items: what is handed over.
        answers: what the next shift says to each.
    """

    audience: Annotated[
        ScopeText,
        once,
        Asks(roles=(Role.SUPERVISOR,), within_ms=DAY_MS, then=(Role.SUPERINTENDENT,), safe_because=_FIRST),
    ]
    ends_at: Annotated[
        MillisInt,
        once,
        Asks(roles=(Role.SUPERVISOR,), within_ms=DAY_MS, then=(Role.SUPERINTENDENT,), safe_because=_FIRST),
    ]
    items: Annotated[tuple[HandedItem, ...], grow] = ()
    answers: Annotated[tuple[HandedAnswer, ...], grow] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """Whose shift it is. A matter of a closed audience is handed over in that audience's own record."""
        return scopes.kept_in({ScopeName(self.audience)})

    def waiting(self) -> tuple[HandedItem, ...]:
        """The items that nobody has taken on, each once, as it was named last; in order of their names.

        Taken on once is taken on: of two who answered without sight of each other, one has it.
        """
        taken = {one.item for one in self.answers if one.taken}
        items = {one.ref(): one for one in self.items}
        return tuple(items[name] for name in sorted(items) if name not in taken)

    def refused(self) -> dict[str, HandedAnswer]:
        """Item (`HandedItem.ref`) -> the last refusal of it, where nobody has taken it on."""
        waiting = {one.ref() for one in self.waiting()}
        said = sorted((one for one in self.answers if one.item in waiting), key=lambda one: one.at)
        return {one.item: one for one in said}
