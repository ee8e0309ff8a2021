"""How much a server bears: locust users and shapes, and the benchmark harness.

It speaks the wire through `msgpack` alone, which proves that the protocol needs nothing of ours, and borrows
from `schemas` and `sync` only. Nothing here imports `server`, and nothing imports this package.
"""
