"""The handheld's engine: the asyncio shell around the pure core: files, threads, sockets and tasks, no rules.

From the disk up: `folder` (files, lock, key check), `database` (one SQLCipher connection on one thread), `sqlcipher`
(the replica's tables in it), `store` (the replica as transactions). Beside them `keys` and `clocks`, the ports that an
application may fill itself. From the network down: `client` (when to connect), `link` (one connection), `inbox` (what
came and waits), `applier` (that, into the store). On top `handheld`, the API for applications, with `status`, `changes`
and `views`, what it tells, `lookups`, `describing` and `opening`: `writing` is what it writes, `claiming` (on `claims`)
is for what is scarce, `deciding` (on `items`) for the inbox, `holding` (with `reasons`) for what was refused,
`explaining` for why a value is shown; `notices` is what an officer must hear of.
"""

from sync.device.alarming import DueAlarm
from sync.device.changes import (
    AlarmFired,
    AlarmRaised,
    Change,
    ChangeStream,
    ClaimConfirmed,
    ClaimDisplaced,
    EditsErased,
    EditsSealed,
    InboxArrived,
    LeaseEnded,
    Missed,
    OpDurable,
    OpHeld,
    OpReissued,
    RecordChanged,
    Wiped,
)
from sync.device.claims import Alternative, ClaimState, Standing
from sync.device.clocks import Clock, SystemClock
from sync.device.database import set_aside
from sync.device.enrolment import Enrolment
from sync.device.findings import Finding
from sync.device.handheld import Handheld
from sync.device.items import CandidateView, InboxEntry
from sync.device.keys import DeviceIdentity, HeldKey, KeyFile, KeyHolder
from sync.device.signed_in import SignedIn
from sync.device.status import SyncStatus
from sync.device.views import Attributed, HeldOp, RecordView
from sync.device.writing import Written

__all__ = [
    "AlarmFired",
    "AlarmRaised",
    "Alternative",
    "Attributed",
    "CandidateView",
    "Change",
    "ChangeStream",
    "ClaimConfirmed",
    "ClaimDisplaced",
    "ClaimState",
    "Clock",
    "DeviceIdentity",
    "DueAlarm",
    "EditsErased",
    "EditsSealed",
    "Enrolment",
    "Finding",
    "Handheld",
    "HeldKey",
    "HeldOp",
    "InboxArrived",
    "InboxEntry",
    "KeyFile",
    "KeyHolder",
    "LeaseEnded",
    "Missed",
    "OpDurable",
    "OpHeld",
    "OpReissued",
    "RecordChanged",
    "RecordView",
    "SignedIn",
    "Standing",
    "SyncStatus",
    "SystemClock",
    "Wiped",
    "Written",
    "set_aside",
]
