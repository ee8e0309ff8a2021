"""Work that passes from one to another: an incident between teams, a shift to the next, officers between areas.

Each module holds the rules of one of the three: what is refused, and what falls due when nobody answers. The view of
all that waits is `sync.policing.handover`.
"""
