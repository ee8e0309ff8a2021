"""Records as they stand, scopes, chains and keys: what the database says must be what the log leads to."""

import hashlib
from typing import Final

from schemas.codec import decode_row
from schemas.errors import FrameError, StoreError
from schemas.ids import RecordId, ScopeName, Seq
from schemas.kinds import kind_named
from server.evidence.contents import Contents
from server.evidence.findings import Findings
from server.evidence.story import VERIFIER, Story
from server.logbook import ERASED_DIGEST
from server.store.sqlite.inspection import Closed, ErasedRow, Inspection, KeyRow, MemberRow, RecordRow, master_named
from sync import digest, merge

_EDITED: Final = "It was edited in the database, not by an op."
_MISLED: Final = "Devices would be sent too little, too much, or the wrong records."


class Standing:
    """Checks what the commits have left, once the log was walked."""

    def __init__(self, inspection: Inspection, findings: Findings, contents: Contents, story: Story) -> None:
        """Bind it."""
        self._inspection = inspection
        self._findings = findings
        self._contents = contents
        self._story = story
        self._scopes: dict[RecordId, frozenset[ScopeName] | None] = {}
        self._versions: dict[RecordId, Seq] = {}
        self._by_rule: set[RecordId] = set()

    def check(self) -> None:
        """All of it."""
        self._meta()
        for row in self._inspection.records():
            self._record(row)
        for record, (_, hashed) in sorted(self._contents.newest.items()):
            if hashed != ERASED_DIGEST and record not in self._versions:
                self._findings.wrong(
                    "record", record, "is in the log and not in the table", "The record was taken out by no act."
                )
        self._members()
        self._chains()
        self._keys()
        self._erased()

    def _meta(self) -> None:
        meta = self._inspection.meta()
        if meta.get("seq") != self._contents.seq:
            self._findings.wrong(
                "meta", "seq", f"says {meta.get('seq')}, the log's last commit is {self._contents.seq}", _MISLED
            )
        if "unsealed" in meta:
            self._findings.note("the database is not sealed yet: start the server on it once, to its end")
        for name in meta.keys() - {"seq", "epoch", "masters", "unsealed"}:
            self._findings.wrong("meta", name, "is nothing that this program writes", _EDITED)
        epoch = str(meta.get("epoch", ""))
        if len(epoch) != 16 or not set(epoch) <= set("0123456789abcdef"):  # noqa: PLR2004  `schemas.ids.EPOCH_PATTERN`
            self._findings.wrong("meta", "epoch", f"is {epoch!r}", _EDITED)

    # --- records -----------------------------------------------------------------------------------------------------

    def _record(self, row: RecordRow) -> None:
        self._findings.looked_at("records")
        self._versions[row.id] = row.version
        self._scopes[row.id] = None
        told = self._contents.newest.get(row.id)
        if told is None or told[1] == ERASED_DIGEST:
            self._findings.wrong(
                "record", row.id, "no commit has made it, or one erased it", "It was put into the database by no op."
            )
            return
        seq, hashed = told
        if row.version != seq:
            self._findings.wrong("record", row.id, f"its version is {row.version}, the log has {seq}", _EDITED)
        try:
            body = self._inspection.record_body(row)
        except StoreError as error:
            self._findings.wrong("record", row.id, str(error), "It was exchanged or altered in the database.")
            return
        if isinstance(body, Closed):
            self._closed(row, body)
        elif hashlib.sha256(body).digest() != hashed:
            self._findings.wrong(
                "record",
                row.id,
                f"its row has another hash than commit {seq} gave it",
                "What is shown is not what was committed: the row was edited, or an older one put back.",
            )
        else:
            self._content(row, body)

    def _closed(self, row: RecordRow, why: Closed) -> None:
        if why is Closed.NO_KEY:
            self._findings.wrong("record", row.id, "its key is not there", "The record can be read no more.")
        self._findings.passed_over(f"records, by their content: {why.value}")

    def _content(self, row: RecordRow, body: bytes) -> None:
        try:
            decoded = decode_row(body)
            if kind_named(decoded.kind) is None:
                self._findings.passed_over("records of kinds that only a newer program knows")
                return
            built = merge.from_row(decoded).build()
        except (FrameError, ValueError) as error:
            self._findings.wrong(
                "record", row.id, f"cannot be read ({error})", "A defect, or a newer program, wrote it."
            )
            return
        said = (row.id, row.kind, row.version, row.about)
        kept = (decoded.id, decoded.kind, decoded.v, built.about())
        for name, ours, theirs in zip(("id", "kind", "version", "subject"), said, kept, strict=True):
            if ours != theirs:
                self._findings.wrong("record", row.id, f"its {name} is {ours}, its row says {theirs}", _EDITED)
        self._scopes[row.id] = built.scopes()
        spec = kind_named(decoded.kind)
        if spec is not None and spec.by_rule:
            self._by_rule.add(row.id)

    # --- scopes ------------------------------------------------------------------------------------------------------

    def _members(self) -> None:
        seen: dict[RecordId, set[ScopeName]] = {}
        totals: dict[ScopeName, tuple[Seq, bytes, int]] = {}
        for row in self._inspection.members():
            self._findings.looked_at("memberships of scopes")
            self._member(row)
            seq, total, count = totals.get(row.scope, (Seq(0), digest.EMPTY, 0))
            if not row.gone:
                seen.setdefault(row.record, set()).add(row.scope)
                total, count = digest.change(total, added=[(row.record, row.seq)]), count + 1
            totals[row.scope] = (max(seq, row.seq), total, count)
        for record, scopes in self._scopes.items():
            for scope in sorted((scopes or frozenset()) - seen.get(record, set())):
                self._findings.wrong("member", f"{scope} {record}", "is not there, and the record is in it", _MISLED)
        for scope, record, kept, left in self._contents.histories.differences(self._by_rule):
            self._findings.wrong(
                "member",
                f"{scope} {record}",
                f"its tombstone is of {_commit(kept)}, it left the scope at {_commit(left)}",
                "Devices would keep a record that they have no right to, or drop one that they need.",
            )
        self._heads(totals)

    def _member(self, row: MemberRow) -> None:
        name = f"{row.scope} {row.record}"
        if row.gone not in {0, 1}:
            self._findings.wrong("member", name, f"`gone` is {row.gone}", _MISLED)
        if row.record not in self._versions:
            if not row.gone or row.record not in self._contents.newest:
                self._findings.wrong("member", name, "there is no such record", _MISLED)
            return
        scopes = self._scopes[row.record]
        if scopes is not None and (row.scope in scopes) == bool(row.gone):
            held = "gone from it" if row.gone else "in it"
            self._findings.wrong("member", name, f"is said to be {held}, by its row it is not", _MISLED)
        if not row.gone and row.seq != self._versions[row.record]:
            version = self._versions[row.record]
            self._findings.wrong("member", name, f"is at commit {row.seq}, the record at {version}", _MISLED)

    def _heads(self, totals: dict[ScopeName, tuple[Seq, bytes, int]]) -> None:
        for row in self._inspection.scopes():
            self._findings.looked_at("scopes")
            expected = totals.pop(row.name, None)
            if expected != (row.seq, row.digest, row.count):
                self._findings.wrong(
                    "scope", row.name, "its position, digest or count is not what its members give", _MISLED
                )
        for name in totals:
            self._findings.wrong("scope", name, "is not there, and records are or were in it", _MISLED)

    # --- chains ------------------------------------------------------------------------------------------------------

    def _chains(self) -> None:
        if self._story.blind:
            self._findings.note("signed heads could not be opened: chains of ops were not checked")
            return
        kept = self._inspection.chains()
        for name in sorted(kept.keys() | self._story.chains.keys()):
            self._findings.looked_at("chains")
            if kept.get(name) != self._story.chains.get(name):
                self._findings.wrong(
                    "chain",
                    name,
                    "does not stand where the journal leads it",
                    "What the device signs next would be refused, or an op could be slipped in.",
                )
        covered = {key: signed.digest for key, signed in self._story.covered.items()}
        held = self._inspection.covered()
        for device, n in sorted(held.keys() | covered.keys()):
            if held.get((device, n)) != covered.get((device, n)):
                self._findings.wrong(
                    "covered",
                    f"{device}/{n}",
                    "is not what the device's signed heads say",
                    "Another op could be slipped in under this number.",
                )

    # --- keys --------------------------------------------------------------------------------------------------------

    def _keys(self) -> None:
        wanted = self._inspection.subjects()
        masters = str(self._inspection.meta().get("masters", "")).split()
        for place, row in enumerate(self._inspection.wrapped_keys(), start=1):
            self._findings.looked_at("keys")
            if row.n != place:
                self._findings.wrong("record_key", row.subject, f"is key {row.n}, expected {place}", "Keys were moved.")
            if row.subject not in wanted and not row.destroyed:
                self._findings.wrong("record_key", row.subject, "nothing is sealed under it", "It was put in by no op.")
            if not row.destroyed and master_named(row).hex() not in masters:
                self._findings.wrong(
                    "meta", "masters", f"lacks {master_named(row).hex()}, of {row.subject}'s key", _EDITED
                )
            self._key(row)
            wanted.discard(row.subject)
        for subject in sorted(wanted):
            self._findings.wrong(
                "record_key", subject, "is not there", "What is sealed under it can be read no more; no act erased it."
            )
        names = self._inspection.secret_names()
        for name in names:
            self._secret(name)
        # That is all that acts tell of secrets: which counts of tries and which shares there must be, none does.
        for officer in sorted(self._story.with_passphrase - {one.removeprefix(VERIFIER) for one in names}):
            self._findings.wrong(
                "secret",
                f"{VERIFIER}{officer}",
                "is not there, and acts tell of this officer's passphrase",
                "It was taken out by no act: they cannot sign in with it.",
            )

    def _key(self, row: KeyRow) -> None:
        try:
            self._inspection.try_key(row)
        except StoreError as error:
            self._findings.wrong("record_key", row.subject, str(error), "What is sealed under it can be read no more.")

    def _secret(self, name: str) -> None:
        self._findings.looked_at("secrets")
        try:
            self._inspection.try_secret(name)
        except StoreError as error:
            self._findings.wrong("secret", name, str(error), "It was altered, or put into the database from elsewhere.")

    def _erased(self) -> None:
        """Erasing is an act, leaves a mark in the log, destroys a key, and is told; none goes without the others."""
        marked = {one: seq for one, (seq, hashed) in self._contents.newest.items() if hashed == ERASED_DIGEST}
        gone = {RecordId(row.subject) for row in self._inspection.wrapped_keys() if row.destroyed}
        told = {row.record: row for row in self._inspection.erased()}
        for record in sorted(gone - marked.keys()):
            self._findings.wrong(
                "record_key", record, "was destroyed, and no commit erased it", "It can be read no more."
            )
        for record in sorted(marked.keys() - gone):
            self._findings.wrong(
                "record_key", record, "is there, and a commit erased the record", "What was erased may be read again."
            )
        for record in sorted(marked.keys() ^ told.keys()):
            self._findings.wrong("erased", record, "is not what the log says of erasures", _EDITED)
        for row in told.values():
            self._erased_row(row, marked.get(row.record))

    def _erased_row(self, row: ErasedRow, seq: Seq | None) -> None:
        self._findings.looked_at("erased records")
        if (row.seq, row.at) != (seq, self._contents.erased_at.get(row.record)):
            self._findings.wrong("erased", row.record, "its commit or time is not the log's", _EDITED)
        if not self._story.blind and row.subject not in self._story.registry.erased:
            self._findings.wrong(
                "erased", row.record, f"no act has erased {row.subject}", "It was erased by nobody's decision."
            )
        try:
            self._inspection.try_note(row)
        except StoreError as error:
            self._findings.wrong("erased", row.record, str(error), "What is said where the record was is not true.")


def _commit(seq: Seq | None) -> str:
    return "no commit" if seq is None else f"commit {seq}"
