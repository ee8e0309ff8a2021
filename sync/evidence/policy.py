"""Whom a verifier believes: which logs, which witnesses, and how many of them (C2SP tlog-policy).

A policy is a text file that the verifier keeps and that the other side has no part in: keys that come along with a
proof prove nothing. Witnesses can be grouped, so that "two of the inspectorate's three and one of the university's"
can be said; `Policy.of` makes the plain "k of these n".
"""

from collections.abc import Iterable, Mapping
from typing import Final, Self

import msgspec

from schemas.errors import UsageError
from sync.evidence.checkpoint import Checkpoint, verified
from sync.evidence.cosign import cosigned_s
from sync.evidence.note import KeyType, Note, UntrustedError, VerifierKey

NONE: Final = "none"
"""The quorum that asks for no witness."""
POLICY_BYTES_MAX: Final = 256 * 1024
_LIMIT: Final = 256
"""Logs, witnesses and groups of a policy each; the specification asks for at least 32."""


class Group(msgspec.Struct, frozen=True):
    """So many of these.

    Attributes:
        least: members that must have cosigned.
        members: names of witnesses and of groups.
    """

    least: int
    members: tuple[str, ...]


class Witnessed(msgspec.Struct, frozen=True):
    """A checkpoint that a policy lets pass.

    Attributes:
        checkpoint: the head.
        note: as it came, with every signature.
        cosigned_s: name of a trusted witness's key -> when it cosigned, seconds since 1970-01-01T00:00Z (POSIX).
    """

    checkpoint: Checkpoint
    note: Note
    cosigned_s: Mapping[str, int]


class Policy(msgspec.Struct, frozen=True):
    """Whom to believe.

    Attributes:
        logs: keys of logs, of the type ED25519.
        witnesses: name within the policy -> key, of the type COSIGNATURE_V1.
        groups: name -> who belongs to it: witnesses, and groups that stand before it.
        quorum: name of the witness or the group that must have cosigned, or NONE.
    """

    logs: tuple[VerifierKey, ...]
    witnesses: Mapping[str, VerifierKey]
    groups: Mapping[str, Group]
    quorum: str = NONE

    def __post_init__(self) -> None:
        """Refuse keys in the wrong role and keys that would count twice.

        Raises:
            UsageError: says which.
        """
        for key in self.logs:
            if key.type is not KeyType.ED25519:
                raise UsageError(f"{key.name!r} is the key of a witness, not of a log")
        for key in self.witnesses.values():
            if key.type is not KeyType.COSIGNATURE_V1:
                raise UsageError(f"{key.name!r} is the key of a log, not of a witness")
        above = {NONE, *self.witnesses}
        for name, group in self.groups.items():
            if not above.issuperset(group.members) or NONE in group.members or name in above:
                raise UsageError(f"the group {name!r} holds what does not stand above it, or takes a name twice")
            above.add(name)
        if self.quorum not in above:
            raise UsageError(f"the quorum {self.quorum!r} is neither a witness nor a group")
        # A key in two roles, or under two names, would let one party stand for two.
        public = [key.public_key for key in (*self.logs, *self.witnesses.values())]
        if len(set(public)) != len(public):
            raise UsageError("a policy names a public key twice: every log and every witness has its own")
        # Results are told by the key's name, which must therefore be one witness's alone.
        if len({key.name for key in self.witnesses.values()}) != len(self.witnesses):
            raise UsageError("a policy names two keys of one witness: give the one that it signs with now")

    @classmethod
    def of(cls, logs: Iterable[VerifierKey], witnesses: Iterable[VerifierKey] = (), least: int = 0) -> Self:
        """The plain policy: any of these logs, and at least so many of these witnesses.

        Raises:
            UsageError: more witnesses are asked for than there are, or a key is in the wrong role or given twice.
        """
        named = {f"w{number}": key for number, key in enumerate(witnesses, start=1)}
        if not 0 <= least <= len(named):
            raise UsageError(f"{least} of {len(named)} witnesses cannot be asked for")
        groups = {"quorum": Group(least, tuple(named))} if least else {}
        return cls(tuple(logs), named, groups, "quorum" if least else NONE)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a policy file (C2SP tlog-policy).

        Raises:
            UsageError: says in which line, and why.
        """
        if len(text) > POLICY_BYTES_MAX:
            raise UsageError(f"a policy of {len(text)} characters: {POLICY_BYTES_MAX} are the most")
        reader = _Reader()
        for number, line in enumerate(text.split("\n"), start=1):
            try:
                reader.line(line)
            except UsageError as error:
                raise UsageError(f"line {number} of the policy: {error}") from None
        if reader.quorum is None:
            raise UsageError("the policy has no `quorum` line: name a witness or a group, or `quorum none`")
        return cls(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum)

    def open(self, raw: bytes) -> Witnessed:
        """Read a checkpoint that a trusted log has signed and enough trusted witnesses have cosigned.

        Raises:
            MalformedError: it is no checkpoint.
            UntrustedError: a signature is wrong, the log's is missing, or too few witnesses have cosigned.
        """
        signed = Note.parse(raw)
        checkpoint = verified(signed, self.logs)
        cosigned = cosigned_s(signed, self.witnesses.values())
        if not self._passes(self.quorum, cosigned):
            by = ", ".join(sorted(cosigned)) or "none that is trusted"
            raise UntrustedError(f"the policy's quorum {self.quorum!r} is not reached: cosigned by {by}")
        return Witnessed(checkpoint, signed, cosigned)

    def _passes(self, name: str, cosigned: Mapping[str, int]) -> bool:
        if name == NONE:
            return True
        if name in self.witnesses:
            return self.witnesses[name].name in cosigned
        group = self.groups[name]
        return sum(self._passes(member, cosigned) for member in group.members) >= group.least


class _Reader:
    """What the lines of a policy file have said so far."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._taken: set[str] = set()

    def line(self, line: str) -> None:
        """Take in one line."""
        # Only space and tab separate: whether other characters are spaces would depend on the Unicode version.
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if any(each < " " and each != "\t" for each in line) or "\x7f" in line:
            raise UsageError("holds a control character")
        match words:
            case []:
                return
            case [first, *_] if first.startswith("#"):
                return
            case ["log", key] | ["log", key, _]:
                _room(self.logs)
                self.logs.append(VerifierKey.parse(key))
            case ["witness", name, key] | ["witness", name, key, _]:
                _room(self.witnesses)
                self._new(name)
                self.witnesses[name] = VerifierKey.parse(key)
            case ["group", name, least, first, *rest]:
                _room(self.groups)
                self._group(name, least, (first, *rest))
            case ["quorum", name]:
                if self.quorum is not None:
                    raise UsageError("a second `quorum` line")
                if name != NONE and name not in self.witnesses and name not in self.groups:
                    raise UsageError(f"no witness and no group {name!r} stands above")
                self.quorum = name
            case _:
                raise UsageError(
                    f"{words[0]!r} here: `log KEY`, `witness NAME KEY`, `group NAME K NAME…`, `quorum NAME`"
                )

    def _group(self, name: str, least_text: str, members: tuple[str, ...]) -> None:
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise UsageError(f"no witness and no group {member!r} stands above")
            if member in self._taken:
                raise UsageError(f"{member!r} belongs to a group already: a witness counts in one way only")
            self._taken.add(member)
        words = {"any": 1, "all": len(members)}
        least = words.get(least_text)
        if least is None and least_text.isascii() and least_text.isdigit() and len(least_text) <= len(str(_LIMIT)):
            least = int(least_text)
        if least is None or not 1 <= least <= len(members):
            raise UsageError(f"{least_text!r} of {len(members)} members: `any`, `all`, or a number from 1 to that")
        self._new(name)
        self.groups[name] = Group(least, members)

    def _new(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise UsageError(f"the name {name!r} is taken")


def _room(held: Iterable[object]) -> None:
    if sum(1 for _ in held) >= _LIMIT:
        raise UsageError(f"more than {_LIMIT} of one sort")
