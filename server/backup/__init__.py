"""Backups: one encrypted file that holds all of a data folder at one moment, and the way back from it.

`keys` are who can open one, `stream` is the encryption, `archive` what stands inside, `snapshot` reads the data folder
of a running server as one state, `configured` the files that told the server what to do, `target` is where an archive
goes, `taking` makes one; `unpacking` writes the files back, `restoring` makes a data folder of them that the server
takes for what it is: set back. `erasures` keeps what was erased after a backup from coming back with it. Nothing here
serves anybody or changes a data folder that is in use.
"""
