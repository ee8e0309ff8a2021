"""The figures that the demo ends with, and the summary in plain words."""

from collections.abc import Mapping, Sequence

import msgspec

from server.demo.checks import Verdict


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo found; its JSON is `--json`'s.

    Attributes:
        devices, desks: officers' handhelds; the custody desk and the control room's.
        ops_made, ops_durable: changes accepted by a handheld; those it was told are on the server's disk.
        ops_lost, ops_twice: of the ops made: not on the server; there more than once.
        replicas_equal: whether replicas with equal grants hold the same as each other and as the server.
        server_kills: how often the server was killed with SIGKILL.
        briefing_ms_p50, briefing_ms_p99: from the control room's call to the briefing in a handheld's replica, for
            handhelds that were connected at that moment.
        catchup_ms_p99: from the return of signal until everything is in and nothing waits.
        plaintext_found: planted words found in files of handhelds, of the server, or temporary ones.
        conflicts_by_rule: conflicts between changes that a declared rule settled.
        rules: policy -> how many of them.
        conflicts_in_inbox: conflicts that no rule settled and that went to a person.
        unexplained: changes that neither stand, nor link to what stands in their place, nor wait in the inbox.
        revoked_held_after: records that a revoked handheld still gave out once it had been in contact.
        revoked_ms: from the command to the last record gone, of the revoked handheld that was connected.
        retracted_ms: from the end of a posting to the last record of its area gone.
        wiped_readable_after: things of a wiped handheld that could still be read or opened.
        quarantined: edits of officers who had lost the right to the record before they were sent: sealed, for a
            supervisor.
        receipts: signed receipts of devices for what they removed.
        log_verified: whether the server's whole log is sound, by a checkpoint kept in the middle of the shift.
        export_verified: whether a custody record that was given out proves itself.
        review_alarm_on_desk: whether a custody desk raised the alarm by itself for a review that fell due with no
            server, and somebody took it up there.
        review_alarms: alarms that the server has of that warning in the end; there must be one.
        clock_right: whether both clocks of that detention are the same on desk and server, and right.
        ops_without_signal, incidents, briefings, seconds: how large the run was.
        holds: whether every promise held.
    """

    devices: int
    desks: int
    ops_made: int
    ops_durable: int
    ops_lost: int
    ops_twice: int
    replicas_equal: bool
    server_kills: int
    briefing_ms_p50: float | None
    briefing_ms_p99: float | None
    catchup_ms_p99: float | None
    plaintext_found: int
    conflicts_by_rule: int
    rules: Mapping[str, int]
    conflicts_in_inbox: int
    unexplained: int
    revoked_held_after: int
    revoked_ms: float | None
    retracted_ms: float | None
    wiped_readable_after: int
    quarantined: int
    receipts: int
    log_verified: bool
    export_verified: bool
    review_alarm_on_desk: bool
    review_alarms: int
    clock_right: bool
    ops_without_signal: int
    incidents: int
    briefings: int
    seconds: float
    holds: bool


def summary(report: Report, verdict: Verdict, explained: Sequence[str], clocks: Sequence[str]) -> Sequence[str]:
    """The outcome in plain words.

    Args:
        report: the figures.
        verdict: what the checks found.
        explained: one disagreement of the shift, told as the server tells it.
        clocks: the clocks of one detention, in plain words.
    """
    search = (
        "the same search finds them in what the server answers"
        if verdict.search_works
        else "BUT THE SEARCH ITSELF FAILED"
    )
    lines = [
        f"{report.devices} handhelds and {report.desks} desks worked {report.incidents} incidents.",
        f"In {report.seconds:.0f} s they made {report.ops_made} changes, {report.ops_without_signal} with no signal.",
        f"The server was killed without warning, times: {report.server_kills}.",
        f"Changes lost: {report.ops_lost}. Changes that stand twice: {report.ops_twice}.",
        f"Live briefings pushed: {report.briefings}. Not arrived at a handheld: {verdict.briefings_missing}.",
        f"A briefing took {report.briefing_ms_p50} ms (p50), {report.briefing_ms_p99} ms (p99) when connected.",
        f"A handheld whose signal returned had caught up within {report.catchup_ms_p99} ms (p99).",
        "Replicas with equal grants are equal, and equal to the server."
        if report.replicas_equal
        else f"REPLICAS DIFFER: {'; '.join(verdict.unequal)}",
        f"Planted words in plain on handhelds, server and in temporary files: {report.plaintext_found} ({search}).",
        f"Two handhelds were revoked, one of them with no signal. Records left on them: {report.revoked_held_after}.",
        f"The one with signal had none {report.revoked_ms} ms after the command.",
        f"One was wiped; things on it that can still be read: {report.wiped_readable_after}.",
        f"A posting ended; its records were gone after {report.retracted_ms} ms.",
        f"Edits in quarantine for a supervisor: {report.quarantined}. Receipts of what was removed: {report.receipts}.",
        "The server's whole log is sound, and an altered copy of it was found out."
        if report.log_verified
        else "THE LOG COULD NOT BE VERIFIED.",
        "A custody record that was given out proves itself, and an altered copy of it does not."
        if report.export_verified
        else "THE RECORD THAT WAS GIVEN OUT COULD NOT BE VERIFIED.",
    ]
    lines += [
        "A review fell due with no server: the desk raised the alarm by itself, and it was taken up there."
        if report.review_alarm_on_desk
        else "NO ALARM WAS RAISED ON THE DESK FOR A REVIEW THAT FELL DUE.",
        f"Alarms of that warning on the server: {report.review_alarms}. Both clocks of the detention are "
        + ("right, there and on the desk:" if report.clock_right else "WRONG:"),
        *(f"    {line}" for line in clocks),
    ]
    by_rule = ", ".join(f"{policy} {count}" for policy, count in sorted(report.rules.items()))
    lines += [
        f"Conflicts settled by a declared rule: {report.conflicts_by_rule} ({by_rule or 'none'}).",
        f"Conflicts that went to a person's inbox: {report.conflicts_in_inbox}. Unexplained: {report.unexplained}.",
        "One of them, as the server explains it:",
        *(f"    {line}" for line in explained),
    ]
    if verdict.waiting:
        lines.append(f"{verdict.waiting} changes still wait or are held on a handheld.")
    if verdict.ops_unknown:
        lines.append(f"{verdict.ops_unknown} ops on the server were made by no handheld.")
    lines += [f"Lost: {one}." for one in verdict.lost]
    lines.append("Every promise held." if verdict.holds else "A PROMISE DID NOT HOLD.")
    return lines
