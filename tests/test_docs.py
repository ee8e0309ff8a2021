"""The docs cannot lie: every command is in them, links lead somewhere, each folder says what it is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parent.parent
MADE_BY_TOOLS = {"build", "dist", "node_modules"}
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in MADE_BY_TOOLS for part in path.relative_to(ROOT).parts)
)
# What users read: the README and docs/. Notes to developers do not count as documentation of a command.
USER_PAGES = [ROOT / "README.md", *(page for page in PAGES if ROOT / "docs" in page.parents)]

FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1[`~]*\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
INLINE_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)")
NAMED_LINK = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)", re.MULTILINE)
ATTRIBUTE_LINK = re.compile(r"\b(?:href|src)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield `command` and all commands below it, each with its whole name, hidden ones included."""
    yield name, command
    if isinstance(command, click.Group):
        # Asked by name: a group that loads its commands when they are called has none in `commands`.
        context = click.Context(command, info_name=name)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None, f"{name} {each}"
            yield from commands(found, f"{name} {each}")


def missing(command: click.Command, name: str, pages: dict[str, str]) -> list[str]:
    """List what of `command` no page tells: its name, or an option or variable beside its name."""
    telling = [text for text in pages.values() if re.search(rf"{re.escape(name)}(?![\w-])", text)]
    if not telling:
        return [name]
    wanted = []
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            wanted += [*parameter.opts, *parameter.secondary_opts]
        if isinstance(parameter.envvar, str):
            wanted.append(parameter.envvar)
    return [
        f"{name} {word}"
        for word in wanted
        if not any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) for text in telling)
    ]


def slug(heading: str) -> str:
    """Make of a heading the anchor that the common Markdown viewers give it."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "").lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return the anchors of a page; a repeated heading gets a number."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        base = slug(heading)
        number = 0
        while (each := f"{base}-{number}" if number else base) in found:
            number += 1
        found.add(each)
    return found | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))


def links(text: str) -> list[str]:
    """Return the targets of all links in a page, outside code."""
    prose = CODE.sub("", FENCE.sub("", text))
    return [*INLINE_LINK.findall(prose), *NAMED_LINK.findall(prose), *ATTRIBUTE_LINK.findall(prose)]


def broken(page: Path, root: Path) -> list[str]:
    """Return the local links of `page` that lead nowhere, or out of the project."""
    found = []
    for target in links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z][a-z0-9+.-]*:|//", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        leads_nowhere = not file.exists() or not file.is_relative_to(root)
        if leads_nowhere or (
            anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8"))
        ):
            found.append(target)
    return found


def test_every_command_and_option_is_documented() -> None:
    """Whoever reads README and docs/ learns of all that `beatbook` can do."""
    from server.cli import main  # noqa: PLC0415 - the other tests here need nothing of the server

    assert isinstance(main, click.Group)
    assert "beatbook inbox decide" in dict(commands(main, "beatbook"))
    pages = {str(page): page.read_text(encoding="utf-8") for page in USER_PAGES}
    assert [word for name, each in commands(main, "beatbook") for word in missing(each, name, pages)] == []


def test_an_undocumented_command_or_option_is_noticed() -> None:
    """The search above finds what it is for, and is not content with a name that only begins alike."""
    command = click.Command("serve", params=[click.Option(["--data"]), click.Option(["--wide/--narrow"])])
    name = "beatbook serve"
    assert missing(command, name, {"a": "beatbook server --data"}) == [name]
    apart = {"a": "`beatbook serve --data-dir X --wide`", "b": "--narrow"}
    assert missing(command, name, apart) == [f"{name} --data", f"{name} --narrow"]
    assert missing(command, name, {"a": "`beatbook serve --data X`, `--wide`, `--narrow`"}) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_local_link_leads_somewhere(page: Path) -> None:
    """A link inside the project names a file, and a heading, that is there."""
    assert broken(page, ROOT) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    """The search finds missing files, missing headings and ways out, and leaves code and the web alone."""
    (tmp_path / "there.md").write_text("# A `b` c!\n\n# A b c\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[1](there.md) [2](there.md#a-b-c) [3](there.md#a-b-c-1) [4](https://example.org/x) `[5](code.md)`\n"
        "[6](gone.md) [7](there.md#gone) [8](#gone) [9](../) [text][name]\n\n[name]: gone-too.md\n",
        encoding="utf-8",
    )
    assert broken(page, tmp_path) == ["gone.md", "there.md#gone", "#gone", "../", "gone-too.md"]


@pytest.mark.parametrize("package", ["schemas", "sync", "server", "loadtest", "deploy"])
def test_every_folder_says_what_lives_in_it(package: str) -> None:
    """A developer who opens a folder is told by its docstring or README what belongs there."""
    folders = {ROOT / package, *(module.parent for module in (ROOT / package).rglob("*.py"))}
    silent = []
    for folder in sorted(folders):
        module = folder / "__init__.py"
        source = module.read_text(encoding="utf-8") if module.is_file() else ""
        if not ast.get_docstring(ast.parse(source)) and not (folder / "README.md").is_file():
            silent.append(str(folder.relative_to(ROOT)))
    assert silent == []


def test_the_policy_file_that_the_page_shows_is_one() -> None:
    """Whoever copies the example and puts their own keys in gets a policy that is read."""
    from sync.evidence.policy import Policy  # noqa: PLC0415 - the other tests here need nothing of the core

    page = (ROOT / "docs" / "howto" / "evidence.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```\n(# the log\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    policy = Policy.parse(text)
    assert (len(policy.logs), set(policy.witnesses), policy.quorum) == (1, {"hmi", "campus"}, "both")
