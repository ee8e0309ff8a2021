"""`beatbook demo`: a shift in a minute, with real processes, sockets and crashes, that ends by checking the promises.

`masts` is the radio network between handhelds and server, `stage` the server's process and the enrolled devices,
`content` the invented shift, `actors` who works in it, `ledger` what each handheld was told, `checks` the promises,
`view` what a person sees meanwhile, `run` the course of events.
"""
