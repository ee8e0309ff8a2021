"""The replica's rules: what a batch, a page, a result or an edit does to what a device holds. Pure.

`tables` is the port under it (what is kept), with an in-memory adapter for tests, load and simulation; the encrypted
adapter is `sync.device.sqlcipher`. `core` holds the rules; each public call of it is one transaction of its caller.
`writing` is what an officer may write, `members` a scope's members while a message is applied.
"""

from sync.replica.core import Outcome, Replica, WriteFacts
from sync.replica.tables import MemoryTables, StoredOp, StoredPosition, Tables

__all__ = ["MemoryTables", "Outcome", "Replica", "StoredOp", "StoredPosition", "Tables", "WriteFacts"]
