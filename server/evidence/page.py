"""The readable side of an export, made from its evidence alone: the same evidence gives the same page and story.

The page is one file without scripts that loads nothing: it can be printed, kept, and opened in a court in ten years.
Every word from a record is escaped; nothing in it is markup.
"""

import hashlib
import html
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from schemas.ids import DeviceId, Millis, OfficerId, OpId
from server.evidence.exported import EVIDENCE, PAGE, STORY, Evidence, write
from server.logbook import OFFICE
from server.registry.acts import Disclosed, OfficerAdded, RecordAct, RetentionReviewed, decode, seat_of, tag_of
from sync.explain import Account, History, Logged, history, tell
from sync.explain.values import doubts, moment, value

_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#111;background:#fff}"
    "h1{font-size:1.6em}h2{margin-top:2em;border-bottom:1px solid #999}"
    "table{border-collapse:collapse;width:100%}th,td{border:1px solid #999;padding:.3em .5em;text-align:left;"
    "vertical-align:top}th{background:#eee}code{overflow-wrap:anywhere}.small{font-size:.85em}"
)


class StoryOp(msgspec.Struct, frozen=True, kw_only=True):
    """One op, told.

    Attributes:
        op, record, author, device: which, on what, who, on which device.
        seat: where its author was: the device, or of an op that the server made for a caller, the caller's.
        occurred_at, recorded_at, wall: when it happened, was recorded, and what its device's clock said (ms).
        doubts: what is doubtful about its time, in words.
        said: field -> what it said.
        why: its author's reason.
        correct: whether it corrects what was said once.
        status, code: what became of it.
        entry: its place in the log.
    """

    op: OpId
    record: str
    author: OfficerId
    device: DeviceId
    seat: DeviceId
    occurred_at: Millis
    recorded_at: Millis
    wall: Millis
    doubts: list[str]
    said: dict[str, Any]
    why: str
    correct: bool
    status: str
    code: str
    entry: int


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """The record's story, for programs.

    Attributes:
        record, kind: which.
        made_at, made_by, recipients, why: of the export.
        fields: why each value stands.
        ops: every op in order.
        evidence: SHA-256 of the evidence that this was made from.
    """

    record: str
    kind: str
    made_at: Millis
    made_by: OfficerId
    recipients: tuple[str, ...]
    why: str
    fields: History
    ops: list[StoryOp]
    evidence: str


def export(evidence: Evidence) -> bytes:
    """The zip of an evidence.

    Raises:
        UsageError: it does not hold the record that it is about.
    """
    raw = msgspec.json.format(msgspec.json.encode(evidence), indent=1)
    return write({EVIDENCE: raw, **readable(evidence, raw)})


def readable(evidence: Evidence, raw: bytes) -> dict[str, bytes]:
    """The two readable files.

    Args:
        evidence: what to tell.
        raw: its file, byte for byte.
    """
    account = evidence.account()
    digest = hashlib.sha256(raw).hexdigest()
    story = Story(
        record=account.state.id,
        kind=account.state.spec.name,
        made_at=evidence.made_at,
        made_by=evidence.made_by,
        recipients=evidence.recipients,
        why=evidence.why,
        fields=history(account),
        ops=[_op(one, given.proven.index) for one, given in zip(account.log, evidence.ops, strict=True)],
        evidence=digest,
    )
    told = msgspec.json.format(msgspec.json.encode(story), indent=1)
    return {STORY: told, PAGE: _page(evidence, account, story).encode()}


def _op(one: Logged, entry: int) -> StoryOp:
    op = one.op
    return StoryOp(
        op=op.id,
        record=op.record,
        author=op.author,
        device=op.device,
        seat=op.seat,
        occurred_at=op.occurred_at,
        recorded_at=one.recorded_at,
        wall=op.wall,
        doubts=doubts(op.doubt),
        said={str(name): said for name, said in op.changes.items()},
        why=op.why,
        correct=op.correct,
        status=one.result.status,
        code=one.result.code,
        entry=entry,
    )


def _page(evidence: Evidence, account: Account, story: Story) -> str:
    names = _names(evidence)
    parts = [
        f"<h1>Disclosure of one {_text(story.kind)} record</h1>",
        _table(
            (),
            [
                ("Record", story.record),
                ("Made", f"{moment(story.made_at)} by {_person(names, story.made_by)}"),
                ("For", "; ".join(story.recipients)),
                ("Because", story.why),
            ],
        ),
        "<h2>What is recorded, and why it stands</h2>",
        *_fields(account, story.fields),
        "<h2>Everything that was done to it, in order</h2>",
        _table(
            ("Entry", "Recorded", "Happened", "Who", "What was said", "Why", "What became of it"),
            [_row(one, account, names) for one in story.ops],
        ),
        "<h2>Who looked at it, and to whom it was given</h2>",
        _table(("When", "What", "Who", "Why", "To whom"), [*_reads(evidence, names), *_acts(evidence, names)]),
        "<h2>What proves this</h2>",
        *_proof(evidence, story),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{_text(story.kind)} {_text(story.record)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _fields(account: Account, fields: History) -> Iterable[str]:
    for one in fields.fields:
        first, *rest = tell(account.state.spec, one, account.now)
        yield f"<h3>{_text(first)}</h3>"
        yield "".join(f"<p>{_text(line.strip())}</p>" for line in rest)


def _row(one: StoryOp, account: Account, names: dict[str, str]) -> Sequence[str]:
    fields = account.state.spec.fields if one.record == account.state.id else {}
    types = {str(name): field.type for name, field in fields.items()}
    said = "; ".join(f"{name.replace('_', ' ')}: {value(types.get(name), it)}" for name, it in one.said.items())
    about = "" if one.record == account.state.id else f"(on inbox item {one.record}) "
    clock = f"; doubtful: {'; '.join(one.doubts)}" if one.doubts else ""
    became = "taken in" if one.status == "durable" else f"refused ({one.code})"
    return (
        str(one.entry),
        moment(one.recorded_at),
        f"{moment(one.occurred_at)}; the device's clock said {moment(one.wall)}{clock}",
        f"{_person(names, one.author)} on {_device(one)} ({one.op})",
        f"{about}{'correction: ' if one.correct else ''}{said}",
        one.why,
        became,
    )


def _reads(evidence: Evidence, names: dict[str, str]) -> Iterable[Sequence[str]]:
    for one in evidence.reads:
        who = f"{_person(names, one.officer)} at {one.seat}"
        yield moment(one.at), one.what, who, one.why, "; ".join(one.recipients)


def _acts(evidence: Evidence, names: dict[str, str]) -> Iterable[Sequence[str]]:
    for one in evidence.acts:
        act = decode(one.body)
        if isinstance(act, Disclosed):
            yield moment(act.at), "disclosure", _doer(names, act), act.why, "; ".join(act.recipients)
        elif isinstance(act, RetentionReviewed):
            yield moment(act.at), f"review of keeping: {act.outcome}", _doer(names, act), act.why, ""


def _doer(names: dict[str, str], act: RecordAct) -> str:
    seat = seat_of(act)
    return _person(names, act.by) if seat is None else f"{_person(names, act.by)} at {seat}"


def _proof(evidence: Evidence, story: Story) -> Iterable[str]:
    yield (
        "<p>Beside this page lies <code>evidence.json</code> with the bytes of every op, what each device signed, and "
        "for each the proof that it stands at its place in the server's log. It can be checked with no server: "
        "<code>beatbook verify FILE --log VKEY</code>, with the log's key as the force has published it. The check "
        "also makes this page anew from the evidence, and says so if it differs by a letter.</p>"
        "<p>Proven is that each text is what that device signed, when its place in the log was taken, and that neither "
        "was changed since. Not proven is that what somebody wrote is true, that nothing else was ever written, and "
        "what is told above of who looked at it beyond the hash that the log holds.</p>"
    )
    kinds = sorted({tag_of(decode(one.body)) for one in evidence.acts})
    yield _table(
        (),
        [
            ("Log", evidence.log),
            ("Checkpoint", evidence.checkpoint.decode(errors="replace")),
            ("SHA-256 of evidence.json", story.evidence),
            ("Acts that say who is who", ", ".join(kinds)),
        ],
    )


def _names(evidence: Evidence) -> dict[str, str]:
    acts = (decode(one.body) for one in evidence.acts)
    return {act.officer: act.name for act in acts if isinstance(act, OfficerAdded)}


def _person(names: dict[str, str], officer: str) -> str:
    return f"{officer} ({names[officer]})" if officer in names else officer


def _device(one: StoryOp) -> str:
    if one.device != OFFICE:
        return f"device {one.device}"
    return "the server itself" if one.seat == OFFICE else f"device {one.seat}, through the server"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = f"<tr>{''.join(f'<th>{_text(one)}</th>' for one in heads)}</tr>" if heads else ""
    body = "".join(f"<tr>{''.join(f'<td>{_text(one)}</td>' for one in row)}</tr>" for row in rows)
    return f'<table class="small">{top}{body}</table>'


def _text(words: str) -> str:
    return html.escape(words, quote=True)
