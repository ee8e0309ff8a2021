"""Other sync engines on the same jobs, on the same machine, in the same run: `python -m loadtest.peers`.

A figure of ours says little beside figures that others took elsewhere. So each peer is fetched from its registry
(`--install`, versions in `pins.toml`), started as its documentation says on one core, and asked from the other to do
what `loadtest.bench` asks of us; what its acknowledgement is worth is found out by killing it. Nothing of theirs is
kept in the tree. `catalogue` says which peers there are, `run` runs one job, `rows` is what comes out; `node/` and
`python/` hold the clients, and what server code a library needs around it. docs/explanation/peers.md tells what each
can do.
"""
