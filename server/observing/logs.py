"""The log: one line of text or one JSON object for each record, with the id of what it was done for.

Both hide what `server.redaction` hides. A JSON line has `time` (RFC 3339, UTC), `level`, `logger`, `message`; where
they are known `request` and `connection` (`server.observing.correlation`), `code` (an entry of one of the error
registries), `asked_by` (whose ops a commit held that failed) and `error` (the exception's type and where it came
from, innermost last, without what it said). What Python itself would write past the log, an exception that nobody
caught or a warning, is a record too.
"""

import datetime as dt
import json
import logging
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from server.observing import correlation
from server.redaction import RedactingFormatter

LogFormat = Literal["text", "json"]
CHILD_VARIABLE: Final = "BEATBOOK_LOG"
"""How the writing process learns in which form to log; it is no setting."""
TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s%(about)s"
_TALKATIVE: Final = ("aiosqlite", "httpcore", "httpx", "hpack", "urllib3")
"""Libraries that log what passes through them, values of a query and headers included."""
_uncaught: Final = logging.getLogger("server.uncaught")
_FRAMES_MAX: Final = 24
"""Of a traceback, the innermost ones."""
_ROOT: Final = Path(__file__).resolve().parent.parent.parent


class TextFormatter(RedactingFormatter):
    """A line of text; in brackets behind it what it was done for."""

    def __init__(self, *, personal: bool = False) -> None:
        """See `RedactingFormatter`."""
        super().__init__(TEXT, personal=personal)

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        about = [name for name in (correlation.current(), *_asked_by(record)) if name]
        record.about = f" [{' '.join(about)}]" if about else ""
        return super().format(record)


class JsonFormatter(RedactingFormatter):
    """One JSON object for each record, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as JSON."""
        said: dict[str, Any] = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.said(record),
        }
        connection, current = correlation.connection(), correlation.current()
        if current and current != connection:
            said["request"] = current
        if connection:
            said["connection"] = connection
        error = record.exc_info[1] if record.exc_info else None
        code = _code(record, error)
        if code:
            said["code"] = code
        asked_by = _asked_by(record)
        if asked_by:
            said["asked_by"] = asked_by
        if error is not None:
            said["error"] = {"type": type(error).__name__, "where": _where(error)}
            if self._personal:
                said["error"]["says"] = self.hidden(str(error))
        return json.dumps(said, ensure_ascii=False)


def _asked_by(record: logging.LogRecord) -> list[str]:
    found: list[str] = getattr(record, "asked_by", [])
    return found


def _code(record: logging.LogRecord, error: BaseException | None) -> str | None:
    """The entry of an error registry that a record speaks of: of its exception, or of one that stands in its text."""
    given = record.args.values() if isinstance(record.args, dict) else record.args or ()
    for one in (error, *given):
        code = getattr(getattr(one, "spec", None), "code", None)
        if isinstance(code, str):
            return code
    return None


def _where(error: BaseException) -> list[str]:
    """Where an exception came from: file, line and function of each frame. Lines of source could hold a value."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
    return [f"{_shown(Path(frame.filename))}:{frame.lineno} {frame.name}" for frame in frames]


def _shown(path: Path) -> str:
    """A file below the program's folder; of a library, its last parts."""
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else "/".join(path.parts[-3:])


def formatter(form: LogFormat, *, personal: bool = False) -> RedactingFormatter:
    """The formatter that writes a form."""
    return JsonFormatter(personal=personal) if form == "json" else TextFormatter(personal=personal)


def begin(formatter: RedactingFormatter, level: str, file: Path | None = None) -> None:
    """Have this process log through a formatter, and nothing past it.

    Args:
        formatter: makes the lines.
        level: from which on, as in `info`.
        file: where they go; None for standard error. With one, the terminal is told what ends the process.
    """
    handler = logging.StreamHandler() if file is None else logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    if file is not None:
        return
    sys.excepthook = _on_uncaught
    threading.excepthook = _on_thread
    sys.unraisablehook = _on_unraisable


def _on_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _uncaught.critical("the process ends by a defect", exc_info=(kind, error, trace))


def _on_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and not isinstance(told.exc_value, SystemExit):
        _uncaught.error("a thread ended by a defect", exc_info=told.exc_value)


def _on_unraisable(told: "sys.UnraisableHookArgs") -> None:
    _uncaught.error("a defect that could not be raised", exc_info=told.exc_value)
