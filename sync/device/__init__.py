"""The handheld's engine: the asyncio shell around the pure core: files, threads, sockets and tasks, no rules.

From the disk up: `folder` (files, lock, key check), `database` (one SQLCipher connection on one thread), `sqlcipher`
(the replica's tables in it), `store` (the replica as transactions). Beside them `keys` and `clocks`, the ports that an
application may fill itself. From the network down: `client` (when to connect), `link` (one connection), `applier` (what
came, into the store). On top `handheld`, the API for applications, with `status`, `changes` and `views`, what it tells,
`lookups` and `opening`.
"""

from sync.device.changes import Change, ChangeStream, Missed, OpDurable, OpHeld, RecordChanged
from sync.device.clocks import Clock, SystemClock
from sync.device.database import set_aside
from sync.device.handheld import Handheld
from sync.device.keys import DeviceIdentity, HeldKey, KeyFile, KeyHolder
from sync.device.status import SyncStatus
from sync.device.views import Attributed, HeldOp, RecordView
from sync.device.writing import Written

__all__ = [
    "Attributed",
    "Change",
    "ChangeStream",
    "Clock",
    "DeviceIdentity",
    "Handheld",
    "HeldKey",
    "HeldOp",
    "KeyFile",
    "KeyHolder",
    "Missed",
    "OpDurable",
    "OpHeld",
    "RecordChanged",
    "RecordView",
    "SyncStatus",
    "SystemClock",
    "Written",
    "set_aside",
]
