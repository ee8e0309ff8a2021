"""The audit fails on what it could not ask, and the bill of materials is complete, valid and the same in every run."""

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / ".ci"
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
pytestmark = pytest.mark.skipif(not SCRIPTS.is_dir(), reason="a source distribution has no .ci")


class Scripts:
    """The modules in .ci, which are no package."""

    def __init__(self) -> None:
        """Import them."""
        self.locked = importlib.import_module("locked")
        self.audit = importlib.import_module("audit")
        self.sbom = importlib.import_module("sbom")


@pytest.fixture(scope="module")
def scripts() -> Iterator[Scripts]:
    """Importable while the tests here run."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        yield Scripts()
    finally:
        sys.path.remove(str(SCRIPTS))


class Service:
    """An advisory service: what it knows, and what it leaves out.

    Attributes:
        knows: (name, version) -> advisories.
        skips: name -> why.
        silent: names that it says nothing of.
        asked: every (name, version) that came.
    """

    def __init__(self, audit: ModuleType) -> None:
        """A good one."""
        name, _, version = audit.CONTROL.partition("==")
        self.knows: dict[tuple[str, str], list[str]] = {(name, version): ["PYSEC-2014-8"]}
        self.skips: dict[str, str] = {}
        self.silent: set[str] = set()
        self.down = False
        self.asked: list[tuple[str, str]] = []

    def __call__(self, requirements: str) -> Any:  # noqa: ANN401  as `ask`
        """Answer as `ask` does."""
        if self.down:
            return None
        answers: dict[tuple[str, str], list[str] | str] = {}
        for line in requirements.splitlines():
            name, _, version = line.split(" ")[0].partition("==")
            self.asked.append((name, version))
            if name in self.skips:
                answers[name, ""] = self.skips[name]
            elif name not in self.silent:
                answers[name, version] = self.knows.get((name, version), [])
        return answers


@pytest.fixture
def service(scripts: Scripts) -> Service:
    """A service that knows the control."""
    return Service(scripts.audit)


def outcome(scripts: Scripts, service: Service, lock: str = LOCK) -> tuple[int, str]:
    """Exit code and what was said."""
    said: list[str] = []
    return scripts.audit.audit(lock, service, said.append), "\n".join(said)


def test_everything_locked_is_asked_about(scripts: Scripts, service: Service) -> None:
    """Also what is for another platform or another Python, each release once."""
    code, said = outcome(scripts, service)
    wanted = re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", LOCK, re.MULTILINE)
    assert sorted(service.asked[1:]) == sorted(wanted)
    assert ("django", "6.1.3") in service.asked or len([name for name, _ in wanted if name == "django"]) == 1
    assert code == 0
    assert said == f"Clean: none of the {len(wanted)} locked releases has a known vulnerability."


def test_a_vulnerable_release_is_named(scripts: Scripts, service: Service) -> None:
    """With its advisories, and exit code 1."""
    release = next(each for each in scripts.locked.releases(LOCK) if each.name == "starlette")
    service.knows["starlette", release.version] = ["GHSA-xxxx", "PYSEC-1"]
    code, said = outcome(scripts, service)
    assert code == 1
    assert f"VULNERABLE starlette {release.version}: GHSA-xxxx, PYSEC-1" in said
    assert "Clean" not in said


def test_what_could_not_be_asked_fails(scripts: Scripts, service: Service) -> None:
    """A release that is skipped, or of which nothing is said, is no clean one."""
    service.skips["uvicorn"] = "Dependency not found"
    service.silent = {"httptools"}
    code, said = outcome(scripts, service)
    assert code == 1
    assert re.search(r"UNCHECKED  uvicorn \S+: Dependency not found", said)
    assert re.search(r"UNCHECKED  httptools \S+: no answer", said)
    assert "2 of " in said
    assert "Clean" not in said


@pytest.mark.parametrize("how", ["down", "skipped", "knows nothing"])
def test_without_a_service_nothing_was_checked_and_that_is_said(scripts: Scripts, service: Service, how: str) -> None:
    """The control is not reported: an exit code of its own, loud words, and never "clean"."""
    service.down = how == "down"
    if how == "skipped":
        service.skips["jinja2"] = "Dependency not found"
    else:
        service.knows = {}
    code, said = outcome(scripts, service)
    assert code == 75
    assert "NOT CHECKED" in said
    assert "clean" not in said.lower()
    assert len(service.asked) <= 1


def test_a_service_that_goes_away_meanwhile_is_no_clean_audit(scripts: Scripts, service: Service) -> None:
    """After the control, silence is a failure for every release."""

    def once(requirements: str) -> Any:  # noqa: ANN401  as `ask`
        answers = service(requirements)
        service.down = True
        return answers

    said: list[str] = []
    assert scripts.audit.audit(LOCK, once, said.append) == 1
    assert len(said) == len(scripts.locked.releases(LOCK)) + 1


@pytest.mark.parametrize(
    "lock",
    [
        "",
        "# nothing\n",
        "aiosqlite==1\n",
        "aiosqlite>=1 \\\n    --hash=sha256:" + "0" * 64,
        "./local\n",
        LOCK + "\nx @ y\n",
    ],
)
def test_a_lock_that_is_not_understood_is_refused(scripts: Scripts, lock: str) -> None:
    """A line that is passed over would be a release that nobody asks about."""
    with pytest.raises(ValueError, match="make lock"):
        scripts.locked.releases(lock)


@pytest.fixture(scope="module")
def bill(scripts: Scripts) -> dict[str, Any]:
    """The bill as cyclonedx-py makes it."""
    made: dict[str, Any] = scripts.sbom.components(ROOT / "requirements.lock", ROOT / "pyproject.toml")
    return made


def completed(scripts: Scripts, bill: dict[str, Any]) -> dict[str, Any]:
    """The whole bill, from a copy."""
    runtime = scripts.locked.runtime_names((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    copy = json.loads(json.dumps(bill))
    whole: dict[str, Any] = scripts.sbom.complete(copy, scripts.locked.releases(LOCK), runtime)
    return whole


@pytest.mark.timeout(60)  # the schema's forms of addresses are checked by a grammar
def test_the_bill_is_complete_and_the_same_in_every_run(
    scripts: Scripts, bill: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every locked release with its hashes; what the program needs apart from its tools; no place of this machine."""
    whole = completed(scripts, bill)
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.invalid/simple")
    assert whole == completed(scripts, scripts.sbom.components(ROOT / "requirements.lock", ROOT / "pyproject.toml"))
    text = scripts.sbom.written(whole)
    made = json.loads(text)
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert len(made["components"]) == len(scripts.locked.releases(LOCK))
    scopes = {component["name"].lower(): component["scope"] for component in made["components"]}
    assert {scopes[name] for name in ("starlette", "anyio", "httpcore", "cryptography", "cffi")} == {"required"}
    assert {scopes[name] for name in ("pytest", "pip-audit", "locust", "trustme")} == {"excluded"}
    assert all(component["externalReferences"][0]["hashes"] for component in made["components"])
    assert {ref for each in made["dependencies"] for ref in each["dependsOn"]} <= {
        each["ref"] for each in made["dependencies"]
    }
    assert str(ROOT) not in text


def test_a_bill_that_lacks_something_is_refused(scripts: Scripts, bill: dict[str, Any]) -> None:
    """A release without a component, or a component that the schema does not know."""
    less = {**bill, "components": bill["components"][1:]}
    with pytest.raises(ValueError, match="differ"):
        completed(scripts, less)
    with pytest.raises(ValueError, match="not valid"):
        scripts.sbom.written({**bill, "planted": True})
