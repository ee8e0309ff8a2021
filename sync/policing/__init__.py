"""The rules of police work as pure functions: custody clocks, what may be closed, what must be asked, when to warn.

Each has its source in its docstring (the PACE section, the Code, the inspection) and takes the force's settings where
forces differ. Nothing here does I/O, so the handheld, the custody desk and the server answer alike, with or without
signal. `guards` holds what is refused or asked before it is written.
"""
