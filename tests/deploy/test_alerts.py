"""Alerts and dashboard ask for what there is, and each alert goes off when it should, and then only."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from server.observing.declared import samples

ROOT: Final = Path(__file__).resolve().parent.parent.parent
RULES: Final = ROOT / "deploy/prometheus/rules/beatbook.yml"
CONFIGURATION: Final = ROOT / "deploy/prometheus/prometheus.yml"
DASHBOARD: Final = ROOT / "deploy/grafana/dashboards/beatbook.json"
MONITORING: Final = ROOT / "docs/howto/monitoring.md"
ALERT: Final = re.compile(r"^ +- alert: (\w+)$", re.MULTILINE)
METRIC: Final = re.compile(r"\bbeatbook_\w+")
MINUTES: Final = 120
"""How long each series below goes on, one value a minute, before the alerts are looked at."""

HEALTHY: Final = {
    'up{job="beatbook"}': "1",
    "beatbook_ready": "1",
    "beatbook_store_failing": "0",
    "beatbook_failed_groups_total": "0",
    "beatbook_writer_restarts_total": "0",
    "beatbook_restores_noticed_total": "0",
    'beatbook_ack_seconds_bucket{le="0.1"}': "0+100",
    'beatbook_ack_seconds_bucket{le="0.25"}': "0+100",
    'beatbook_ack_seconds_bucket{le="+Inf"}': "0+100",
    'beatbook_loop_lag_seconds_bucket{le="0.1"}': "0+100",
    'beatbook_loop_lag_seconds_bucket{le="0.25"}': "0+100",
    'beatbook_loop_lag_seconds_bucket{le="+Inf"}': "0+100",
    "beatbook_waiting_bytes": "1000000",
    "beatbook_wal_bytes": "4000000",
    "beatbook_disk_bytes": "100000000000",
    "beatbook_disk_free_bytes": "60000000000-1000000",
    "beatbook_disk_free_files": "1000000",
    "beatbook_last_backup_timestamp_seconds": "1000",
    'beatbook_refused_frames_total{code="bad_value"}': "0+10",
    'beatbook_refused_connections_total{reason="crowded"}': "0+10",
    "beatbook_connections": "8000",
    "beatbook_connections_max": "12000",
    'beatbook_process_open_files{process="server"}': "8100",
    'beatbook_process_open_files_max{process="server"}': "12256",
    'beatbook_devices_stalled{sort="area"}': "30",
    "beatbook_sessions": "7900",
    "beatbook_repairs_total": "3",
    'beatbook_alarms_total{what="chain_differs"}': "0",
    'beatbook_alarms_total{what="visit"}': "0+1",
    'beatbook_due_late_seconds{task="timers"}': "1",
    "beatbook_inbox_overdue_seconds": "600",
    "beatbook_webhook_dead_letters": "0",
    "beatbook_certificate_end_timestamp_seconds": "5000000",
}
"""A force at work, as Prometheus's tests write series: a value, and what each minute adds."""
TROUBLE: Final[dict[str, dict[str, str]]] = {
    "BeatbookDown": {'up{job="beatbook"}': "0"},
    "BeatbookNotReady": {"beatbook_ready": "0"},
    "BeatbookStoreFailing": {"beatbook_store_failing": "1"},
    "BeatbookWriterRestarts": {"beatbook_writer_restarts_total": "0+1"},
    "BeatbookRestored": {"beatbook_restores_noticed_total": "1"},
    "BeatbookAcksSlow": {'beatbook_ack_seconds_bucket{le="0.1"}': "0+98"},
    "BeatbookLoopLagging": {'beatbook_loop_lag_seconds_bucket{le="0.1"}': "0+98"},
    "BeatbookQueueFilling": {"beatbook_waiting_bytes": "60000000"},
    "BeatbookWalGrowing": {"beatbook_wal_bytes": "0+4000000"},
    "BeatbookDiskFullSoon": {"beatbook_disk_free_bytes": "40000000000-50000000"},
    "BeatbookDiskFull": {"beatbook_disk_free_files": "500"},
    "BeatbookBackupOld": {"beatbook_last_backup_timestamp_seconds": "-100000"},
    "BeatbookFramesRefused": {'beatbook_refused_frames_total{code="bad_value"}': "0+90"},
    "BeatbookConnectionsRefused": {'beatbook_refused_connections_total{reason="crowded"}': "0+90"},
    "BeatbookConnectionsFull": {"beatbook_connections": "11000"},
    "BeatbookOpenFiles": {'beatbook_process_open_files{process="server"}': "11500"},
    "BeatbookDevicesStalled": {'beatbook_devices_stalled{sort="area"}': "500"},
    "BeatbookRepairsMany": {"beatbook_repairs_total": "0+1"},
    "BeatbookEvidenceDiffers": {'beatbook_alarms_total{what="chain_differs"}': "0+1"},
    "BeatbookDueLate": {'beatbook_due_late_seconds{task="timers"}': "300"},
    "BeatbookInboxOverdue": {"beatbook_inbox_overdue_seconds": "10000"},
    "BeatbookWebhooksDead": {"beatbook_webhook_dead_letters": "1"},
    "BeatbookCertificateEnds": {"beatbook_certificate_end_timestamp_seconds": "500000"},
}
"""What is otherwise than in health when each alert goes off; nothing else goes off with it."""


def promtool() -> str:
    """Prometheus's own checker. Without it these tests say so, and in CI they fail: unchecked rules are no rules."""
    found = shutil.which("promtool")
    if found is None:
        words = "promtool is not there (Debian: apt-get install prometheus): the alerts were NOT checked"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return found


def checked(*arguments: str) -> str:
    """What promtool says; it must be content."""
    done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def asked(text: str) -> set[str]:
    """The names of metrics in queries, without what `by` and `on` list."""
    return set(METRIC.findall(text))


def queries() -> list[str]:
    """Every query of the dashboard."""
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def one_test(name: str, series: dict[str, str], firing: list[str]) -> dict[str, Any]:
    """A unit test in the words of promtool: with these series, these alerts and no others go off."""
    given = {key: value if "+" in value or "-" in value[1:] else f"{value}+0" for key, value in series.items()}
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": key.replace("}", ',instance="a"}') if "{" in key else f'{key}{{instance="a"}}',
             "values": f"{value}x{MINUTES}"}
            for key, value in given.items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{MINUTES}m",
                "exp_samples": [{"labels": f'{{alertname="{each}"}}', "value": 1} for each in firing],
            }
        ],
    }  # fmt: skip


def run_tests(folder: Path, tests: list[dict[str, Any]], rules: Path = RULES) -> subprocess.CompletedProcess[str]:
    """Have promtool run unit tests of the rules. JSON is YAML."""
    file = folder / "alerts.json"
    file.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}))
    return subprocess.run([promtool(), "test", "rules", str(file)], capture_output=True, text=True, check=False)


def test_the_files_are_what_prometheus_reads() -> None:
    """Syntax of rules and configuration, by Prometheus's own program."""
    assert "rules found" in checked("check", "rules", str(RULES))
    checked("check", "config", "--syntax-only", str(CONFIGURATION))


def test_nothing_goes_off_in_health_and_each_alert_by_its_trouble(tmp_path: Path) -> None:
    """What makes each go off is listed above, and every alert is in the list."""
    assert sorted(TROUBLE) == sorted(ALERT.findall(RULES.read_text(encoding="utf-8")))
    tests = [one_test("health", HEALTHY, [])]
    tests += [one_test(alert, {**HEALTHY, **trouble}, [alert]) for alert, trouble in TROUBLE.items()]
    done = run_tests(tmp_path, tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_that_cannot_go_off_is_noticed(tmp_path: Path) -> None:
    """Were a rule to ask for more than there can be, the test above would say so."""
    blunt = tmp_path / "rules.yml"
    blunt.write_text(RULES.read_text(encoding="utf-8").replace("> 26 * 3600", "> 26 * 3600000"))
    alert = "BeatbookBackupOld"
    done = run_tests(tmp_path, [one_test(alert, {**HEALTHY, **TROUBLE[alert]}, [alert])], blunt)
    assert done.returncode != 0


def test_rules_and_dashboard_ask_for_what_is_declared() -> None:
    """A query for a metric that is not there is never true, and its panel for ever empty."""
    assert asked(RULES.read_text(encoding="utf-8")) <= samples()
    for query in queries():
        assert asked(query), query
        assert asked(query) <= samples(), query
    assert asked("rate(beatbook_ops_totals[5m])") - samples() == {"beatbook_ops_totals"}


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """Panels have ids and places of their own, a title, and the data source that is provisioned."""
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    provisioned = (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    panels = board["panels"]
    assert board["uid"] == "beatbook"
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert place["x"] + place["w"] <= 24
        for target in panel.get("targets", []):
            assert f"uid: {target['datasource']['uid']}\n" in provisioned


def test_every_dashboard_query_is_one_that_prometheus_understands(tmp_path: Path) -> None:
    """Each is put into a rule, with Grafana's variables filled in, and checked."""
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$instance", "a")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "panels.json"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    checked("check", "rules", str(file))


def test_every_alert_is_in_the_howto() -> None:
    """Whoever is woken finds it by its name."""
    text = MONITORING.read_text(encoding="utf-8")
    assert [alert for alert in TROUBLE if f"`{alert}`" not in text] == []
