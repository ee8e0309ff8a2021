"""Briefings and information: who has read what, which briefing stands, what a shift is told, what may be published.

Pure functions of records, settings and a moment, for the handheld, the desk and the server alike.
"""
