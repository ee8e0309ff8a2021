"""What things are: ids, limits, errors, scopes, record kinds with their field policies, ops, rows, wire messages.

Nothing here moves data or keeps it. No module of this package does I/O, except `schemas.jsonschema`, the
generator that writes `schemas/json/`. Nothing here imports `sync`, `server` or `loadtest`.
"""
