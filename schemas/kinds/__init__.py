"""The record kinds, one module each, and the registry of them. A kind is data: there is no merge code here.

Adding a kind is one module with one Struct, imported below.
"""

from schemas.kinds.base import KINDS, FieldSpec, Kind, KindSpec, Token, kind_named, spec_of
from schemas.kinds.booking import CustodyBooking
from schemas.kinds.briefing import Briefing
from schemas.kinds.claims import Hold
from schemas.kinds.inbox import Candidate, Decision, Escalation, InboxItem
from schemas.kinds.incident import Incident
from schemas.kinds.resource import Resource
from schemas.kinds.suspect import Suspect

__all__ = [
    "KINDS",
    "Briefing",
    "Candidate",
    "CustodyBooking",
    "Decision",
    "Escalation",
    "FieldSpec",
    "Hold",
    "InboxItem",
    "Incident",
    "Kind",
    "KindSpec",
    "Resource",
    "Suspect",
    "Token",
    "kind_named",
    "spec_of",
]
