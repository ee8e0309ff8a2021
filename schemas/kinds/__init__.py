"""The record kinds, one module each, and the registry of them. A kind is data: there is no merge code here.

Adding a kind is one module with one Struct, imported below.
"""

from schemas.kinds.base import KINDS, FieldSpec, Kind, KindSpec, kind_named, spec_of
from schemas.kinds.booking import CustodyBooking
from schemas.kinds.briefing import Briefing
from schemas.kinds.incident import Incident

__all__ = [
    "KINDS",
    "Briefing",
    "CustodyBooking",
    "FieldSpec",
    "Incident",
    "Kind",
    "KindSpec",
    "kind_named",
    "spec_of",
]
