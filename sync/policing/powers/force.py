"""What is refused or asked in a report of a use of force before it is written: which rule, why, and how to go on.

Source: Criminal Law Act 1967 section 3, PACE 1984 section 117; Home Office annual data requirement on the use of force;
College of Policing, use of force (authorised professional practice); Police Reform Act 2002 schedule 3 (death or
serious injury). What is marked so in docs/policing.md is from general knowledge and wants verifying.
"""

from collections.abc import Iterator
from typing import Final

from schemas.kinds import UseOfForce
from schemas.kinds.force import TASER, ForceOutcome, Injury, Tactic, TacticUse
from schemas.kinds.timed import standing
from sync.policing.guards import Breach, Guard, Look

_DATA: Final = "Home Office, annual data requirement: police use of force"
_DISCHARGED: Final = frozenset({Tactic.TASER_FIRED, Tactic.TASER_DRIVE_STUN, Tactic.TASER_ANGLE_DRIVE_STUN})
_GRAVE: Final = frozenset({Injury.SEVERE, Injury.FATAL})
_HURT: Final = frozenset({Injury.MINOR, *_GRAVE})


def used(report: UseOfForce) -> tuple[TacticUse, ...]:
    """The tactics that hold, in order: without those that were corrected or taken back."""
    return standing(report.tactics)


def _report(look: Look) -> UseOfForce | None:
    return look.after if isinstance(look.after, UseOfForce) else None


def _first_said(look: Look) -> bool:
    return look.before is None


def what_and_why(look: Look) -> Iterator[Breach]:
    """A report says what was done and what for; speaking to somebody alone is no use of force."""
    report = _report(look)
    if report is None or not (_first_said(look) or look.sets("tactics") or look.sets("reasons")):
        return
    tactics = {one.tactic for one in used(report)}
    for said, what in ((tactics, "what was done"), (report.reasons, "what it was for")):
        if not said:
            yield Breach(
                rule="force-incomplete",
                why=f"The report does not say {what}.",
                remedy=f"Enter {what}, in the order in which it came.",
                source=_DATA,
            )
    if tactics == {Tactic.COMMUNICATION}:
        yield Breach(
            rule="force-words-only",
            why="Speaking to somebody is recorded together with force, and here there is none.",
            remedy="Add what else was done; otherwise no report is needed.",
            source=_DATA,
            override=True,
        )


def in_one_order(look: Look) -> Iterator[Breach]:
    """Each tactic has its own place in the order."""
    report = _report(look)
    if report is None or not look.sets("tactics"):
        return
    places = [one.n for one in used(report)]
    twice = sorted({n for n in places if places.count(n) > 1})
    if twice:
        yield Breach(
            rule="force-order",
            why=f"Two tactics have place {twice[0]} in the order.",
            remedy="Give each tactic its own place; correct the entry that has the wrong one.",
            source=_DATA,
        )


def device_is_accounted_for(look: Look) -> Iterator[Breach]:
    """Whoever discharged a conducted energy device says how often; who did not says nothing of it."""
    report = _report(look)
    if report is None or not (look.sets("tactics") or look.sets("taser")):
        return
    tactics = {one.tactic for one in used(report)}
    if tactics & _DISCHARGED and report.taser is None:
        yield Breach(
            rule="force-taser",
            why="A conducted energy device was discharged, and it is not said how often.",
            remedy="Enter the cycles, as the device's own memory has them, and what missed.",
            source="College of Policing, conducted energy devices",
            # Its memory is read out at the station.
            override=True,
        )
    if report.taser is not None and not tactics.intersection(TASER):
        yield Breach(
            rule="force-taser-unused",
            why="A discharge is recorded, and none of the tactics is a conducted energy device.",
            remedy="Enter the tactic, or leave the discharge out.",
            source=_DATA,
        )


def help_was_offered(look: Look) -> Iterator[Breach]:
    """Whoever was hurt is offered medical help; somebody who died or was badly hurt is passed on at once."""
    report = _report(look)
    if report is None or not (look.sets("subject_injury") or look.sets("outcomes")):
        return
    died = ForceOutcome.DIED in report.outcomes
    if died and report.subject_injury != Injury.FATAL:
        yield Breach(
            rule="force-died",
            why="The person died, and their injury is not recorded as fatal.",
            remedy="Enter the injury as fatal; or that they died of something else.",
            source=_DATA,
            override=True,
        )
    if report.subject_injury in _HURT and report.subject_help_offered is None and not died:
        yield Breach(
            rule="force-help",
            why="The person was hurt, and it is not said whether medical help was offered.",
            remedy="Enter whether it was offered, and given.",
            source="College of Policing, use of force: aftercare",
        )
    if report.subject_injury in _GRAVE or died:
        yield Breach(
            rule="force-serious-injury",
            why="Somebody died or was badly hurt: that goes to the Independent Office for Police Conduct.",
            remedy="Tell your supervisor and professional standards now, and say here whom you told.",
            source="Police Reform Act 2002, schedule 3 (death or serious injury)",
            override=True,
        )


def arrest_is_linked(look: Look) -> Iterator[Breach]:
    """Who was arrested has an incident or a booking, and the report says which."""
    report = _report(look)
    if report is None or not look.sets("outcomes") or ForceOutcome.ARRESTED not in report.outcomes:
        return
    if report.incident is None and report.booking is None:
        yield Breach(
            rule="force-unlinked",
            why="The person was arrested, and neither the incident nor the booking is named.",
            remedy="Name the incident, or the custody booking.",
            source="College of Policing, use of force: recording",
            override=True,
        )


def ones_own_report(look: Look) -> Iterator[Breach]:
    """Each officer reports the force that they used themselves, and once."""
    report = _report(look)
    if report is None or not _first_said(look):
        return
    if look.author.casefold() != report.officer.casefold():
        yield Breach(
            rule="force-own-report",
            why=f"This report is of {report.officer}, and you are {look.author}.",
            remedy="Each officer writes their own report.",
            source=_DATA,
            # Somebody who is hurt cannot write it.
            override=True,
        )
    near = look.settings.powers.same_force_ms
    for state in look.beside():
        other = state.build()
        if (
            isinstance(other, UseOfForce)
            and other.officer.casefold() == report.officer.casefold()
            and (other.subject, other.incident) == (report.subject, report.incident)
            and abs(other.used_at - report.used_at) < near
        ):
            yield Breach(
                rule="force-twice",
                why="There is a report by this officer of that time, that incident and that person already.",
                remedy="Add to that one; of another person give another sign, as in subject-2.",
                source=_DATA,
                override=True,
            )
            return


def reviewed_by_another(look: Look) -> Iterator[Breach]:
    """Nobody reviews the force that they used themselves."""
    report = _report(look)
    if report is not None and look.sets("reviews") and look.author.casefold() == report.officer.casefold():
        yield Breach(
            rule="force-review-own",
            why="This is your own use of force.",
            remedy="Ask another supervisor to review it.",
            source="College of Policing, use of force: supervision",
        )


GUARDS: Final[tuple[Guard, ...]] = (
    what_and_why,
    in_one_order,
    device_is_accounted_for,
    help_was_offered,
    arrest_is_linked,
    ones_own_report,
    reviewed_by_another,
)
"""In the order in which an officer is told."""
