"""Commands that carry themselves out, a module for each sort of work: what an officer, a desk, a control room does.

A command here reads the records through the handheld, asks the rules of `sync.policing`, and writes one change. No rule
lives here, and nothing here knows the keyboard.
"""
