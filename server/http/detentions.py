"""The route of a detention's clocks: as they stand, or as they were believed at a moment that has passed.

The functions are those of the handhelds (`sync.policing.custody`), so a desk that asks here reads what a handheld with
no signal shows. What was believed is only told in full here: a time that was corrected since stands in the history that
the server keeps, and in no replica.
"""

import re
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, OfficerText, RecordText, SlugText
from schemas.kinds import CustodyBooking
from schemas.settings import Settings
from server import dossier
from server.http.consulting import looked_at
from server.http.operations import Operation
from server.http.problems import beatbook_of, reply
from server.http.sight import READERS, seen_record
from sync.explain import Account, history
from sync.merge import RecordState
from sync.policing.custody import believed, checks, clocks, words
from sync.policing.custody.believed import TIMES, Recorded
from sync.policing.custody.clocks import Detention

AT_MEANING: Final = "A moment that has passed (ms since 1970): the clocks as they were believed then; now when absent."
_DIGITS_MAX: Final = 15


class SpanLine(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the detention clock.

    Attributes:
        start, end: when (ms since 1970); end is null while it goes on.
        counts: whether it counts.
        why, source: why, and where that is laid down.
    """

    start: int
    end: int | None
    counts: bool
    why: SlugText
    source: str


class LimitLine(msgspec.Struct, frozen=True, kw_only=True):
    """How long detention without charge may last, on one authority.

    Attributes:
        by: whose.
        counted_ms: the counted time that it allows, from the relevant time.
        at: when that is reached (ms since 1970); null while the clock stands still before it.
        left_ms: what is left of it; less than 0 once it has passed.
        in_force: whether detention up to it is authorised.
        binds: whether it is the one that binds.
        source: where it is laid down.
    """

    by: SlugText
    counted_ms: int
    at: int | None
    left_ms: int
    in_force: bool
    binds: bool
    source: str


class AuthorityLine(msgspec.Struct, frozen=True, kw_only=True):
    """Who may allow more.

    Attributes:
        who: who, in words.
        may: whether they may at that moment.
        not_yet: why not.
        certify: what they must be satisfied of besides.
        source: where it is laid down.
    """

    who: str
    may: bool
    not_yet: list[str]
    certify: list[str]
    source: str


class ContradictionLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a person must look at.

    Attributes:
        rule: which rule tells it.
        words: what is wrong, and what was taken meanwhile.
    """

    rule: SlugText
    words: str


class CheckLine(msgspec.Struct, frozen=True, kw_only=True):
    """A check, with both of its times.

    Attributes:
        checked_at: when it was made, as its author says (ms since 1970).
        recorded_at: when it was recorded (ms since 1970).
        late_ms: how long after it was made it was entered; 0 where that is within the force's setting.
        author: who entered it.
        counts: whether it is a check for the rules.
        flags: what is wrong with it: `elsewhere`, `bulk`, `copied`, `to-come`, `corrected`.
    """

    checked_at: int
    recorded_at: int
    late_ms: int
    author: OfficerText
    counts: bool
    flags: list[str]


class ChangedLine(msgspec.Struct, frozen=True, kw_only=True):
    """What is known now of that moment, and was not believed then.

    Attributes:
        what: which of the answers.
        before, after: what each says, in words.
    """

    what: str
    before: str
    after: str


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """Both clocks of a detention at a moment.

    Attributes:
        booking: whose.
        at: the moment (ms since 1970).
        words: the whole of it for a reader, the most pressing first.
        place, since: where the person is, and since when (ms since 1970).
        relevant_at, relevant_source: from when the detention clock counts (ms since 1970), and by which rule.
        counted_ms: what has counted.
        running: whether it counts.
        spans: what the clock is made of.
        limits: how long the person may be held, in order.
        authorities: who may extend it.
        review_at: the latest time for the next review (ms since 1970); null when none is due.
        review_by: the rank that may carry it out, at least.
        reviewed: how many reviews counted.
        bail_ends_at: when bail before charge ends (ms since 1970); null when the person is charged.
        charged_at, released_at: when they were (ms since 1970); null when they were not.
        contradictions: what a person must look at.
        checks: every check, in the record's order; none of a moment that has passed.
        changed: of a moment that has passed: what is believed of it now, where that is something else.
    """

    booking: RecordText
    at: int
    words: list[str]
    place: SlugText
    since: int
    relevant_at: int
    relevant_source: str
    counted_ms: int
    running: bool
    spans: list[SpanLine]
    limits: list[LimitLine]
    authorities: list[AuthorityLine]
    review_at: int | None
    review_by: SlugText
    reviewed: int
    bail_ends_at: int | None
    charged_at: int | None
    released_at: int | None
    contradictions: list[ContradictionLine]
    checks: list[CheckLine]
    changed: list[ChangedLine]


async def read_clocks(request: Request) -> Response:
    """Both clocks of a detention: as they stand, or as they were believed at a moment that has passed."""
    beatbook = beatbook_of(request)
    now, settings = beatbook.now(), beatbook.office.settings
    moment = _moment(request, now)
    state = await seen_record(request)
    booking = state.build()
    if not isinstance(booking, CustodyBooking):
        raise HTTPException(404, f"record {state.id!r} is no custody booking: only a detention has clocks")
    await looked_at(request, state)
    if moment is None:
        found = clocks.of_booking(booking, settings.custody, now)
        return reply(_clocks(state, found, checks=_checks(state, settings, now)))
    account = await dossier.account(beatbook.store, state.id, now)
    known = believed.recorded(state) if account is None else recorded(account)
    then = believed.at(known, moment, settings.custody)
    if then is None:
        raise UsageError(f"at={moment}: nothing of this detention had been recorded by then")
    # What is known now, asked of that moment.
    at_once = [msgspec.structs.replace(one, recorded_at=moment) for one in _that_stand(known)]
    since = believed.at(at_once, moment, settings.custody)
    changed = () if since is None else believed.changes(then, since)
    lines = [ChangedLine(what=one.what, before=one.before, after=one.after) for one in changed]
    return reply(_clocks(state, then, changed=lines))


def recorded(account: Account) -> tuple[Recorded, ...]:
    """All that was ever recorded of a detention: its entries, and each time of the booking that stood once.

    Args:
        account: all that is kept about the booking.
    """
    found = [one for one in believed.recorded(account.state) if not one.field]
    for name in TIMES:
        for told in history(account, FieldName(name)).fields:
            steps = {step.op: step for step in told.steps}
            found += [
                Recorded(recorded_at=steps[op].recorded_at, field=name, value=Millis(steps[op].value))
                for op in told.chain
                if steps[op].value is not None
            ]
    return tuple(found)


def _that_stand(known: tuple[Recorded, ...]) -> list[Recorded]:
    """Every entry, and of each time of the booking the one that stands: the last."""
    last = {one.field: one for one in sorted(known, key=lambda one: one.recorded_at) if one.field}
    return [*(one for one in known if not one.field), *last.values()]


def _moment(request: Request, now: Millis) -> Millis | None:
    text = request.query_params.get("at")
    if text is None:
        return None
    if re.fullmatch(f"[0-9]{{1,{_DIGITS_MAX}}}", text) is None or int(text) > now:
        raise UsageError(f"at={text!r}: give a moment that has passed, in ms since 1970")
    return Millis(int(text))


def _checks(state: RecordState, settings: Settings, now: Millis) -> list[CheckLine]:
    return [
        CheckLine(
            checked_at=seen.check.checked_at,
            recorded_at=seen.stamp.recorded_at,
            late_ms=seen.late_ms,
            author=seen.stamp.author,
            counts=seen.counts,
            flags=sorted(str(flag.value) for flag in seen.flags),
        )
        for seen in checks.account(state, settings, now)
    ]


def _clocks(
    state: RecordState,
    found: Detention,
    *,
    checks: list[CheckLine] | None = None,
    changed: list[ChangedLine] | None = None,
) -> Clocks:
    binding = found.limits.binding
    return Clocks(
        booking=state.id,
        at=found.now,
        words=list(words.lines(found)),
        place=found.place.value,
        since=found.since,
        relevant_at=found.relevant.at,
        relevant_source=found.relevant.source,
        counted_ms=found.counted_ms,
        running=found.running,
        spans=[
            SpanLine(start=one.start, end=one.end, counts=one.counts, why=one.why.value, source=one.source)
            for one in found.clock.spans
        ],
        limits=[
            LimitLine(
                by=one.by.value,
                counted_ms=one.counted_ms,
                at=one.at,
                left_ms=one.left_ms,
                in_force=one.in_force,
                binds=one == binding,
                source=one.source,
            )
            for one in found.limits.every
        ],
        authorities=[
            AuthorityLine(
                who=one.who, may=one.may, not_yet=list(one.not_yet), certify=list(one.certify), source=one.source
            )
            for one in found.limits.authorities
        ],
        review_at=found.reviews.next_due,
        review_by=found.reviews.who.value,
        reviewed=len(found.reviews.reviews),
        bail_ends_at=None if found.bail is None else found.bail.ends_at,
        charged_at=found.charged_at,
        released_at=found.released_at,
        contradictions=[ContradictionLine(rule=one.rule, words=one.words) for one in found.contradictions],
        checks=[] if checks is None else checks,
        changed=[] if changed is None else changed,
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/records/{record}/clocks",
        handler=read_clocks,
        who=READERS,
        gives=Clocks,
        query={"at": AT_MEANING},
    ),
)
