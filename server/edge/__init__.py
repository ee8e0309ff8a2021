"""Where the outside world touches the server: connections, addresses, limits, Origin, headers, TLS.

What a request may cost and from where it may come is decided here, before anything of the application runs. Who it is
and what it may see is not: that is identity's. Nothing here knows of records or sessions.
"""
