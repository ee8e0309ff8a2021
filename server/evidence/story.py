"""The journal read as a story, entry by entry: acts that could be done, heads that devices signed, read logs that fit.

Each entry is checked at its place in the log: a head by the key that its device had *then*, an act by the registry as
the acts before it had made it, and what was recorded of a seat's rights by what the rules give for that moment.
"""

import hashlib
import itertools
from typing import Final, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Millis, OfficerId, OpNumber
from schemas.reads import NO_LINK
from schemas.wire import RECEIPT_CONTEXT, WIPED_CONTEXT
from server import logbook
from server.alarms import Alarm
from server.evidence.consulted import Consulted
from server.evidence.findings import Findings
from server.evidence.section62 import Searched
from server.intake import KeptReceipt, ReadBatch, SealedEdit, reads_chain
from server.logbook import OFFICE, OpKey
from server.quarantine import Opened, Settled
from server.registry import DEFAULT_RULES, Registry, Rules, affected, plan
from server.registry.acts import Act, PassphraseChanged, SeatRights, SignedIn, decode, tag_of
from server.store.sqlite.inspection import EntryRow
from sync.evidence.chain import ChainHead, SignedHead, genesis, head_words, link_after

_T = TypeVar("_T")
BY_PASSPHRASE: Final = "passphrase"  # noqa: S105  the word in the act
"""The way to sign in for which the server keeps a verifier."""
VERIFIER: Final = "passphrase/"
"""Before the officer's number, the name of that verifier among the secrets (`server.authority.passphrases`)."""
BY_OUR_RULES: Final = (
    "what seats were granted was checked by the rules that this program has, since the log does not hold those of the "
    "program that wrote it: check what an earlier one wrote with that program too, before you doubt it"
)
_FORGED: Final = "Somebody wrote it who had not the device's key, or the entry was altered."


class SignedOp(msgspec.Struct, frozen=True):
    """An op as a chain must have it.

    Attributes:
        digest: SHA-256 of its bytes.
        link: the link before it; None where nothing is known of it.
    """

    digest: bytes
    link: bytes | None


class Story:
    """What the entries so far came to.

    Attributes:
        registry: the fold over the acts.
        chains: name -> where each chain must stand.
        covered: ops that a head vouches for and that had not come then.
        with_passphrase: officers who have, or have had, a passphrase of their own.
        blind: whether entries could not be opened, so that what stands above says nothing.
    """

    def __init__(self, findings: Findings, rules: Rules = DEFAULT_RULES) -> None:
        """Begin before the first entry.

        Args:
            findings: where to tell.
            rules: which role gives which scopes, as the server has them.
        """
        self._findings = findings
        self.registry = Registry(rules)
        self.chains: dict[str, ChainHead] = {}
        self.covered: dict[OpKey, SignedOp] = {}
        self.with_passphrase: set[OfficerId] = set()
        self.blind = False
        self._unsigned: dict[OpKey, SignedOp] = {}
        self._acts = 0
        self._owed: set[DeviceId] = set()
        self._acted_at = Millis(0)
        self._kept_at = Millis(0)
        self._group_at: Millis | None = None

    # --- ops ---------------------------------------------------------------------------------------------------------

    def op(self, key: OpKey, op: SignedOp) -> None:
        """An op was kept; a head vouches for it already, or one that comes must."""
        if key[0] == OFFICE:
            return
        told = self.covered.get(key)
        if told is None:
            self._unsigned[key] = op
        else:
            self._compare(key, op, told)

    def _compare(self, key: OpKey, op: SignedOp, signed: SignedOp) -> None:
        name = f"{key[0]}/{key[1]}"
        if op.digest != signed.digest:
            self._findings.wrong(
                "op", name, "its bytes are not those that its device signed", "The op was exchanged for another one."
            )
        elif op.link not in (None, signed.link):
            self._findings.wrong(
                "op",
                name,
                "names another op before it than its device's chain does",
                "An op before it was put in, left out or exchanged.",
            )

    # --- entries -----------------------------------------------------------------------------------------------------

    def entry(self, row: EntryRow, body: bytes, at: Millis) -> None:
        """The next entry of the journal.

        Args:
            row: as it lies.
            body: its bytes.
            at: the server's clock when it was kept, as its leaf says.
        """
        match row.what:
            case logbook.ACT:
                self._act(row, body, at)
            case logbook.HEAD:
                self._head(row, body)
            case logbook.READS:
                self._reads(row, body)
            case logbook.RECEIPT:
                self._receipt(row, body)
            case logbook.ALARM:
                self._read(row, body, Alarm)
            case logbook.QUARANTINE:
                self._read(row, body, SealedEdit)
            case "consultation":
                self._read(row, body, Consulted)
            case "search":
                self._read(row, body, Searched)
            case "quarantine-opened":
                self._read(row, body, Opened)
            case "quarantine-settled":
                self._read(row, body, Settled)
            case _:
                pass
        if row.what != logbook.ACT:
            self.settle()

    def end(self, *, logged_before: bool) -> None:
        """All entries have come.

        Args:
            logged_before: whether the first ops were kept before there was a log, by a program that signed nothing.
        """
        self.settle()
        if self.blind:
            self._findings.note("signed heads could not be opened: whether devices signed their ops was not checked")
            return
        for device, n in sorted(self._unsigned):
            if logged_before:
                self._findings.note(f"ops of {device} are not signed: they are older than signed heads")
                continue
            self._findings.wrong(
                "op", f"{device}/{n}", "no signed head covers it", "Nothing shows that the device wrote it."
            )

    def settle(self) -> None:
        """A group of acts has ended: whoever they concern must have the rights that follow from them."""
        for seat in sorted(self._owed):
            # Which moment in between the server looked at is not kept.
            missing = plan(self.registry, seat, self._acted_at)
            if missing is not None and plan(self.registry, seat, self._kept_at) is not None:
                scopes = ", ".join([*(one.scope for one in missing.began), *(one.scope for one in missing.ended)])
                self._findings.wrong(
                    "journal",
                    f"act {self._acts:012d}",
                    f"what follows for seat {seat} was not recorded: {scopes}",
                    "The seat holds what it has no right to, or lacks what it has.",
                )
        self._owed.clear()

    def _read(self, row: EntryRow, body: bytes, kind: type[_T]) -> _T | None:
        self._findings.looked_at(f"journal entries of the sort {row.what}")
        try:
            return msgspec.msgpack.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._findings.wrong(
                "journal", f"{row.what} {row.key}", "cannot be read", "It is damaged, or a newer program wrote it."
            )
            return None

    # --- acts --------------------------------------------------------------------------------------------------------

    def _act(self, row: EntryRow, body: bytes, at: Millis) -> None:
        self._findings.looked_at("journal entries of the sort act")
        self._acts += 1
        if row.key != f"{self._acts:012d}":
            self._wrong_act(row, f"is act {self._acts} by its place", "Acts were taken out, put in or exchanged.")
        try:
            act = decode(body)
        except StoreError as error:
            self._wrong_act(row, str(error), "The registry cannot be rebuilt from the acts.")
            return
        if not isinstance(act, SeatRights) and at != self._group_at:
            self.settle()
        self._group_at = at
        self._acted_at = max(self._acted_at, act.at)
        self._kept_at = max(self._kept_at, at, self._acted_at)
        try:
            if isinstance(act, SeatRights):
                self._check_rights(row, act)
            self.registry.check(act)
            self.registry.apply(act)
            self._passphrase(act)
            if not isinstance(act, SeatRights):
                self._owed |= affected(self.registry, act)
        except (UsageError, KeyError) as error:
            self._wrong_act(row, f"{tag_of(act)} cannot be: {error}", "No server that checks its acts has written it.")

    def _passphrase(self, act: Act) -> None:
        """Whose passphrase an act tells of."""
        if isinstance(act, PassphraseChanged):
            self.with_passphrase.add(act.officer)
        elif isinstance(act, SignedIn) and act.method == BY_PASSPHRASE:
            self.with_passphrase.add(self.registry.seats[act.seat].officer.officer)

    def _check_rights(self, row: EntryRow, act: SeatRights) -> None:
        self._owed.discard(act.seat)
        self._findings.note(BY_OUR_RULES)
        if plan(self.registry, act.seat, act.at) != act:
            self._wrong_act(
                row,
                f"the rights recorded for seat {act.seat} are not those that the rules give at that moment",
                "Rights were given or taken by no rule; or the force's rules were others then.",
            )

    def _wrong_act(self, row: EntryRow, differs: str, means: str) -> None:
        self._findings.wrong("journal", f"act {row.key}", differs, means)

    # --- what devices signed -----------------------------------------------------------------------------------------

    def _head(self, row: EntryRow, body: bytes) -> None:
        signed = self._read(row, body, SignedHead)
        if signed is None:
            return
        seat, name = signed.seat, f"head {row.key}"
        stood = self.chains.get(seat) or genesis(seat)
        numbers = [stood.n, *(n for n, _ in signed.ops)]
        if signed.before != stood.link or any(a >= b for a, b in itertools.pairwise(numbers)):
            self._findings.wrong(
                "journal",
                name,
                f"does not continue the chain of {seat} behind op {stood.n}",
                "Ops or heads before it were taken out, put in or reordered.",
            )
        head = signed.head
        if row.key != f"{seat}:{head.n}":
            self._findings.wrong("journal", name, f"is of {seat}:{head.n}", "Two heads were exchanged.")
        self._check_signature(name, seat, head_words(seat, head), signed.signature)
        link = signed.before
        for n, digest in signed.ops:
            mine = SignedOp(digest, link)
            kept = self._unsigned.pop((seat, n), None)
            if kept is None:
                self.covered.setdefault((seat, n), mine)
            else:
                self._compare((seat, n), kept, mine)
            link = link_after(link, n, digest)
        self.chains[seat] = head

    def _reads(self, row: EntryRow, body: bytes) -> None:
        batch = self._read(row, body, ReadBatch)
        if batch is None:
            return
        chain = reads_chain(batch.seat)
        at = self.chains.get(chain) or ChainHead(OpNumber(0), NO_LINK)
        fits = row.key == f"{batch.seat}:{batch.first}" and batch.first == at.n + 1
        try:
            for read, raw in zip(batch.reads(), batch.entries, strict=True):
                fits = fits and read.n == at.n + 1 and read.link == at.link
                fits = fits and batch.officer in (None, read.author)
                at = ChainHead(OpNumber(read.n), hashlib.sha256(raw).digest())
        except (msgspec.MsgspecError, UnicodeDecodeError):
            fits = False
        if not fits:
            self._findings.wrong(
                "journal",
                f"reads {row.key}",
                "does not continue the read log of its seat",
                "Consultations were taken out, put in or altered.",
            )
        self.chains[chain] = at

    def _receipt(self, row: EntryRow, body: bytes) -> None:
        receipt = self._read(row, body, KeptReceipt)
        if receipt is None or not receipt.signature:
            return
        said: list[object] = [receipt.seat, receipt.scope, receipt.gen, receipt.removed, receipt.at]
        words = RECEIPT_CONTEXT + msgspec.msgpack.encode(said)
        if not receipt.scope:
            words = WIPED_CONTEXT + msgspec.msgpack.encode([receipt.seat, receipt.at])
        self._check_signature(f"receipt {row.key}", receipt.seat, words, receipt.signature)

    def _check_signature(self, name: str, seat: DeviceId, words: bytes, signature: bytes) -> None:
        known = self.registry.seats.get(seat)
        if known is None:
            if self._acts:
                self._findings.wrong("journal", name, f"no act has opened seat {seat}", _FORGED)
            else:
                self._findings.note("there are no acts: whose keys signed heads and receipts cannot be checked")
            return
        self._findings.looked_at("signatures of devices")
        if verified(known.device.public_key, words, signature):
            return
        earlier = [key for key, device in self.registry.keys.items() if device == known.device.device]
        if any(verified(key, words, signature) for key in earlier):
            self._findings.note(f"{name} is signed by a key that device {known.device.device} had before the present")
            return
        self._findings.wrong("journal", name, "the signature is not by the key that the device had then", _FORGED)


def verified(public_key: bytes, words: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature (RFC 8032) fits."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, words)
    except (InvalidSignature, ValueError):
        return False
    return True
