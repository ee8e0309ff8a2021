"""One act of every kind, as a course of things that can have happened: what the kept bytes are made from."""

from schemas.ids import Generation, ScopeName
from schemas.roles import Role
from server.registry import acts as a
from tests.server.registry.force import DAY, HOUR, T0, Force, digest

RECORD = "0190163d-8694-739b-aea5-966c26f8ad91"
OTHER = "0190163d-8694-739b-aea5-966c26f8ad92"


def course() -> Force:
    """A force in which everything has happened once."""
    force = Force()
    force.unit("birmingham", "area:birmingham", title="Birmingham")
    force.unit("birmingham-east", "area:birmingham-east", title="Birmingham East")
    force.unit("old-street", title="Old Street")
    force.do(a.UnitRenamed, unit="birmingham", title="Birmingham LPA")
    force.do(a.UnitMerged, unit="birmingham-east", into="birmingham", start=T0 + DAY)
    force.do(a.UnitEnded, unit="old-street", until=T0 + DAY, why="closed")
    force.do(a.MissionBegun, mission="castle", title="Castle", places=("area:birmingham",), start=T0, until=T0 + DAY)
    force.do(a.MissionEnded, mission="castle", until=T0 + HOUR, why="done early")
    force.do(a.CompartmentMade, compartment="larch", title="Larch")
    _people(force)
    _devices(force)
    force.do(a.RetentionReviewed, record=RECORD, outcome="keep", until=T0 + DAY, why="still under investigation")
    force.do(a.Disclosed, record=RECORD, recipients=("Birmingham Crown Court",), export=digest("file"), why="trial")
    force.do(a.RetentionReviewed, record=RECORD, outcome="erase", why="retention group 3 is over")
    force.do(a.RecordErased, by="WM8", record=RECORD, why="retention group 3 is over")
    _at_seats(force)
    return force


def _at_seats(force: Force) -> None:
    """What is done to a record, as it is written since acts say where it was."""
    where, why = {"record": OTHER, "seat": "desk-1"}, {"why": "retention group 3 is over"}
    force.do(a.DisclosedAt, recipients=("Birmingham Crown Court",), export=digest("file"), why="trial", **where)
    force.do(a.RetentionReviewedAt, outcome="erase", **where, **why)
    force.do(a.RetentionReviewedAt, outcome="erase", early="order of the court", **where, **why)
    force.do(a.RecordErasedAt, by="WM8", **where, **why)


def _people(force: Force) -> None:
    force.officer("WM1", Role.OFFICER, unit="birmingham-east")
    force.officer("WM2", Role.CUSTODY_OFFICER)
    force.span(a.ShiftSet, officer="WM1", unit="birmingham", until=T0 + 8 * HOUR)
    force.span(a.Assigned, officer="WM1", scope="area:birmingham", why="robbery at the market")
    force.span(a.MissionJoined, officer="WM1", mission="castle", decides=True)
    force.span(a.NamedGrant, officer="WM1", scope="team:dogs", why="owns the case")
    span = force.span(a.Cleared, officer="WM1", compartment="larch", why="source handler")
    force.do(a.SpanEnded, span=span, until=T0 + HOUR, why="handed over")
    force.do(a.PassphraseChanged, officer="WM1", reset=True)
    force.do(a.LeaseSet, role=Role.CUSTODY_OFFICER, lease_ms=10 * 60_000)
    force.do(a.OfficerEnded, officer="WM2", until=T0, why="seconded")
    force.do(a.OfficerReturned, officer="WM2", start=T0 + DAY)


def _devices(force: Force) -> None:
    force.do(a.CodeIssued, code=digest("c1"), device="hh-1", officer="WM1", expires_at=T0 + DAY)
    force.do(a.CodeIssued, code=digest("c2"), expires_at=T0 + DAY)
    force.do(a.CodeIssued, code=digest("c3"), device="hh-3", expires_at=T0 + DAY)
    force.do(a.CodeUsed, code=digest("c2"))
    force.do(a.CodeWithdrawn, code=digest("c3"), why="read aloud")
    force.do(a.DeviceEnrolled, device="hh-1", public_key=digest("k1"), certificate=b"signed", code=digest("c1"))
    force.do(a.KeyRenewed, device="hh-1", public_key=digest("k2"), certificate=b"signed")
    seat = force.seat("WM1", "hh-1")
    force.span(a.ScopeGranted, seat=seat, scope="area:birmingham:inbox", why="acting sergeant")
    force.do(a.SignInRefused, officer="WM1", device="hh-1", why="wrong passphrase")
    force.do(a.SignInLocked, officer="WM1", until=T0 + HOUR)
    force.do(a.SignInUnlocked, officer="WM1", why="seen in person")
    sid = force.sign_in(seat, hours=8)
    scope, gen = ScopeName("area:birmingham"), Generation(1)
    # By hand: how a reason is worded may change, and kept bytes must not.
    force.do(a.SeatRights, seat=seat, began=(a.Began(scope=scope, gen=gen, why=("WM1 is posted to Birmingham",)),))
    force.do(a.SignedOut, sid=sid, why="end of shift")
    ended = (a.Ended(scope=scope, gen=gen),)
    force.do(a.SeatRights, seat=seat, ended=ended, left_out=("team:dogs",))
    force.do(a.WipeOrdered, device="hh-1", why="lost")
    force.do(a.Wiped, device="hh-1", receipt=digest("w"))
    force.do(a.DeviceRevoked, device="hh-1", why="lost")
    _parting(force)


def _parting(force: Force) -> None:
    force.do(a.DeviceEnrolled, device="hh-2", public_key=digest("k3"), certificate=b"signed")
    seat = force.seat("WM1", "hh-2")
    force.do(a.ReadsSetBack, seat=seat, kept=12)
    force.do(a.ReadsPardoned, seat=seat, why="the disk was restored from a backup")
    force.do(a.ReadsResumed, seat=seat)
    force.do(a.DeviceRevoked, device="hh-2", why="stolen")
    force.do(a.HandOverAllowed, device="hh-2", seat=seat, why="it was found")
    force.do(a.HandOverBegun, seat=seat)
