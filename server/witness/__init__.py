"""The witness: a small process beside no database of ours, that cosigns the log's checkpoints; and the log's client.

`request` is the message, `heads` what the witness must never forget, `witness` its rule, `app` and `serving` the HTTP
around it. `client` is the log's side: it asks several witnesses at once. The protocol is C2SP tlog-witness, so our log
can be witnessed by programs of others, and our witness can watch logs of others.
"""
