"""The record kinds, one module each, and the registry of them. A kind is data: there is no merge code here.

Adding a kind is one module with one Struct, imported below. `base` says what a kind and a field are, `declare` reads a
field's declarations, `registry` keeps the kinds; the other modules are kinds, or what several of them share.
"""

from schemas.kinds.alarm import Acknowledgement, Alarm
from schemas.kinds.base import FieldSpec, Kind, KindSpec
from schemas.kinds.booking import CustodyBooking
from schemas.kinds.briefing import Briefing
from schemas.kinds.callback import CallBackSample
from schemas.kinds.claims import Hold
from schemas.kinds.cohort import Cohort
from schemas.kinds.deployment import DeploymentRequest
from schemas.kinds.force import UseOfForce
from schemas.kinds.handover import Handover
from schemas.kinds.inbox import Candidate, Decision, Escalation, InboxItem
from schemas.kinds.incident import Incident
from schemas.kinds.medical import Medical
from schemas.kinds.powers import StopSearch
from schemas.kinds.protection import ProtectionPlan
from schemas.kinds.receipts import BriefingReceipt
from schemas.kinds.registry import KINDS, kind_named, retention_group, spec_of
from schemas.kinds.resource import Resource
from schemas.kinds.series import NumberSeries
from schemas.kinds.settings import ForceSettings
from schemas.kinds.suspect import Suspect
from schemas.tokens import Token

__all__ = [
    "KINDS",
    "Acknowledgement",
    "Alarm",
    "Briefing",
    "BriefingReceipt",
    "CallBackSample",
    "Candidate",
    "Cohort",
    "CustodyBooking",
    "Decision",
    "DeploymentRequest",
    "Escalation",
    "FieldSpec",
    "ForceSettings",
    "Handover",
    "Hold",
    "InboxItem",
    "Incident",
    "Kind",
    "KindSpec",
    "Medical",
    "NumberSeries",
    "ProtectionPlan",
    "Resource",
    "StopSearch",
    "Suspect",
    "Token",
    "UseOfForce",
    "kind_named",
    "retention_group",
    "spec_of",
]
