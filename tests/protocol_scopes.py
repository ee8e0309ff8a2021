"""What docs/protocol.md tells of the scopes of a record: a rule in words for each kind, and what comes of cases.

The words are for whoever writes a device in another language; the cases beside them are `Kind.scopes` itself, and are
chosen so that each half-sentence of a rule has one.
"""

import json
from typing import Any, Final

from schemas.ids import FieldName
from schemas.kinds import KINDS
from tests.examples import LEAST, T0

_IN_COMPARTMENT: Final = "with a `compartment`, `compartment:` and that, and nothing else"
RULES: Final = {
    "incident": "`area:` and its `area`; `team:`, `mission:`, `officer:` and each of its `teams`, `missions`, `named`; "
    "`team:` and the team that has it and, while an offer is open, both sides of it (`passing`); " + _IN_COMPARTMENT,
    "suspect": "`area:` and its `area`",
    "custody-booking": "`suite:` and its `suite`",
    "medical": "`suite:`, its `suite` and `:medical`",
    "briefing": "of each of its `audience` the briefing scope (`…:briefing`); the safety scope (`…:safety`) instead "
    "when its `priority` is `officer-safety`",
    "receipt": "`force:receipts`, and `officer:` and its `officer` in lower case; with `closed`, of each audience in "
    "it `…:receipts` and `…:of-` and the `officer`, and nothing else. A collar number that fits in no scope has none",
    "resource": "its `home`; a cell also `custody`; anything else, while it is lent, also `area:` and the `area` of "
    "its `loan`",
    "deployment-request": "`area:` and `asking`, `area:` and `lending`; while its `status` is neither `refused` nor "
    "`ended`, `officer:` and each `officer` whom its `lent` names last without `back`",
    "handover": "its `audience`",
    "cohort": "`mission:` and its `mission`",
    "stop-search": "`area:` and its `area`; " + _IN_COMPARTMENT,
    "use-of-force": "`area:` and its `area`; " + _IN_COMPARTMENT,
    "protection-plan": "`team:` and its `team`, `officer:` and each of its `named`; never an area; " + _IN_COMPARTMENT,
    "call-back-sample": "`compartment:call-backs`, and nothing else",
    "settings": "`force`",
    "number-series": "none: it stays in the server",
    "inbox-item": "its `places`; while it is open, the inbox of each (`…:inbox`), and once it has `escalations` also "
    "`force:inbox`, unless a place is closed",
    "alarm": "its `places`; while nobody has `acknowledged` it and it has no `over_at`, the inbox of each, and once it "
    "has `escalations` also `force:inbox`, unless a place is closed",
}
"""Kind -> what its records are in."""
_OFFER: Final = {"giver": "response-a", "to": "priority-crime", "offered_at": T0, "at": T0}
_LENT: Final = {"officer": "wm21877", "called": "Tango 4"}
_MORE: Final[dict[str, list[dict[str, Any]]]] = {
    "incident": [
        {"teams": ["operations"], "missions": ["castle"], "named": ["wm21877"]},
        {"passing": [{"step": "offered", **_OFFER}]},
        {"passing": [{"step": "offered", **_OFFER}, {"step": "accepted", **_OFFER}]},
        {"teams": ["operations"], "compartment": "larch"},
    ],
    "briefing": [
        {"audience": ["area:dudley", "team:operations"]},
        {"priority": "officer-safety"},
        {"audience": ["force", "compartment:larch"]},
    ],
    "receipt": [
        {"officer": "WM.1"},
        {"closed": ["compartment:larch"]},
    ],
    "resource": [
        {"category": "vehicle", "home": "area:dudley"},
        {"category": "vehicle", "home": "area:dudley", "loan": {"area": "walsall", "until": T0}},
    ],
    "deployment-request": [
        {"status": "agreed", "lent": [_LENT]},
        {"status": "agreed", "lent": [_LENT, {**_LENT, "back": True}]},
        {"status": "ended", "lent": [_LENT]},
    ],
    "handover": [{"audience": "suite:perry-barr"}],
    "stop-search": [{"compartment": "larch"}],
    "use-of-force": [{"compartment": "larch"}],
    "protection-plan": [{"named": ["wm21877"]}, {"named": ["wm21877"], "compartment": "larch"}],
    "inbox-item": [
        {"escalations": [{"to": "superintendent", "overdue_ms": 1}]},
        {"places": ["area:dudley", "compartment:larch"], "escalations": [{"to": "superintendent", "overdue_ms": 1}]},
        {"ended_by": "hh-0042/9"},
    ],
    "alarm": [
        {"escalations": [{"to": "superintendent", "overdue_ms": 1}]},
        {"places": ["suite:perry-barr:medical"]},
        {"over_at": T0},
    ],
}


def cases() -> list[tuple[str, dict[str, Any], frozenset[str]]]:
    """(kind, the fields that count, the scopes), the barest record of each kind first."""
    found: list[tuple[str, dict[str, Any], frozenset[str]]] = []
    for name in RULES:
        for more in ({}, *_MORE.get(name, ())):
            record = KINDS[name].build({FieldName(field): value for field, value in {**LEAST[name], **more}.items()})
            found.append((name, more, frozenset(record.scopes())))
    return found


def rules_text() -> str:
    """The table of rules."""
    lines = [f"| `{name}` | {rule} |\n" for name, rule in RULES.items()]
    return "| kind | scopes |\n| --- | --- |\n" + "".join(lines)


def cases_text() -> str:
    """The table of cases; times are left as they are written, in milliseconds."""
    lines = ["| kind | with | in |\n| --- | --- | --- |\n"]
    for name, fields, found in cases():
        shown = ", ".join(f"`{key}`: `{json.dumps(value)}`" for key, value in fields.items())
        lines.append(f"| `{name}` | {shown} | {', '.join(f'`{scope}`' for scope in sorted(found)) or 'none'} |\n")
    return "".join(lines)
