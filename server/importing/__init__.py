"""Records from elsewhere: files of other systems become drafts, and drafts become records through the office.

A source's row always makes the same record id, so importing a file again changes nothing.
"""
