"""The runbook at night: every alert is in it, and every command that it gives can be given."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
import yaml

from server.cli import main
from tests.deploy.rooms import DEPLOY, ROOT

PAGE = (ROOT / "docs/howto/runbook.md").read_text(encoding="utf-8")
PAGES = {name: (ROOT / f"docs/howto/{name}.md").read_text(encoding="utf-8") for name in ("runbook", "deploy")}
FENCE = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
UNITS = {unit.name for unit in (DEPLOY / "systemd").iterdir()} | {"nginx", "caddy"}
AS_ITS_USER = "runuser --user beatbook -- "
SYSTEMCTL = {"start", "stop", "restart", "reload", "status", "enable", "edit", "daemon-reload", "reset-failed"}


def commands(text: str) -> Iterator[list[str]]:
    """Every command of a page, in fences and in spans, as words."""
    told = "\n".join(FENCE.findall(text)).replace("\\\n", " ").splitlines() + SPAN.findall(text)
    for line in told:
        for one in re.split(r"&&|\|", line.partition("  #")[0]):
            words = shlex.split(one.strip().removeprefix(AS_ITS_USER)) if one.count("'") % 2 == 0 else []
            if words[:1] in (["beatbook"], ["systemctl"]):
                yield words


def refusal(words: list[str]) -> str | None:
    """Why `beatbook` would not understand these words; None when it would."""
    command: click.Command = main
    context = click.Context(main, info_name="beatbook")
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        if found is None:
            return f"no command {rest[0]}"
        command, rest = found, rest[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known | {"--help"}]
    return f"no option {unknown}" if unknown else None


def alerts() -> dict[str, str]:
    """Each alert of the shipped rules, and where it sends whoever is called."""
    rules = (DEPLOY / "prometheus/rules").glob("*.yml")
    groups = [group for each in rules for group in yaml.safe_load(each.read_text(encoding="utf-8"))["groups"]]
    found = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    return {rule["alert"]: rule["annotations"]["runbook"] for rule in found}


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    """Whoever is called finds what to do under the alert's own name, and nothing that no longer rings."""
    told = alerts()
    sections = re.findall(r"^### (\w+)$", PAGE.partition("\n## Alerts\n")[2], re.MULTILINE)
    assert sections
    assert sorted(told) == sorted(sections)
    assert {name: link.rpartition("#")[2] for name, link in told.items()} == {name: name.lower() for name in told}
    bodies = re.split(r"^### \w+$", PAGE.partition("\n## Alerts\n")[2], flags=re.MULTILINE)[1:]
    assert all(body.strip() for body in bodies)


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_ours_can_be_given(name: str) -> None:
    """Its name and its options are those of this version."""
    given = [words for words in commands(PAGES[name]) if words[0] == "beatbook"]
    assert given
    assert {" ".join(words): why for words in given if (why := refusal(words)) is not None} == {}


def test_a_command_that_is_none_is_noticed() -> None:
    """The search above finds what it is for."""
    assert refusal(shlex.split("beatbook keys forget")) == "no command forget"
    assert refusal(shlex.split("beatbook keys rotate --dat x")) == "no option ['--dat']"
    assert refusal(shlex.split("beatbook keys rotate --data=x")) is None


@pytest.mark.parametrize("name", PAGES)
def test_every_unit_that_is_named_is_shipped(name: str) -> None:
    """In a command to systemd, with its whole name or as systemd completes it."""
    for words in commands(PAGES[name]):
        if words[0] == "systemctl" and len(words) > 1:
            verb, *units = [word for word in words[1:] if not word.startswith("-")]
            assert verb in SYSTEMCTL, words
            assert {unit if "." in unit or unit in UNITS else f"{unit}.service" for unit in units} <= UNITS, words
