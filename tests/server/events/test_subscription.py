"""What a configuration may say of webhooks, and what of it is refused, in words and without secrets."""

from pathlib import Path

import pytest

from schemas.errors import UsageError
from server.configuration import Configuration, read_configuration
from tests.server.events.station import SECRET

GOOD = """
[events]
source = "https://beatbook.example"
[[webhooks]]
name = "records-office"
url = "https://records.example/hook"
scopes = ["area:birmingham", "suite:perry-barr:medical"]
kinds = ["incident", "medical"]
fields = ["incident.grade", "medical.suite"]
secret_file = "secret"
"""
VARIABLE = "BEATBOOK_WEBHOOK_RECORDS_OFFICE_SECRET"


def read(folder: Path, text: str = GOOD) -> Configuration:
    """Read a configuration with this text."""
    path = folder / "beatbook.toml"
    path.write_text(text)
    return read_configuration(path, {})


def secret_in(folder: Path, text: str = SECRET) -> None:
    """Write the secret's file."""
    path = folder / "secret"
    path.touch(mode=0o600)
    path.write_text(text + "\n")


def test_a_webhook_is_understood_and_its_secret_found(tmp_path: Path) -> None:
    """With the briefings that an audience brings, as a grant does; what is not said has a default."""
    secret_in(tmp_path)
    (found,) = read(tmp_path).subscriptions({})
    assert found.name == "records-office"
    assert found.signer.reveal() == SECRET
    assert found.scopes >= {"area:birmingham", "area:birmingham:briefing", "suite:perry-barr:medical"}
    assert found.fields == {"incident": {"grade"}, "medical": {"suite"}}
    assert (found.backoff.tries_max, found.backoff.first_ms, found.mode) == (12, 5_000, "structured")
    assert (found.tls, found.from_seq) == (None, None)
    assert SECRET not in repr(found)


def test_nothing_is_sent_where_nothing_is_configured() -> None:
    """Without a section there is nobody to send to, and no source is needed."""
    assert read_configuration(None, {}).subscriptions({}) == ()


def test_the_secret_comes_from_a_variable_as_well(tmp_path: Path) -> None:
    """It stands over the file; with neither the server does not start."""
    (found,) = read(tmp_path).subscriptions({VARIABLE: SECRET * 2})
    assert found.signer.reveal() == SECRET * 2
    with pytest.raises(UsageError, match=f"there is no secret to sign with: give secret_file, or set {VARIABLE}"):
        read(tmp_path, GOOD.replace('secret_file = "secret"', "")).subscriptions({})
    secret_in(tmp_path, "short")
    with pytest.raises(UsageError, match="is too short") as caught:
        read(tmp_path).subscriptions({})
    assert "short'" not in str(caught.value)


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ('source = "https://beatbook.example"', "", "events.source: '' is no absolute URI"),
        ("beatbook.example", "beatbook example", "events.source: 'https://beatbook example' is no URI"),
        ("[events]", "[events]\nbackoff_first_s = 5000.0", "backoff_first_s"),
        ("[events]", "[events]\nbackoff_first_s = 50.0\nbackoff_max_s = 5.0", "longer than events.backoff_max_s"),
        ("records-office", "Records", "name"),
        ("https://records", "http://records", "use https"),
        ("https://records", "ftp://records", "no address"),
        ("https://records.example/hook", "/hook", "no address"),
        ("https://records", "https://u:planted@records", "leave out name, password"),
        ("/hook", "/hook#f", "leave out name, password and fragment"),
        ("area:birmingham", "birmingham", "no such family of scopes"),
        ('"area:birmingham", "suite:perry-barr:medical"', "", "scopes: names none"),
        ('kinds = ["incident", "medical"]\nfields = ["incident.grade", "medical.suite"]', "", "kinds: names none"),
        ('"incident", ', '"incidents", ', "no events are sent of 'incidents'"),
        ('"incident", ', '"inbox-item", ', "no events are sent of 'inbox-item'"),
        ("incident.grade", "incident.grades", "incident has no field 'grades'"),
        ("incident.grade", "grade", "fields: 'grade' is of no kind"),
        ("incident.grade", "briefing.title", "is of no kind that it names"),
        ("[[webhooks]]", "[[webhooks]]\nfrom_seq = -1", "from_seq: -1"),
        ("[[webhooks]]", "[[webhooks]]\nmode = 'xml'", "mode"),
        ("secret_file", "secret", "did you mean webhooks.secret_file?"),
        ("[[webhooks]]", "[webhooks]", "webhooks"),
    ],
)  # fmt: skip
def test_what_would_be_wrong_or_unsafe_is_refused(tmp_path: Path, was: str, now: str, told: str) -> None:
    """One line that names the file, the webhook and the key, and nothing of an address that may be secret."""
    assert was in GOOD
    with pytest.raises(UsageError) as caught:
        read(tmp_path, GOOD.replace(was, now, 1))
    assert told in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "planted" not in str(caught.value)


def test_two_webhooks_of_one_name_are_refused(tmp_path: Path) -> None:
    """What was sent is kept by name."""
    with pytest.raises(UsageError, match="two webhooks have this name"):
        read(tmp_path, GOOD + GOOD[GOOD.index("[[webhooks]]") :])


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost", "[::1]:9"])
def test_on_this_machine_http_is_enough(tmp_path: Path, host: str) -> None:
    """A subscriber, or a proxy that speaks TLS, beside the server."""
    read(tmp_path, GOOD.replace("https://records.example", f"http://{host}"))


def test_the_webhook_that_the_howto_shows_is_one(tmp_path: Path) -> None:
    """Whoever copies it starts a server with it."""
    howto = (Path(__file__).resolve().parents[3] / "docs/howto/events.md").read_text(encoding="utf-8")
    shown = howto.partition("```toml\n")[2].partition("```")[0]
    assert [one.name for one in read(tmp_path, shown).webhooks] == ["records-office"]
