"""The evidence as mathematics and texts: the Merkle log, its checkpoints and proofs, and who remembers what of it.

`merkle` is the tree (RFC 6962), `note`, `checkpoint`, `cosign` and `proof` are the C2SP texts that carry its heads and
proofs, `leaf` is what the log's entries are made of, `pin` what a device remembers to notice a fork. Nothing here does
I/O or asks the time: whoever signs passes the key's signing function in, whoever verifies the public keys.
"""
