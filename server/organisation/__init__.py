"""The organisation as files: a force told in TOML and CSV, compared with the registry, and brought into it.

`reading` and `tables` read the files; `definition` is what they say and `checking` whether it fits together; `planning`
and `cells` say what would change, purely; `organising` has it done at a running server, all of it or nothing. What the
files do not name is not touched: people may go on giving and ending rights by hand beside them.
"""
