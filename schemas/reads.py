"""What was consulted, by whom and why: one entry of a device's read log (Data Protection Act 2018 section 62).

Section 62 asks for a log of collection, alteration, consultation, disclosure, combination and erasure; of consultation
and disclosure also the justification, date and time and who; of disclosure the recipients too. What is written anyway
(ops, acts of an administrator) tells of collection, alteration and erasure; this tells of the rest.
"""

from typing import Annotated, Literal

import msgspec

from schemas.ids import MillisInt, OfficerText, RecordText
from schemas.limits import INT_MAX, LINK_BYTES, REASON_CHARS_MAX

READ_RECORDS_MAX = 64
"""Records of one entry: those on one screen."""
RECIPIENTS_MAX = 16
READ_WHY_BYTES_MAX = 2_800
"""A reason in UTF-8: with the words of a search and one record it fits into READ_BYTES_MAX."""
READ_WORDS_CHARS_MAX = 160
"""What was searched for: a line."""

Recipient = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Read(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One consultation, disclosure or combination.

    Attributes:
        n: its number in the seat's read log, from 1, without gaps.
        link: SHA-256 over the entry before; 32 zero bytes before the first. A log that was cut short or changed
            no longer fits.
        what: `consultation`: somebody looked; `disclosure`: it was shown or given to somebody outside;
            `combination`: it was searched or put together with other records.
        author: the officer.
        records: which records.
        at: when, by the device's corrected clock (ms since 1970).
        wall: its uncorrected clock then (ms since 1970).
        matter: the incident or booking for whose sake; the reason is asked once for each.
        why: the justification.
        recipients: of a disclosure: to whom.
        words: of a combination: what was searched for, in words.
    """

    n: Annotated[int, msgspec.Meta(ge=1, le=INT_MAX)]
    link: Annotated[bytes, msgspec.Meta(min_length=LINK_BYTES, max_length=LINK_BYTES)]
    what: Literal["consultation", "disclosure", "combination"]
    author: OfficerText
    records: Annotated[tuple[RecordText, ...], msgspec.Meta(min_length=1, max_length=READ_RECORDS_MAX)]
    at: MillisInt
    wall: MillisInt
    matter: RecordText | None = None
    why: Annotated[str, msgspec.Meta(max_length=REASON_CHARS_MAX)] = ""
    recipients: Annotated[tuple[Recipient, ...], msgspec.Meta(max_length=RECIPIENTS_MAX)] = ()
    words: Annotated[str, msgspec.Meta(max_length=READ_WORDS_CHARS_MAX)] = ""


NO_LINK = bytes(LINK_BYTES)
"""Before the first entry."""
