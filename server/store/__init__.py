"""Where the records are kept: the port, and its adapters.

`port` is what the server asks of a store. `sqlite` is the default: one file in a data folder, written by a process of
its own and read apart. `memory` keeps everything in this process, for tests and simulation. One contract suite
(tests/server/store/) runs on every adapter.
"""

from server.store.port import Changes, Page, Store

__all__ = ["Changes", "Page", "Store"]
