"""The default store: one SQLite file in a data folder of its own.

`folder` is the folder and its lock, `schema` the tables and their history, `writer` the one connection that writes and
checkpoints, `process` and `child` the two ends of the process it runs in, `reader` the connections that read, `store`
the adapter over them. `sealed` is what lies sealed in the tables, `sealing` seals what an earlier program left open,
`erasing` destroys, `rotation` brings a new master key, `transaction` is how writer and sealing write. Nothing outside
this package sees SQL, a path inside the folder or an `sqlite3` error.
"""

from server.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
