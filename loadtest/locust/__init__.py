"""Locust users and shapes on a device of their own making: nothing here imports `schemas`, `sync` or `server`.

It is written from docs/protocol.md and docs/reference/ alone, on `msgpack`, `websocket-client` and `cryptography`, so
that what it measures is what any other program would meet: a defect of the pages, or a server that only its own client
understands, shows here. import-linter keeps it apart.

From below to above: `wire` (bytes), `chain` (what is hashed and signed), `replica` and `outbox` (what a device holds),
`session` (the protocol, without a socket), `client` (the socket, under gevent), `calls` (signed HTTP calls), `cast` and
`enrolling` (who takes part, and how they come to be let in), `street`, `content` and `rates` (what is written and how
often), `running`, `ledger` and `thresholds` (what is lent, counted and judged), `users`, `shapes` and `hooks` (what
locust runs). `loadtest/locustfile.py` is the entry for locust; `python -m loadtest.locust` runs it all at once.
"""
