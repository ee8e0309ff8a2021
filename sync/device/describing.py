"""What a record is called in a line, for whoever must recognise it: in an inbox, at a claim, in a list."""

from typing import Final

from schemas.ids import RecordId, is_record_id
from schemas.kinds import (
    Alarm,
    CustodyBooking,
    ForceSettings,
    InboxItem,
    Kind,
    Medical,
    ProtectionPlan,
    Resource,
    kind_named,
    spec_of,
)
from sync.device.kind_words import TOLD
from sync.device.store import Held

GIST: Final[dict[type[Kind], tuple[str, ...]]] = {kind: words.gist for kind, words in TOLD.items()}
"""Kind -> the fields that say together what a record is about; the first one is never empty."""
_SHORT_CHARS: Final = 8


def short(record: RecordId) -> str:
    """The end of a record's id, which stands for it where people read: beginnings are times, and alike."""
    return record[-_SHORT_CHARS:]


def kind_in_words(name: str) -> str:
    """A kind as people say it: `custody booking`."""
    return name.replace("-", " ")


def gist_of(value: Kind) -> str:
    """What a record is about, in a line."""
    return ", ".join(part for name in GIST[type(value)] if (part := getattr(value, name)))


def called(value: Kind) -> str:
    """What a record is called in a sentence: `cell M3 of suite:perry-barr`, `custody booking of A. Garside`."""
    match value:
        case Resource():
            return f"{kind_in_words(str(value.category.value))} {value.name} of {value.home}"
        case CustodyBooking():
            return f"custody booking of {value.detainee}"
        case Medical():
            return f"medical record of booking {short(value.booking)}"
        case ProtectionPlan():
            return f"protection plan of {value.child}"
        case ForceSettings():
            return "settings of the force"
        case Alarm():
            about = f" ({value.key})" if value.key else ""
            return f"alarm: {kind_in_words(value.what)} of a {kind_in_words(value.subject_kind)}{about}"
        case InboxItem():
            return f"decision on {value.field.replace('_', ' ')} of a {kind_in_words(value.subject_kind)}"
        case _:
            kind = kind_in_words(spec_of(type(value)).name)
            return f"{kind} “{getattr(value, GIST[type(value)][0])}”"


def record_called(held: Held, record: RecordId, kind: str) -> str:
    """What a record is called, also one that is not on this handheld.

    Args:
        held: the replica.
        record, kind: which, and the name of its kind.
    """
    state = held.replica.view(record)
    if state is None:
        return f"{kind_in_words(kind)} {short(record)}, which is not on this handheld"
    return called(state.build())


def holder_called(held: Held, holder: str) -> str:
    """For whom or what something is held, as people say it: the name of a record, where the holder is one."""
    if not is_record_id(holder):
        return holder
    name = held.tables.kind_of(RecordId(holder))
    spec = None if name is None else kind_named(name)
    if spec is None:
        return f"record {short(RecordId(holder))}"
    return record_called(held, RecordId(holder), spec.name)
