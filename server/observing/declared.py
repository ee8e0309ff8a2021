"""Every metric of a server: what it is called, what it means, and where its value is read. One table.

The exposition, the page of reference, the check of alerts and dashboard: all go by it, so that none of them can name
what is not there. Labels take their values from closed lists, so the number of series is bounded whatever devices do;
none is the name of a person, a device, a record or a scope.
"""

import platform
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

import msgspec

from server.alarms import CHAIN_DIFFERS
from server.beatbook import Beatbook
from server.edge.door import REFUSALS, Door
from server.falling_due import FallingDue
from server.observing.counting import Histogram
from server.observing.looking import Files, Lag, Process
from server.observing.measures import STAGES
from server.store.sqlite import SqliteStore

Kind = Literal["counter", "gauge", "histogram", "info"]
Values = Iterable[tuple[tuple[str, ...], float | Histogram | Mapping[str, str]]]
"""(label values, value) of each series: a Histogram of a histogram, names and texts of an info."""
_S: Final = 1_000
READS_MISSING: Final = "reads_missing"
RESULTS: Final = ("durable", "refused", "waiting")


class Watched(msgspec.Struct, frozen=True):
    """A server as it is at one scrape.

    Attributes:
        beatbook, door: the running ones.
        files, processes, lags: what was looked at for this scrape.
        connections_max: how many connections may be open.
        version: of the program.
        started_s: when it was started (seconds since 1970).
    """

    beatbook: Beatbook
    door: Door
    files: Files
    processes: dict[str, Process]
    lags: dict[str, Lag]
    connections_max: int
    version: str
    started_s: float


class Metric(msgspec.Struct, frozen=True):
    """One metric.

    Attributes:
        name: as Prometheus has it, without `_total`.
        kind: what it is.
        meaning: one sentence.
        read: its series.
        labels: their names.
        values: what the labels' values are, for the page.
    """

    name: str
    kind: Kind
    meaning: str
    read: Callable[[Watched], Values]
    labels: tuple[str, ...] = ()
    values: str = ""

    @property
    def shown(self) -> str:
        """The name under which its samples are asked for."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _one(read: Callable[[Watched], float | Histogram | None]) -> Callable[[Watched], Values]:
    """A metric of one series; None leaves it out."""

    def values(watched: Watched) -> Values:
        value = read(watched)
        return [] if value is None else [((), value)]

    return values


def _counts(read: Callable[[Watched], Mapping[str, int]], *known: str) -> Callable[[Watched], Values]:
    """A series for each count; those that are known are there from the start, so that a first one is an increase."""

    def values(watched: Watched) -> Values:
        found = {**dict.fromkeys(known, 0), **read(watched)}
        return [((name,), float(count)) for name, count in sorted(found.items())]

    return values


def _of_processes(read: Callable[[Process], float]) -> Callable[[Watched], Values]:
    return lambda watched: [((name,), read(one)) for name, one in sorted(watched.processes.items())]


def _of_lags(read: Callable[[Lag], int]) -> Callable[[Watched], Values]:
    return lambda watched: [((sort,), float(read(lag))) for sort, lag in sorted(watched.lags.items())]


def _of_tasks(read: Callable[[FallingDue], float]) -> Callable[[Watched], Values]:
    def values(watched: Watched) -> Values:
        beatbook = watched.beatbook
        tasks = {
            "escalations": beatbook.escalations, "timers": beatbook.timers, "cohorts": beatbook.cohorts,
            "loans": beatbook.loans,
        }  # fmt: skip
        return [((name,), read(task)) for name, task in sorted(tasks.items())]

    return values


def _restarts(watched: Watched) -> float:
    store = watched.beatbook.store
    return float(store.writer.restarts) if isinstance(store, SqliteStore) else 0.0


def _refused_frames(watched: Watched) -> Mapping[str, int]:
    return watched.beatbook.measures.refused_frames + watched.door.refused_frames


def _alarms(watched: Watched) -> Mapping[str, int]:
    return watched.beatbook.measures.alarms + watched.beatbook.timers.raised


def _info(watched: Watched) -> Values:
    about = {
        "version": watched.version, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version,
    }  # fmt: skip
    return [((), about)]


def _webhooks(watched: Watched, waiting: bool) -> float:  # noqa: FBT001  which of the two
    standings = watched.beatbook.webhooks.standings()
    return float(sum(one.waiting if waiting else one.dead_letters for one in standings))


_CODES: Final = "an entry of [the error registry](errors.md)"
METRICS: Final = (
    Metric("beatbook", "info", "What runs: the program, Python and SQLite.", _info),
    Metric("beatbook_start_time_seconds", "gauge", "When the server was started, since 1970.",
           _one(lambda w: w.started_s)),
    Metric("beatbook_ready", "gauge", "1 while the server takes edits: started, not stopping, its store working.",
           _one(lambda w: float(w.beatbook.ready and w.beatbook.committer.failing is None))),
    Metric("beatbook_store_failing", "gauge", "1 while the last group could not be committed.",
           _one(lambda w: float(w.beatbook.committer.failing is not None))),
    # --- the way of an op
    Metric("beatbook_stage_seconds", "histogram", "What each stage of an op's way took: once for a group, a push "
           "(`check`) or a turn of the loop (`send`).",
           lambda w: [((name,), stage) for name, stage in w.beatbook.measures.stages.items()], ("stage",),
           "; ".join(f"`{name}`: {meaning}" for name, meaning in STAGES.items())),
    Metric("beatbook_ack_seconds", "histogram", "From a checked push to its results being told, on the disk; each "
           "push, and each thing that the server itself has committed.", _one(lambda w: w.beatbook.measures.acks)),
    Metric("beatbook_group_ops", "histogram", "Ops and journal entries that one call of the writer took.",
           _one(lambda w: w.beatbook.measures.group_ops)),
    Metric("beatbook_ops", "counter", "Ops by what became of them.",
           _counts(lambda w: w.beatbook.measures.results, *RESULTS), ("result",), "`durable`, `refused`, `waiting`"),
    Metric("beatbook_refused_ops", "counter", "Ops that were refused, or wait, by the error that says why.",
           _counts(lambda w: w.beatbook.measures.refused_ops), ("code",), _CODES),
    Metric("beatbook_failed_groups", "counter", "Groups that the store could not commit; they are offered again.",
           _one(lambda w: float(w.beatbook.measures.failed_groups))),
    Metric("beatbook_waiting_submissions", "gauge", "Pushes and entries that wait for a group.",
           _one(lambda w: float(w.beatbook.committer.waiting[0]))),
    Metric("beatbook_waiting_bytes", "gauge", "Their bytes.", _one(lambda w: float(w.beatbook.committer.waiting[1]))),
    Metric("beatbook_writer_restarts", "counter", "How often the writing process had to be started again.",
           _one(_restarts)),
    Metric("beatbook_turns", "counter", "Turns of the loop in which something was put on devices' sockets.",
           _one(lambda w: float(w.beatbook.measures.turns))),
    Metric("beatbook_wires", "counter", "Sockets that something was put on, over all those turns.",
           _one(lambda w: float(w.beatbook.measures.wires))),
    # --- connections
    Metric("beatbook_connections", "gauge", "Open connections of all sorts.", _one(lambda w: float(len(w.door)))),
    Metric("beatbook_connections_max", "gauge", "How many there may be.", _one(lambda w: float(w.connections_max))),
    Metric("beatbook_connections_pending", "gauge", "Those that have not sent a request yet.",
           _one(lambda w: float(w.door.pending))),
    Metric("beatbook_refused_connections", "counter", "Connections that were refused, by reason.",
           _counts(lambda w: w.door.refusals, *REFUSALS), ("reason",),
           "; ".join(f"`{name}`: {meaning}" for name, meaning in REFUSALS.items())),
    Metric("beatbook_sockets", "gauge", "Sync sockets, let in or not.", _one(lambda w: float(len(w.beatbook.hub)))),
    Metric("beatbook_sessions", "gauge", "Devices that are let in.", _one(lambda w: float(w.beatbook.hub.devices))),
    Metric("beatbook_session_ends", "counter", "Sync sockets that ended, by error; `gone` without one.",
           _counts(lambda w: w.beatbook.measures.session_ends, "gone"), ("code",), f"`gone`, or {_CODES}"),
    Metric("beatbook_refused_frames", "counter", "Frames and messages of devices that ended their session.",
           _counts(_refused_frames), ("code",), _CODES),
    Metric("beatbook_repairs", "counter", "Scopes in which a device's digest was not the server's, of ended sessions.",
           _one(lambda w: float(w.beatbook.measures.repairs))),
    Metric("beatbook_http_requests", "counter", "HTTP requests by method and status.",
           lambda w: [((method, str(status)), float(count))
                      for (method, status), count in sorted(w.beatbook.measures.requests.items())],
           ("method", "status"), "a method of HTTP or `other`; the status, 499 where the caller had left"),
    Metric("beatbook_http_seconds", "histogram", "What each HTTP request took.",
           _one(lambda w: w.beatbook.measures.request_s)),
    # --- how far devices are
    Metric("beatbook_scopes_behind", "gauge", "Scopes that some connected device does not hold up to the head.",
           _of_lags(lambda lag: lag.scopes), ("sort",), "the family of the scope, and what it is for"),
    Metric("beatbook_devices_behind", "gauge", "Connected devices that are behind in such a scope.",
           _of_lags(lambda lag: lag.devices), ("sort",), "as above"),
    Metric("beatbook_devices_stalled", "gauge", "Those of them that have not moved for 30 seconds.",
           _of_lags(lambda lag: lag.stalled), ("sort",), "as above"),
    Metric("beatbook_scope_lag_commits", "gauge", "By how many of the server's commits the furthest of them is behind.",
           _of_lags(lambda lag: lag.commits), ("sort",), "as above"),
    # --- police work that waits
    Metric("beatbook_alarms", "counter", "Alarms that were raised, by what they warn of.",
           _counts(_alarms, CHAIN_DIFFERS, READS_MISSING),
           ("what",), "what falls due, or `chain_differs`, `reads_missing`"),
    Metric("beatbook_alarms_open", "gauge", "Alarms that nobody has taken up.",
           _one(lambda w: float(w.beatbook.timers.open_alarms))),
    Metric("beatbook_due_waiting", "gauge", "Records in which something falls due, now or later.",
           _of_tasks(lambda task: float(task.waiting)), ("task",), "`cohorts`, `escalations`, `loans`, `timers`"),
    Metric("beatbook_due_late_seconds", "gauge", "For how long the oldest thing that is due has not been done.",
           _of_tasks(lambda task: task.late_ms() / _S), ("task",), "as above"),
    Metric("beatbook_inbox_open", "gauge", "Questions that wait for a person's decision.",
           _one(lambda w: float(w.beatbook.escalations.questions()[0]))),
    Metric("beatbook_inbox_overdue", "gauge", "Those that should have been decided by now.",
           _one(lambda w: float(w.beatbook.escalations.questions()[1]))),
    Metric("beatbook_inbox_overdue_seconds", "gauge", "By how much the one that is most overdue is.",
           _one(lambda w: w.beatbook.escalations.questions()[2] / _S)),
    Metric("beatbook_webhook_events_waiting", "gauge", "Events that no subscriber has taken yet, of all webhooks.",
           _one(lambda w: _webhooks(w, waiting=True))),
    Metric("beatbook_webhook_dead_letters", "gauge", "Records with an event that was given up.",
           _one(lambda w: _webhooks(w, waiting=False))),
    Metric("beatbook_restores_noticed", "counter", "How often it was found that the server was set back to a backup.",
           _one(lambda w: float(w.beatbook.restores.count))),
    # --- the machine
    Metric("beatbook_loop_lag_seconds", "histogram", "By how much a heartbeat of the event loop came late.",
           _one(lambda w: w.beatbook.measures.loop_lag)),
    Metric("beatbook_database_bytes", "gauge", "The database's file.", _one(lambda w: w.files.database_bytes)),
    Metric("beatbook_wal_bytes", "gauge", "Its write-ahead log.", _one(lambda w: w.files.wal_bytes)),
    Metric("beatbook_disk_bytes", "gauge", "The disk of the data folder.", _one(lambda w: w.files.disk_bytes)),
    Metric("beatbook_disk_free_bytes", "gauge", "What of it is free.", _one(lambda w: w.files.disk_free_bytes)),
    Metric("beatbook_disk_free_files", "gauge", "Files that can still be made there.",
           _one(lambda w: w.files.disk_free_files)),
    Metric("beatbook_last_backup_timestamp_seconds", "gauge", "When the last backup was begun, since 1970; none: 0.",
           _one(lambda w: 0.0 if w.files.backup is None else w.files.backup.at / _S)),
    Metric("beatbook_last_backup_bytes", "gauge", "How large it is.",
           _one(lambda w: 0.0 if w.files.backup is None else float(w.files.backup.bytes))),
    Metric("beatbook_certificate_end_timestamp_seconds", "gauge", "When the certificate ends, since 1970; only where "
           "the server speaks TLS itself.", _one(lambda w: w.files.certificate_end_s)),
    Metric("beatbook_process_cpu_seconds", "counter", "Processor time.", _of_processes(lambda one: one.cpu_s),
           ("process",), "`server`, `writer`"),
    Metric("beatbook_process_resident_bytes", "gauge", "Memory.", _of_processes(lambda one: float(one.resident_bytes)),
           ("process",), "as above"),
    Metric("beatbook_process_open_files", "gauge", "Open files and sockets.",
           _of_processes(lambda one: float(one.open_files)), ("process",), "as above"),
    Metric("beatbook_process_open_files_max", "gauge", "How many there may be.",
           _of_processes(lambda one: float(one.open_files_max)), ("process",), "as above"),
)  # fmt: skip
"""All of them, in the order of the page."""
OPTIONAL: Final = frozenset({"beatbook_certificate_end_timestamp_seconds"})
"""Those without a series where there is nothing to tell; each other one has one from the first scrape on, but for those
whose labels come with what happens."""


def samples() -> frozenset[str]:
    """Every name under which a sample can be asked for."""
    found: set[str] = set()
    for metric in METRICS:
        match metric.kind:
            case "histogram":
                found |= {f"{metric.name}{end}" for end in ("_bucket", "_count", "_sum")}
            case "info":
                found.add(f"{metric.name}_info")
            case "counter" | "gauge":
                found.add(metric.shown)
    return frozenset(found)
