"""What leaves for others: rows that are published, hardened files, and what those who scrutinise make of them.

No routes and no commands: `server.http.exports` and `server.cli.exporting` ask for it.
"""
