"""The use of powers: what a stop and search must say, and what those who look into searches are shown.

Pure, as all of `sync.policing`: the figures that are published come from `server.exporting`.
"""
