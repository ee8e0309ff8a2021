"""What a device holds of the server's: scopes with their positions and digests, and the rows in them.

"Plans", "What comes down" and "Digests" of docs/protocol.md. It lives in memory: what is measured here is the server
and the wire; how long an encrypted replica takes is `loadtest.bench`'s to say. A row stays the map that came, and is
shared between all devices of the process (see `wire`).
"""

from itertools import pairwise
from typing import Final

from loadtest.locust.chain import Digest
from loadtest.locust.wire import REPAIR_RANGES_MAX, REPAIR_RECORDS_MIN, Message, ProtocolError

_FIRST: Final = ""
"""Before the first record id, and behind the last."""


class Place:
    """Where a device stands in one scope.

    Attributes:
        gen, seq: the position.
        after: how far an open snapshot has come; None when none is open.
        members: record -> the version in which this scope last told of it.
        wanted: the seq up to which the session's plan said that there is something to come.
        repairs: how many were asked for in a row.
    """

    def __init__(self, gen: int, seq: int) -> None:
        """Begin a snapshot that is pinned at `seq`."""
        self.gen, self.seq = gen, seq
        self.after: str | None = _FIRST
        self.members: dict[str, int] = {}
        self.wanted = seq
        self.repairs = 0
        self.agreed = False
        self._digest = Digest()

    @property
    def current(self) -> bool:
        """Whether all that the plan promised is here, and its digest has proved it."""
        return self.after is None and self.seq >= self.wanted and self.agreed

    def put(self, record: str, version: int) -> None:
        """A member in that version."""
        before = self.members.get(record)
        if before is not None:
            self._digest.remove(record, before)
        self.members[record] = version
        self._digest.add(record, version)

    def pop(self, record: str) -> None:
        """A member no more."""
        before = self.members.pop(record, None)
        if before is not None:
            self._digest.remove(record, before)

    def digest(self) -> bytes:
        """Of the members."""
        return self._digest.value()

    def position(self, scope: str) -> Message:
        """For HELLO."""
        more: Message = {"digest": self.digest()} if self.after is None else {"after": self.after}
        return {"scope": scope, "gen": self.gen, "seq": self.seq, **more}

    def ranges(self) -> list[Message]:
        """For REPAIR: what is held, stretch by stretch."""
        ids = sorted(self.members)
        size = max(REPAIR_RECORDS_MIN, -(-len(ids) // REPAIR_RANGES_MAX))
        cuts = [_FIRST, *ids[size - 1 : -1 : size], _FIRST]
        found: list[Message] = []
        for after, upto in pairwise(cuts):
            part = Digest()
            some = [each for each in ids if after < each and (upto == _FIRST or each <= upto)]
            for each in some:
                part.add(each, self.members[each])
            found.append({"after": after, "upto": upto, "digest": part.value(), "count": len(some)})
        return found


class Replica:
    """All scopes of one device.

    Attributes:
        epoch: the server's history; None before the first WELCOME.
        places: scope -> where it stands.
        rows: record -> the row as it came.
    """

    def __init__(self) -> None:
        """Hold nothing."""
        self.epoch: str | None = None
        self.places: dict[str, Place] = {}
        self.rows: dict[str, Message] = {}
        self._foreign: set[str] = set()

    def positions(self) -> list[Message]:
        """For HELLO."""
        return [place.position(scope) for scope, place in sorted(self.places.items())]

    def version(self, record: str) -> int:
        """Of the kept row, for a row that comes; 0 without one, or of one from another history."""
        row = self.rows.get(record)
        return 0 if row is None or record in self._foreign else int(row["v"])

    def take_welcome(self, epoch: str, plans: list[Message]) -> tuple[list[Message], bool]:
        """Take up the plans of a session.

        Returns:
            The plans `drop`, each with `removed`; and whether the server was set back, so that own ops are offered
            anew.

        Raises:
            ProtocolError: a plan resumes what is not here.
        """
        known = self.epoch
        set_back = known not in {None, epoch}
        if set_back:
            self._foreign = set(self.rows)
        dropped = [{**plan, "removed": self.drop(plan["scope"])} for plan in plans if plan["action"] == "drop"]
        for plan in plans:
            if plan["action"] != "drop":
                set_back = self.take_plan(plan, same_epoch=known == epoch) or set_back
        self.epoch = epoch
        return dropped, set_back

    def take_plan(self, plan: Message, *, same_epoch: bool = True) -> bool:
        """Take up a plan `resume` or `snapshot`; whether it shows that the server was set back.

        Raises:
            ProtocolError: it resumes what is not here.
        """
        scope, seq = plan["scope"], int(plan.get("seq", 0))
        place = self.places.get(scope)
        if plan["action"] == "resume":
            if place is None or place.gen != plan["gen"] or place.after is not None:
                raise ProtocolError("not_welcome", f"nothing to resume in {scope}")
            place.wanted, place.agreed, place.repairs = seq, False, 0
            return False
        behind = place is not None and place.after is None and seq < place.seq
        if place is None or not (
            same_epoch and place.after is not None and (place.gen, place.seq) == (plan["gen"], seq)
        ):
            began = Place(plan["gen"], seq)
            if place is not None:
                for record, version in place.members.items():
                    began.put(record, version)
            self.places[scope] = place = began
        place.wanted, place.agreed, place.repairs = seq, False, 0
        return behind

    def drop(self, scope: str) -> int:
        """Remove a scope; how many rows went."""
        place = self.places.pop(scope, None)
        return 0 if place is None else sum(self._left(record) for record in place.members)

    def take_batch(self, batch: Message) -> Place | None:
        """Apply a batch; None of a scope that is not held.

        Raises:
            ProtocolError: something is missing before it.
        """
        place = self._of(batch)
        if place is None:
            return None
        if place.after is not None or place.seq != batch["from"] or batch["to"] < batch["from"]:
            raise ProtocolError("gap", batch["scope"])
        for row in batch.get("rows", ()):
            self._take_row(place, row, replace=self.version(row["id"]) < row["v"])
        for record in batch.get("gone", ()):
            place.pop(record)
            self._left(record)
        place.seq = batch["to"]
        return place

    def take_page(self, page: Message) -> Place | None:
        """Apply a page of a snapshot or repair; None of a scope that is not held.

        Raises:
            ProtocolError: it does not follow the page before.
        """
        place = self._of(page)
        if place is None:
            return None
        repair = page.get("repair", False)
        if repair != (place.after is None) or (not repair and (place.after, place.seq) != (page["after"], page["at"])):
            raise ProtocolError("gap", page["scope"])
        rows = {row["id"]: row for row in page.get("rows", ())}
        after, upto = page["after"], page["upto"]
        missing = [
            each for each in place.members if each not in rows and after < each and (upto == _FIRST or each <= upto)
        ]
        for record in missing:
            place.pop(record)
            self._left(record)
        for row in rows.values():
            self._take_row(place, row, replace=True)
        if not repair:
            place.after = None if page.get("last", False) else upto
        return place

    def _of(self, message: Message) -> Place | None:
        place = self.places.get(message["scope"])
        return place if place is not None and place.gen == message["gen"] else None

    def _take_row(self, place: Place, row: Message, *, replace: bool) -> None:
        record = row["id"]
        place.put(record, row["v"])
        if replace:
            self.rows[record] = row
            self._foreign.discard(record)

    def _left(self, record: str) -> bool:
        """Remove the row when no scope has it any more; whether it went."""
        if any(record in place.members for place in self.places.values()):
            return False
        self._foreign.discard(record)
        return self.rows.pop(record, None) is not None
