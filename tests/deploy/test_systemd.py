"""The systemd units: how far they lock the server up, and that it works for real behind every one of their locks."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.conftest import PREFIX
from tests.deploy.rooms import DEPLOY, Room

UNITS = sorted(unit for unit in (DEPLOY / "systemd").iterdir() if unit.suffix != ".conf")
EXPOSURE_MAX = "15"
"""Tenths: what `systemd-analyze security` may find is 1.5 of 10."""
TARGET = "[Unit]\nDescription=What a room starts\nWants=driver.service beatbook.socket beatbook.service\n"
NEEDED = ("sysinit", "basic", "sockets", "timers", "shutdown", "network-online")
DRIVER = """\
[Unit]
After=beatbook.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /driver/drive.py
StandardOutput=file:/driver/said
StandardError=file:/driver/said
"""
OF_THE_ROOM = {"file system", "space", "open files"}
"""What `beatbook doctor` finds wrong with a room: its disk is memory."""
WATCHDOG_S = 8
LOGGED = f"[Service]\nWatchdogSec={WATCHDOG_S}\nTimeoutAbortSec=1\nStandardOutput=append:/driver/server.log\n"
LOGGED += "StandardError=append:/driver/server.log\n"
# Runs in the room, as whoever administers the machine.
DRIVE = """\
import json, os, re, signal, socket, subprocess, threading, time, urllib.request
beatbook = "/usr/local/lib/beatbook/bin/beatbook"
def sh(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else done.stdout
def show(unit, *names):
    said = sh("systemctl", "show", unit, *(f"--property={name}" for name in names))
    return dict(line.split("=", 1) for line in said.splitlines())
def ready():
    with urllib.request.urlopen("http://127.0.0.1:8700/readyz", timeout=30) as answer:
        return answer.status
found = {"ready": ready(), "first": show("beatbook.service", "MainPID", "ActiveState", "WatchdogUSec", "StatusErrno")}
pid = found["first"]["MainPID"]
with open(f"/proc/{pid}/status") as status:
    found["status"] = dict(line.rstrip().split(":\\t", 1) for line in status if ":\\t" in line)
log = open("/driver/server.log").read()
link = re.findall(r"http\\S+/setup#\\S+", log)[-1]
found["setup"] = sh(
    beatbook, "setup", link, "--server", "http://127.0.0.1:8700",
    "--officer", "WM1", "--name", "Ada Example", "--device", "admin-01", "--folder", "/tmp/me",
    "--passphrase-file", "/driver/passphrase")
with open("/etc/beatbook/backup.env", "w") as env:
    env.write("RECIPIENT=" + subprocess.run(
        [beatbook, "backup", "keygen", "--to", "/tmp/key"],
        capture_output=True, text=True).stdout)
over, dialled, refused, late = threading.Event(), 0, 0, []
def dial():
    global dialled, refused
    while not over.is_set():
        try:
            late.append(socket.create_connection(("127.0.0.1", 8700), timeout=30))
            dialled += 1
        except OSError:
            refused += 1
        over.wait(0.02)
dialling = threading.Thread(target=dial)
dialling.start()
found["restart"] = sh("systemctl", "restart", "beatbook.service")
over.set()
dialling.join()
found["dialled"], found["refused"] = dialled, refused
found["again"] = ready()
found["second"] = show("beatbook.service", "MainPID", "ActiveState", "NRestarts", "Result")
found["reload"] = sh("systemctl", "reload", "beatbook.service")
found["list"] = sh(
    beatbook, "device", "list", "--folder", "/tmp/me")
found["backup"] = sh("systemctl", "start", "beatbook-backup.service")
found["backups"] = os.listdir("/var/lib/beatbook-backups")
found["erasures"] = sh("systemctl", "start", "beatbook-erasures.service")
found["beside"] = os.listdir("/var/lib/beatbook-backups")
backup = "/var/lib/beatbook-backups/" + "".join(found["backups"]), "--key", "/tmp/key", "--verify"
found["restored"] = sh(beatbook, "restore", *backup, "--data", "/driver/restored")
found["stop"] = sh("systemctl", "stop", "beatbook.socket", "beatbook.service")
found["third"] = show("beatbook.service", "ActiveState", "Result", "ExecMainStatus")
found["owner"] = os.stat("/var/lib/beatbook/beatbook.db").st_mode & 0o777
found["log"] = open("/driver/server.log").read()
# What the runbook says to do to change the master key, and to put a backup in the folder's place.
folder = "/var/lib/beatbook"
as_its_user = "runuser", "--user", "beatbook", "--"
place = os.stat(folder + "/place").st_ctime_ns
found["rotated"] = sh(*as_its_user, beatbook, "keys", "rotate", "--data", folder)
found["kept"] = os.stat(folder + "/place").st_ctime_ns == place
found["started"] = sh("systemctl", "start", "beatbook.socket", "beatbook.service"), ready()
sh("systemctl", "stop", "beatbook.socket", "beatbook.service")
found["replaced"] = sh(beatbook, "restore", *backup, "--data", folder, "--replace")
found["restarted"] = sh("systemctl", "start", "beatbook.socket", "beatbook.service"), ready()
found["after"] = sh(beatbook, "device", "list", "--folder", "/tmp/me")
# A loop that does not turn any more: nobody but the watchdog notices.
os.kill(int(show("beatbook.service", "MainPID")["MainPID"]), signal.SIGSTOP)
while show("beatbook.service", "NRestarts")["NRestarts"] == "0":
    time.sleep(0.1)
found["woken"] = ready()
found["doctor"] = json.loads(sh(*as_its_user, beatbook, "doctor", "--config", "/etc/beatbook/beatbook.toml", "--json"))
with open("/driver/found.json", "w") as out:
    json.dump(found, out)
"""


@pytest.fixture(scope="module")
def analyze() -> str:
    """Where systemd-analyze is; CI installs it."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("no systemd-analyze here")
    return found


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.suffix == ".service"], ids=lambda unit: unit.name)
def test_a_service_is_locked_up(unit: Path, analyze: str) -> None:
    """What systemd itself finds that a service could still reach stays under our bound."""
    command = [analyze, "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_unit_says_what_systemd_understands(analyze: str, tmp_path: Path) -> None:
    """No key that is misspelt, which systemd would pass over: a lock that is misspelt is none."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace(f"{PREFIX}/bin/beatbook", "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    command = [analyze, "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_the_server_works_behind_its_locks(image: Path, tmp_path: Path) -> None:
    """With a systemd of its own: ready, administered, restarted with nobody refused, backed up, stopped in order."""
    units, driver = tmp_path / "units", tmp_path / "driver"
    drop_in = units / "beatbook.service.d"
    for folder in (driver, drop_in):
        folder.mkdir(parents=True)
    for unit in (DEPLOY / "systemd").iterdir():
        shutil.copy(unit, units)
    (drop_in / "log.conf").write_text(LOGGED)
    for other in ("beatbook-backup", "beatbook-erasures"):
        shutil.copytree(drop_in, units / f"{other}.service.d")
    (units / "room.target").write_text(TARGET)
    for needed in NEEDED:
        (units / f"{needed}.target").write_text("[Unit]\nDescription=Nothing else of a machine\n")
    (units / "driver.service").write_text(DRIVER)
    (driver / "drive.py").write_text(DRIVE)
    (driver / "passphrase").write_text("four invented words here\n")
    (driver / "passphrase").chmod(0o600)
    binds = {image / PREFIX[1:]: PREFIX, units: "/etc/room", driver: "/driver"}
    done = Room(tmp_path / "room", {**binds, DEPLOY / "beatbook.toml": "/etc/beatbook/beatbook.toml"}).run(
        "/lib/systemd/systemd", "--system", "--show-status=no", "--log-target=console", "--unit=room.target",
        before="chroot $root systemd-sysusers /etc/room/beatbook-sysusers.conf",
        environment={"container": "nspawn", "SYSTEMD_UNIT_PATH": "/etc/room"}, timeout_s=120,
    )  # fmt: skip
    said = driver / "said"
    told = done.stderr[-3_000:] + (said.read_text() if said.exists() else "")
    assert (driver / "found.json").exists(), told
    found = json.loads((driver / "found.json").read_text())
    assert (found["ready"], found["again"]) == (200, 200), told
    assert found["first"]["WatchdogUSec"] == f"{WATCHDOG_S}s"
    status = found["status"]
    assert (status["NoNewPrivs"], status["Seccomp"], int(status["CapBnd"], 16)) == ("1", "2", 0)
    assert status["Uid"].split()[0] != "0"
    assert "WM1" in found["setup"], found["setup"]
    assert "admin-01" in found["list"], found["list"]
    assert (found["restart"], found["reload"], found["stop"]) == ("", "", "")
    assert found["dialled"] > 0 == found["refused"]
    assert (found["backup"], len(found["backups"])) == ("", 1), found["log"]
    assert (found["erasures"], {*found["beside"]} - {*found["backups"]}) == ("", {"erasures.bbk"}), found["log"]
    assert "Traceback" not in found["restored"]
    assert "not opened" not in found["restored"]
    assert "/driver/restored" in found["restored"]
    assert found["second"]["MainPID"] not in {"0", found["first"]["MainPID"]}
    assert found["second"]["ActiveState"] == "active"
    assert found["third"] == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    assert found["owner"] == 0o600
    assert "Destroyed: " in found["rotated"], found["rotated"]
    assert found["kept"]
    assert (found["started"], found["restarted"]) == (["", 200], ["", 200]), found["log"]
    assert found["woken"] == 200
    assert "admin-01" in found["after"], found["replaced"] + found["after"]
    troubles = [line for line in found["doctor"]["lines"] if line["level"] == "trouble"]
    assert [line for line in troubles if line["check"] not in OF_THE_ROOM] == []
    assert "Traceback" not in found["log"], found["log"]
