"""Why each value of a record stands, in structure and in plain words: who said it, when, and what became of the rest.

`history` puts a record's story together from what is kept (`structure.Account`); `tell` says it in words. Structure
comes first and words are made from it, so that a program and a person are told the same. Nothing here reads or writes.
"""

from sync.explain.structure import Account, FieldHistory, History, Logged, Question, Step
from sync.explain.tracing import history
from sync.explain.words import tell

__all__ = ["Account", "FieldHistory", "History", "Logged", "Question", "Step", "history", "tell"]
