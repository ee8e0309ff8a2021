"""How things move: clock, merge, digests, outbox, replay, the two sessions, the replica's rules; and `sync.device`.

Everything here but `sync.device` is the protocol core: it does no I/O and knows no clock, no randomness, no socket, no
file. What it needs of those is passed in (import-linter checks it). `sync.device` is the thin asyncio shell that runs
the core on a handheld.
"""
