"""The configuration: typed, every key documented, nothing misspelt, nothing secret, nothing unsafe."""

from pathlib import Path

import msgspec
import pytest

from schemas.errors import UsageError
from schemas.retention import RETENTION, Period, RetentionGroup
from schemas.settings import DEFAULTS
from server.configuration import CONFIGURATION_BYTES_MAX, Configuration, keys, read_configuration, variable_of
from server.configuration_page import PAGE, page
from server.retention import Schedule

PLANTED = "planted-Zq81-secret"
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104  they are refused, or listened on with TLS
TLS = 'certificate_file = "cert.pem"\nkey_file = "key.pem"\n'


def read(tmp_path: Path, text: str, environment: dict[str, str] | None = None, **given: object) -> Configuration:
    """Read a configuration with this text."""
    path = tmp_path / "beatbook.toml"
    path.write_text(text)
    return read_configuration(path, environment or {}, **given)


def refused(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> str:
    """The refusal of a configuration with this text: it names the file, and no value that may be secret."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text, environment)
    told = str(caught.value)
    assert str(tmp_path / "beatbook.toml") in told
    assert PLANTED not in told
    return told


def test_nothing_is_needed() -> None:
    """Every key has a default, and the defaults are safe: the loopback alone, our own pages alone, no proxy."""
    configuration = read_configuration(None, {})
    assert configuration == Configuration()
    edge = configuration.edge()
    assert set(edge.hosts) == {"127.0.0.1", "localhost", "[::1]"}
    assert (edge.origins, edge.trusted_proxies) == ((), ())
    assert configuration.tls_files is None


def test_a_whole_file_is_understood(tmp_path: Path) -> None:
    """Every section; paths are relative to the file's folder."""
    text = f"""
data = "data"
log_level = "warning"
[listen]
host = "0.0.0.0"
port = 443
hosts = ["beatbook.example"]
origins = ["https://desk.example:8443"]
trusted_proxies = ["10.0.0.7", "10.1.0.0/24"]
[tls]
{TLS}
[limits]
connections_max = 100
connections_per_address_max = 10
requests_per_s = 2.5
requests_burst = 7
admissions_per_s = 12.5
"""
    configuration = read(tmp_path, text)
    assert configuration.data == tmp_path / "data"
    assert configuration.tls_files == (tmp_path / "cert.pem", tmp_path / "key.pem")
    assert configuration.host_names == ("beatbook.example", "localhost", "127.0.0.1", "[::1]")
    assert configuration.edge().requests.burst == 7
    assert not configuration.edge().proxies_only
    assert configuration.door().connections_per_address_max == 10
    assert configuration.limits.admissions_per_s == 12.5


def test_the_command_line_stands_over_the_file(tmp_path: Path) -> None:
    """What is given counts; what is not given leaves the file's value."""
    configuration = read(
        tmp_path, "[listen]\nport = 1\n", listen_port=2, listen_host=None, data=Path("x"), log_level=None
    )
    assert (configuration.listen.port, configuration.listen.host) == (2, "127.0.0.1")
    assert configuration.data == Path("x")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("[listen]\nprot = 1", "there is no key listen.prot; did you mean listen.port?"),
        ("[listen]\nhost_names = []", "there is no key listen.host_names"),
        ("lisen = 1", "there is no key lisen; did you mean listen?"),
        ("[limits]\nconnection_max = 1", "did you mean limits.connections_max?"),
        (f'[tls]\nkey = "{PLANTED}"', "there is no key tls.key; did you mean tls.key_file?"),
        (
            f'[xyzzy]\nqqq = "{PLANTED}"',
            "known here: data, log_level, listen, tls, limits, restart, witnesses, retention, oidc, ",
        ),
        ('[retention]\ncustdy = "7 years"', "there is no key retention.custdy; did you mean retention.custody?"),
        ('[retention]\nother_offence = "6 years"', "did you mean retention.other-offence?"),
        ('[retention]\ngroup9 = "6 years"', "known here: public-protection, serious, other-offence, miscellaneous, "),
        ('[retention]\nwith-subject = "6 years"', "there is no key retention.with-subject"),
    ],
)
def test_an_unknown_key_is_refused_by_name(tmp_path: Path, text: str, meant: str) -> None:
    """A misspelt limit would be no limit; the text names the key that was probably meant."""
    assert meant in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[listen]\nport = "8700"', "listen.port"), ("[listen]\nport = 70000", "listen.port"),
        ("[limits]\nconnections_max = 0", "limits.connections_max"), ("[limits]\nrequests_per_s = 0", "requests_per_s"),
        ('log_level = "trace"', "log_level"), ("listen = 5", "listen"), ("data = 5", "data"), ('data = ""', "data"),
        ('[listen]\nhosts = "beatbook.example"', "listen.hosts"), ("[listen]\nhosts = [5]", "listen.hosts"),
        ("tls = true", "tls"), ("[retention]\ncustody = 2555", "retention.custody"),
        ('[retention]\ncustody = "seven years"', "retention.custody"), ("retention = 5", "retention"),
        ('[retention]\nserious = "10"', "retention.serious"), ('[retention]\nserious = ""', "retention.serious"),
        ('[retention]\nserious = "0 days"', "retention.serious"), ('[retention]\nserious = "-1 days"', "retention.s"),
        ('[retention]\nserious = "1.5 years"', "retention.serious"),
        ('[retention]\nserious = "10 years "', "retention.serious"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_refused(tmp_path: Path, text: str, key: str) -> None:
    """The text says which key, and what was expected."""
    told = refused(tmp_path, text)
    assert key in told
    assert "xpected" in told or "Invalid" in told


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[listen]\nhosts = ["https://beatbook.example"]', "listen.hosts"),
        ('[listen]\nhosts = ["Beatbook.example"]', "listen.hosts"),
        ('[listen]\nhosts = ["beatbook.example:8700"]', "listen.hosts"),
        ('[listen]\norigins = ["beatbook.example"]', "listen.origins"),
        ('[listen]\norigins = ["https://beatbook.example/"]', "listen.origins"),
        ('[listen]\norigins = ["*"]', "listen.origins"),
        ('[listen]\ntrusted_proxies = ["*"]', "trusted_proxies"),
        ('[tls]\nkey_file = "x"', "tls.certificate_file"),
        ('[tls]\ncertificate_file = "x"', "tls.key_file"),
    ],
)
def test_a_value_that_means_nothing_is_refused(tmp_path: Path, text: str, key: str) -> None:
    """A name, origin or proxy that no request can ever have, and half of TLS."""
    assert key in refused(tmp_path, text)


@pytest.mark.parametrize("host", [*WILDCARDS, "10.0.0.5", "192.0.2.1", "beatbook.example"])
def test_clear_text_is_not_spoken_to_other_machines(tmp_path: Path, host: str) -> None:
    """An address that others reach needs TLS, or a listed proxy; and names, where it has none of its own."""
    named = '\nhosts = ["beatbook.example"]'
    assert "tls.certificate_file" in refused(tmp_path, f'[listen]\nhost = "{host}"{named}')
    assert read(tmp_path, f'[listen]\nhost = "{host}"{named}\n[tls]\n{TLS}').tls_files is not None
    behind = read(tmp_path, f'[listen]\nhost = "{host}"{named}\ntrusted_proxies = ["10.0.0.7"]')
    assert behind.edge().proxies_only
    if host in WILDCARDS:
        assert "listen.hosts" in refused(tmp_path, f'[listen]\nhost = "{host}"\n[tls]\n{TLS}')


def test_a_variable_names_a_file_over_the_configuration(tmp_path: Path) -> None:
    """A service manager hands out credentials at a path of its own; half of it is still refused."""
    environment = {"BEATBOOK_TLS_KEY_FILE": "/run/key.pem", "BEATBOOK_TLS_CERTIFICATE_FILE": "/run/cert.pem"}
    configuration = read(tmp_path, f"[tls]\n{TLS}", environment)
    assert configuration.tls_files == (Path("/run/cert.pem"), Path("/run/key.pem"))
    assert read_configuration(None, environment).tls_files == configuration.tls_files
    assert "tls.certificate_file" in refused(tmp_path, "", {"BEATBOOK_TLS_KEY_FILE": "/run/key.pem"})


@pytest.mark.parametrize(
    "text",
    [
        f"x = {PLANTED}",
        "[",
        "a = 1\na = 2",
        "\ufffe",
        "x" * 10 + "= [" * 2_000,
        "= 1",
        "#" * CONFIGURATION_BYTES_MAX * 2,
    ],
)
def test_a_file_that_is_no_toml_is_told_in_a_line(tmp_path: Path, text: str) -> None:
    """No traceback, and no line of the file in the text."""
    assert "\n" not in refused(tmp_path, text)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Also a folder, and bytes that are no text."""
    with pytest.raises(UsageError, match=r"gone\.toml"):
        read_configuration(tmp_path / "gone.toml", {})
    with pytest.raises(UsageError, match="cannot be read"):
        read_configuration(tmp_path, {})
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        read_configuration(tmp_path / "bytes.toml", {})


OIDC = """[oidc]
issuer = "https://id.example"
client_id = "beatbook"
redirect_uri = "https://beatbook.example/v1/oidc/callback"
"""


def test_signing_in_elsewhere_is_off_until_its_section_is_there(tmp_path: Path) -> None:
    """Neither is on by default, nor switched on by a variable; a section that lacks something is refused by name."""
    variable = {"BEATBOOK_OIDC_CLIENT_SECRET": PLANTED}
    configuration = read(tmp_path, "", variable)
    assert (configuration.oidc, configuration.webauthn) == (None, None)
    assert configuration.oidc_client_secret(variable) is None
    assert "issuer" in refused(tmp_path, '[oidc]\nclient_id = "beatbook"')
    assert "did you mean oidc.client_secret_file?" in refused(tmp_path, f'{OIDC}client_secret = "{PLANTED}"')
    assert "http://id.example" in refused(tmp_path, OIDC.replace("https://id", "http://id"))
    assert "it ends in /v1/oidc/callback" in refused(tmp_path, OIDC.replace("/v1/oidc/callback", "/oidc"))
    configuration = read(tmp_path, '[webauthn]\nrp_id = "beatbook.example"\norigins = ["https://beatbook.example"]')
    assert configuration.webauthn is not None


def test_the_secret_of_the_provider_comes_from_a_file_or_a_variable(tmp_path: Path) -> None:
    """Relative to the configuration's folder, private, and never shown by the configuration itself."""
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "secret").write_text(PLANTED)
    configuration = read(tmp_path, f'{OIDC}client_secret_file = "secret"')
    found = configuration.oidc_client_secret({})
    assert found is not None
    assert found.reveal() == PLANTED
    assert PLANTED not in f"{configuration!r} {found!r}"
    assert read(tmp_path, OIDC).oidc_client_secret({}) is None
    found = read(tmp_path, OIDC).oidc_client_secret({"BEATBOOK_OIDC_CLIENT_SECRET": PLANTED})
    assert found is not None
    assert found.reveal() == PLANTED


def test_a_force_gives_its_own_retention_schedule(tmp_path: Path) -> None:
    """What is not given stays as it is declared; without the section everything does."""
    assert read(tmp_path, "").schedule() == Schedule.of()
    schedule = read(tmp_path, '[retention]\nbriefing = "90 days"\nother-offence = "12 years"\n').schedule()
    assert schedule == Schedule.of({"briefing": 90, "other-offence": 12 * 365})
    assert schedule.review_days[RetentionGroup.CUSTODY] == 7 * 365


def test_every_group_with_a_period_has_a_key() -> None:
    """A group that somebody declares is not left out of the file; what is kept with its subject has none."""
    told = {key.removeprefix("retention."): default for key, _, default in keys() if key.startswith("retention.")}
    declared = {group.value: kept.review_days for group, kept in RETENTION.items() if kept.review_days is not None}
    assert told == {name: Period(days) for name, days in declared.items()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('custody = "5 years"', "retention.custody: 5 years is too short; Limitation Act 1980 section 2 asks for 6 y"),
        ('custody = "2189 days"', "retention.custody: 2189 days is too short"),
        ('serious = "101 years"', "retention.serious: 101 years; give 1 day to 100 years"),
    ],
)
def test_a_period_that_no_force_may_have_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """Shorter than the law asks, or longer than anybody lives; the text says which key and what is allowed."""
    assert told in refused(tmp_path, f"[retention]\n{text}\n")
    assert read(tmp_path, '[retention]\ncustody = "6 years"').schedule().review_days[RetentionGroup.CUSTODY] == 2_190


def test_the_schedule_that_the_howto_shows_is_one(tmp_path: Path) -> None:
    """Whoever copies it starts a server with it."""
    howto = (PAGE.parent.parent / "howto" / "retention.md").read_text(encoding="utf-8")
    shown = howto.partition("```toml\n")[2].partition("```")[0]
    assert read(tmp_path, shown).schedule() != Schedule.of()


def test_the_force_sets_what_police_work_goes_by(tmp_path: Path) -> None:
    """Under [policing]; without it the defaults, and what is refused there is refused with the file and the key."""
    assert read(tmp_path, "").policing == DEFAULTS
    found = read(tmp_path, "[policing.custody]\nreview_first_ms = 18_000_000\n").policing
    assert (found.custody.review_first_ms, found.care) == (18_000_000, DEFAULTS.care)
    assert "policing.custody.review_first_ms: 0;" in refused(tmp_path, "[policing.custody]\nreview_first_ms = 0\n")
    assert "did you mean policing.custody?" in refused(tmp_path, "[policing.custdy]\n")
    assert "did you mean policing?" in refused(tmp_path, "[policng]\n")
    assert "policing: Expected" in refused(tmp_path, "policing = 5\n")


def test_every_key_says_what_it_is() -> None:
    """A default for all but those of a section that is off, and a variable for each file."""
    found = list(keys())
    assert len(found) >= 25
    for key, _, default in found:
        assert default is not msgspec.NODEFAULT or key.startswith(("oidc.", "webauthn.", "webhooks.")), key
        # Of what there may be several, a variable of one name cannot stand over all.
        assert (variable_of(key) is not None) == (key.endswith("_file") and not key.startswith("webhooks."))


def test_the_page_says_what_every_number_counts() -> None:
    """A row for each key with its meaning, and a unit for each number but the port."""
    rows = [line.split(" | ") for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(list(keys()))
    for name, takes, default, unit, meaning in rows:
        assert default.strip()
        assert len(meaning) > 10, name
        if "number" in takes and name != "| `port`":
            assert unit.strip(), name


def test_the_page_is_what_the_types_say() -> None:
    """docs/reference/configuration.md has every key. When this fails, run `python -m server.configuration_page`."""
    text = PAGE.read_text(encoding="utf-8")
    assert text == page()
    for key, _, _ in keys():
        assert f"| `{key.rpartition('.')[2]}` |" in text


def test_a_socket_that_is_handed_over_is_no_way_round_the_guard(tmp_path: Path) -> None:
    """What other machines reach needs TLS or proxies, whoever opened it; the one that is reached by most counts."""
    plain = read_configuration(None, {})
    assert plain.listening_at([("127.0.0.1", 1)]).listen.port == 1
    with pytest.raises(UsageError, match="there is no TLS"):
        plain.listening_at([("127.0.0.1", 1), ("0.0.0.0", 2)])  # noqa: S104  refused
    behind = read(tmp_path, '[listen]\nhosts = ["beatbook.example"]\ntrusted_proxies = ["10.0.0.7"]\n')
    assert behind.listening_at([("127.0.0.1", 1), ("0.0.0.0", 2)]).edge().proxies_only  # noqa: S104  proxies alone


def test_the_return_after_a_restart_can_be_set(tmp_path: Path) -> None:
    """How fast, and between which bounds; bounds that cross are refused."""
    pace = read(tmp_path, "[restart]\nreturns_per_s = 50\nwindow_max_ms = 30000\n").returning()
    assert (pace.window_ms(1_000), pace.window_ms(8_000)) == (20_000, 30_000)
    assert "restart.window_min_ms" in refused(tmp_path, "[restart]\nwindow_max_ms = 1\n")
