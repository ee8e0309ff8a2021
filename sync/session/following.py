"""Those who stand at the same place of a scope, and follow it together: one position, counted once for all of them.

Nearly every device nearly always stands where its scope stands, has been told everything else, and has room for more.
To ask each of thousands for its position and its credit, and to move both, costs more than to send it what has
happened. So the feeds of such sessions join a `Following`: a commit moves that, and each member's position and credit
are what it brought when it joined and what the following has moved since. A member is then due the commit's frame,
until the shell has put it.

Whoever is to be told anything else of its scopes, has no credit left, does not read, or ends, leaves: with the position
up to which it was put to, not the one that the following has reached. What it was still due it is told as everybody is
who is behind, so a commit is neither missed nor said twice, and nothing goes out for a grant that has ended.
"""

from collections import deque
from typing import Final, Generic, Protocol, TypeVar

from schemas.ids import ScopeName, Seq
from schemas.limits import MESSAGE_BYTES_MAX
from sync.session.steps import Form, Fresh

STRETCH_BYTES: Final = 16 * 1_024
"""Credit that each member sets aside at a time. A handheld's 1 MiB is enough for all scopes that it hears of in an
hour; and all members are gone through once for some forty changes of 400 B."""

Member = TypeVar("Member")
"""What the shell knows a session by."""
Way = TypeVar("Way")
"""By which it puts to that one, and nothing else: all that it looks at of each of thousands."""


class Follower(Protocol):
    """The feeds of one session, as a following sees them."""

    def set_aside(self, size: int) -> bool:
        """Keep so much credit for what a following will move; False when there is not enough of it."""

    def leave(self, scope: ScopeName) -> None:
        """Follow a scope alone from now on."""


class Round(Generic[Way]):
    """Commits that members are told in one write.

    Attributes:
        frm: where they stand who are due it.
        frames: the commits as the shell sends them, in order.
        size: bytes of credit that they take.
        due: to whom it has not been put yet.
        begun: whether it has been put to somebody: what happens from then on is another round.
    """

    __slots__ = ("begun", "due", "frames", "frm", "size")

    def __init__(self, frm: Seq, due: dict[Way, None]) -> None:
        """Nothing in it yet."""
        self.frm = frm
        self.frames: list[bytes] = []
        self.size = 0
        self.due = due
        self.begun = False

    def data(self) -> bytes:
        """All of it, to be put to somebody."""
        self.begun = True
        if len(self.frames) > 1:
            self.frames = [b"".join(self.frames)]
        return self.frames[0]


class Following(Generic[Member, Way]):
    """The members of one scope, who are all sent the same of it.

    Attributes:
        scope, form: whose.
        at: the commit up to which it has moved.
        rounds: what is to be put, the oldest first; those that nobody is due any more may be taken away.
    """

    __slots__ = ("_alone", "_limit", "_members", "_moved", "at", "form", "rounds", "scope")

    def __init__(self, scope: ScopeName, form: Form, at: Seq, alone: set[Member]) -> None:
        """Nobody yet.

        Args:
            scope, form: whose.
            at: where it begins.
            alone: those who follow the scope each alone: whoever joins is none of them, whoever leaves is one again.
        """
        self.scope = scope
        self.form = form
        self.at = at
        self.rounds: deque[Round[Way]] = deque()
        self._alone = alone
        self._members: dict[Way, tuple[Follower, Member]] = {}
        self._moved = self._limit = 0
        """Bytes that were moved, and up to which every member has set credit aside."""

    def __len__(self) -> int:
        """How many members it has."""
        return len(self._members)

    @property
    def aside(self) -> int:
        """How much credit each member has set aside for what is still to come."""
        return self._limit - self._moved

    def move(self, fresh: Fresh) -> bool:
        """Go on to a commit that has just happened; False when it is not the next one, and nothing has changed."""
        if fresh.frm != self.at:
            return False
        batch, frame = fresh.framed(*self.form)
        size = len(batch)
        if size > self.aside:
            self._stretch(size)
        self._moved += size
        while self.rounds and not self.rounds[0].due:
            self.rounds.popleft()
        last = self.rounds[-1] if self.rounds else None
        if last is None or last.begun or last.size + size > MESSAGE_BYTES_MAX:
            last = Round(fresh.frm, dict.fromkeys(self._members))
            self.rounds.append(last)
        last.frames.append(frame)
        last.size += size
        self.at = fresh.to
        return True

    def _stretch(self, size: int) -> None:
        """Have every member set more aside; who has not enough of it leaves."""
        more = max(size, STRETCH_BYTES)
        for follower, _ in list(self._members.values()):
            if not follower.set_aside(more):
                follower.leave(self.scope)
        self._limit += more

    def admits(self, sent: Seq) -> int | None:
        """The credit that a session takes along if it joins, being told up to there; None where that does not fit.

        It joins those who are due the last round: what it stands before must be where that begins.
        """
        if not self.rounds or self.rounds[-1].frm != sent:
            return None
        return self.aside + self.rounds[-1].size

    def join(self, follower: Follower, member: Member, way: Way) -> None:
        """Take in one whom it `admits`, with as much credit set aside."""
        self._members[way] = follower, member
        self.rounds[-1].due[way] = None
        self._alone.discard(member)

    def member(self, way: Way) -> Member:
        """Who is put to by it."""
        return self._members[way][1]

    def leave(self, way: Way) -> tuple[Seq, int]:
        """Let a member go.

        Returns:
            Where it stands, and the credit that it takes back.
        """
        self._alone.add(self._members.pop(way)[1])
        sent, back = self.at, self.aside
        for one in reversed(self.rounds):
            if way not in one.due:
                break
            del one.due[way]
            sent, back = one.frm, back + one.size
        return sent, back

    def take_due(self, way: Way) -> list[bytes]:
        """The frames that a member is due, in order: they are put to it now."""
        frames = []
        for one in self.rounds:
            if way in one.due:
                del one.due[way]
                frames.append(one.data())
        return frames

    def dissolve(self) -> None:
        """Have every member follow alone."""
        for follower, _ in list(self._members.values()):
            follower.leave(self.scope)
