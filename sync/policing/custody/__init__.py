"""Custody: the two clocks of a detention, the care of the person in it, and their release (PACE 1984 Part IV, Code C).

Everything here is computed from a booking's entries and the force's settings; nothing is stored and nothing does I/O.
"""
