"""The machine that holds the records: ASGI app, WebSocket pump, committer, hub, stores, identity, and the commands.

Imports `sync` and `schemas`; nothing imports this package but the `beatbook` command.
"""
