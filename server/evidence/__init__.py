"""Evidence: checking what is kept, giving it out with proof, and who did what (DESIGN section 10).

`whole` checks a database against its own log, with no server; `disclosure` makes the export of one record and
`exported` checks one with neither server nor database; `section62` tells who collected, altered, consulted,
disclosed, combined and erased what. Everything here reads. What must be written (that somebody searched, that
something was disclosed) goes through the committer and the ledger like everything else.
"""
