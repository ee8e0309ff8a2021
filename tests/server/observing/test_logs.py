"""A log line is one line, says what it was done for, and nothing of whom."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import PeerError
from server.observing import correlation
from server.observing.logs import JsonFormatter, LogFormat, formatter
from server.redaction import HIDDEN

KEY = bytes(32)
PEOPLE = {"wm21877", "hh-0417", "hh-0417-wm21877"}
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


def is_name(word: str) -> bool:
    """Whether a word is one of the people's or devices'."""
    return word.lower() in PEOPLE


def record(text: str, *arguments: object, error: BaseException | None = None, **extra: object) -> logging.LogRecord:
    """A record as a logger makes it."""
    trace = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("server.x", logging.WARNING, __file__, 1, text, arguments, trace)
    made.__dict__.update(extra)
    return made


def written(made: logging.LogRecord, form: LogFormat = "json", *, personal: bool = False) -> str:
    """The record as it is written once the server knows its people."""
    told = formatter(form, personal=personal)
    told.name(is_name, KEY)
    return told.format(made)


def said(made: logging.LogRecord) -> dict[str, Any]:
    """The same, read again."""
    line = written(made)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def failed(text: str) -> ValueError:
    """An error that was raised over something personal."""
    try:
        int(text)
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "text",
    [
        "cannot admit hh-0417: disk full",
        "no lease for hh-0417.",
        "officer WM21877 has no role",
        "scope officer:wm21877:inbox moved",
        "op hh-0417/12 is not there",
        "token of WM21877 at hh-0417-wm21877 has ended.WM21877",
    ],
)
def test_names_are_hidden_wherever_they_stand(form: LogFormat, text: str) -> None:
    """Of a device or a person there is a hash, the same in every line, and the rest of the line is as it was."""
    line = written(record(text), form)
    assert not re.search(r"(?i)wm21877|hh-0417", line)
    assert re.search(r"~[0-9a-f]{8}", line)
    assert written(record("hh-0417"), "text").split()[4] == written(record("so hh-0417"), "text").split()[5]


def test_whoever_runs_the_server_may_have_names_written() -> None:
    """`[log] personal = true` leaves them; secrets stay hidden."""
    line = written(record("hh-0417 came with Bearer abcdef123456"), "text", personal=True)
    assert "hh-0417" in line
    assert "abcdef123456" not in line


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_an_exception_says_is_left_out(form: LogFormat) -> None:
    """It may quote a record. Its type and where it came from are told, and lines of source only in text."""
    error = failed("Ben Adebayo has a peanut allergy")
    wrapped = RuntimeError("allergy again")
    wrapped.__cause__ = error
    line = written(record("a record cannot be read", error=wrapped), form)
    assert "allergy" not in line.replace('failed("Ben', "")
    assert "RuntimeError" in line
    assert (HIDDEN if form == "text" else "where") in line


def test_a_json_line_has_what_is_known() -> None:
    """Time, level, logger and message always; ids, code and exception where there are some."""
    correlation.begin_connection()
    request = correlation.begin_request()
    error = failed("x")
    found = said(record("refused: %s", PeerError("not_granted"), error=error, asked_by=["a1", "b2"]))
    assert RFC_3339.fullmatch(found["time"])
    assert (found["level"], found["logger"], found["code"]) == ("warning", "server.x", "not_granted")
    assert (found["request"], found["connection"]) == (request, correlation.connection())
    assert found["asked_by"] == ["a1", "b2"]
    assert found["error"]["type"] == "ValueError"
    assert found["error"]["where"][-1].endswith(" failed")
    assert found["error"]["where"][-1].startswith("tests/server/observing/test_logs.py:")


def test_a_message_of_several_lines_is_one_line() -> None:
    """Whoever reads line by line gets whole objects; nobody can make a second one up."""
    forged = "x\n{level: info, message: all is well}"
    assert said(record("peer said %s", forged))["message"] == f"peer said {forged}"


def test_a_record_that_another_formatter_has_seen_is_still_clean() -> None:
    """The library keeps a formatted traceback in the record, words included."""
    made = record("failed", error=failed("Ben Adebayo"))
    logging.Formatter().format(made)
    assert "Adebayo" not in written(made, "text").replace('failed("Ben Adebayo")', "")


def test_each_form_has_its_formatter() -> None:
    """The configuration's word decides."""
    assert isinstance(formatter("json"), JsonFormatter)
    assert not isinstance(formatter("text"), JsonFormatter)


TO_A_FILE = """\
import logging, sys
from pathlib import Path
from server.observing import logs
told = logs.formatter("text")
told.name(lambda word: word == "WM21877", bytes(32))
logs.begin(told, "info", Path(sys.argv[1]))
logging.getLogger("sync.device").warning("%s: %r cannot be read", "WM21877", "Adebayo")
raise ValueError("at the terminal")
"""


def test_a_handsets_log_is_a_file_that_hides_as_much(tmp_path: Path) -> None:
    """It lies in clear beside an encrypted replica; what ends the program is told to whoever sits before it."""
    done = subprocess.run(
        [sys.executable, "-c", TO_A_FILE, str(tmp_path / "log")], capture_output=True, text=True, check=False
    )
    written = (tmp_path / "log").read_text(encoding="utf-8")
    assert re.search(r"WARNING sync.device: ~[0-9a-f]{8}: '\[hidden\]' cannot be read", written)
    assert "ValueError: at the terminal" in done.stderr
    assert "ValueError" not in written


UNCAUGHT = """\
import logging, sys, threading, warnings
from server.observing import logs
logs.begin(logs.formatter("json"), "info")
class Broken:
    def __del__(self):
        raise ValueError("Adebayo")
def fail():
    raise ValueError("Adebayo")
logging.getLogger("aiosqlite").debug("executing (1, 'Adebayo')")
logging.getLogger("httpx").info("HTTP Request: GET http://x/Adebayo")
warnings.warn("Adebayo" and "old", RuntimeWarning)
one = threading.Thread(target=fail)
one.start()
one.join()
Broken()
fail()
"""


def test_nothing_goes_past_the_log() -> None:
    """What nobody caught, in a thread or a destructor too, is a record like any other, and so is a warning."""
    done = subprocess.run([sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["level"], line["logger"]) for line in lines] == [
        ("warning", "py.warnings"),
        ("error", "server.uncaught"),
        ("error", "server.uncaught"),
        ("critical", "server.uncaught"),
    ]
    assert [line["error"]["type"] for line in lines[1:]] == ["ValueError"] * 3
    assert "Adebayo" not in done.stdout + done.stderr
