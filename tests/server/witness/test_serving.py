"""A witness's folder and its command: made once, never mixed up, never served without its memory."""

import asyncio
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from schemas.errors import BeatbookError, StoreError, UsageError
from server.cli import main
from server.witness.request import PATH
from server.witness.serving import HEADS, KEY, Listening, open_folder, serve
from sync.evidence.cosign import cosigned_s
from sync.evidence.note import Note, Signature
from tests.server.rawsocket import PATIENCE_S, RawSocket
from tests.server.witness.submitting import HONEST, request
from tests.sync.evidence.parties import LOG, NOW_S, WITNESSES, signed_head

NAME = "witness.hmi.example"


def opened(path: Path, name: str | None = None) -> str:
    """Open and close a folder: the witness's key."""
    folder = open_folder(path, name)
    folder.heads.close()
    return str(folder.key)


def refused(path: Path, name: str | None = None) -> str:
    """Why a folder cannot be opened."""
    with pytest.raises(BeatbookError) as raised:
        open_folder(path, name)
    return str(raised.value)


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    """Key and name are the same from then on; the key is its owner's alone."""
    made = opened(tmp_path / "w", NAME)
    assert made.startswith(f"{NAME}+")
    assert opened(tmp_path / "w") == opened(tmp_path / "w", NAME) == made
    assert (tmp_path / "w" / KEY).stat().st_mode & 0o777 == 0o600


def test_a_new_witness_needs_a_name(tmp_path: Path) -> None:
    """Said so, and no key is made that would have none; another name is refused later."""
    assert "--name" in refused(tmp_path / "w")
    assert "no spaces" in refused(tmp_path / "w", "two words")
    assert not (tmp_path / "w" / KEY).exists()
    made = opened(tmp_path / "w", NAME)
    assert f"belongs to the witness {NAME!r}" in refused(tmp_path / "w", "other.example")
    assert opened(tmp_path / "w") == made


def test_a_key_without_its_memory_is_not_served(tmp_path: Path) -> None:
    """A witness that forgot what it signed could be made to sign a fork of it."""
    opened(tmp_path / "w", NAME)
    (tmp_path / "w" / HEADS).unlink()
    assert "what it has seen; restore that file" in refused(tmp_path / "w")
    assert not (tmp_path / "w" / HEADS).exists()


def test_a_memory_without_its_key_is_not_served(tmp_path: Path) -> None:
    """No new key is made where the old one has to be put back; another's does not fit."""
    opened(tmp_path / "w", NAME)
    opened(tmp_path / "v", NAME)
    key = (tmp_path / "w" / KEY).read_bytes()
    (tmp_path / "w" / KEY).unlink()
    assert "key of the witness 'witness.hmi.example' is gone" in refused(tmp_path / "w")
    assert not (tmp_path / "w" / KEY).exists()
    (tmp_path / "w" / KEY).write_bytes((tmp_path / "v" / KEY).read_bytes())
    (tmp_path / "w" / KEY).chmod(0o600)
    assert "another key" in refused(tmp_path / "w")
    (tmp_path / "w" / KEY).write_bytes(key)
    assert opened(tmp_path / "w")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """Whoever can read it can sign in the witness's name."""
    opened(tmp_path / "w", NAME)
    (tmp_path / "w" / KEY).chmod(0o644)
    assert "chmod 600" in refused(tmp_path / "w")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """With its path."""
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in refused(tmp_path / "file", NAME)


async def test_it_serves_until_it_is_stopped(tmp_path: Path) -> None:
    """On a real socket: a head is cosigned with the key that was announced, and a slow one gets no place of its own."""
    folder = open_folder(tmp_path / "w", NAME)
    ready: asyncio.Future[Listening] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(folder, [LOG.key], "127.0.0.1", 0, ready.set_result, now_s=lambda: NOW_S))
    listening = await ready
    try:
        raw = await RawSocket.open(int(listening.url.rpartition(":")[2]))
        await raw.send(b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-le")
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
            answer = await http.post(listening.url + PATH, content=request(0, 9))
        raw.close()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    line = Signature.parse(answer.text.removesuffix("\n"))
    note = Note.parse(signed_head(HONEST, 9)).signed([line])
    assert cosigned_s(note, [listening.key]) == {NAME: NOW_S}
    assert opened(tmp_path / "w") == str(listening.key)


async def test_a_taken_address_is_told(tmp_path: Path) -> None:
    """One line with what to do, and the folder is closed again."""
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(StoreError, match=f"cannot listen on 127.0.0.1:{port}"):
        await serve(open_folder(tmp_path / "w", NAME), [LOG.key], "127.0.0.1", port, lambda _: None)
    server.close()
    await server.wait_closed()
    assert opened(tmp_path / "w")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing option '--log'"),
        (["--log", "nonsense"], "no verifier key"),
        (["--log", str(WITNESSES[0].key), "--name", NAME], "a witness watches logs"),
        (["--log", str(LOG.key)], "needs a name"),
        (["--log", str(LOG.key), "--name", NAME, "--port", "70000"], "not in the range"),
        (["--log", str(LOG.key), "--name", NAME, "--host", "203.0.113.1"], "cannot listen on 203.0.113.1"),
    ],
)
def test_a_wrong_command_is_told_what_is_wrong(tmp_path: Path, arguments: list[str], said: str) -> None:
    """In a line, without a traceback."""
    result = CliRunner().invoke(main, ["witness", "--data", str(tmp_path / "w"), *arguments])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code != 0
    assert said in result.output
    assert UsageError.__name__ not in result.output
