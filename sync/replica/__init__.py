"""The replica's rules: what a batch, a page, a result or an edit does to what a device holds. Pure.

`tables` is the port under it (what is kept), with an in-memory adapter for tests, load and simulation; the encrypted
adapter is `sync.device.sqlcipher`. `core` holds the rules; each public call of it is one transaction of its caller.
`ownops` is the outbox, `mending` what gives a change another number, `moved` what is sealed of records that moved away,
`writing` what an officer may write, `rebuilding` rows that come as differences, `members` a scope's members while a
message is applied, `facts` what is told with a write and after a transaction.
"""

from sync.replica.core import Replica
from sync.replica.facts import Dependants, Outcome, WriteFacts
from sync.replica.tables import MemoryTables, StoredOp, StoredPosition, Tables

__all__ = ["Dependants", "MemoryTables", "Outcome", "Replica", "StoredOp", "StoredPosition", "Tables", "WriteFacts"]
