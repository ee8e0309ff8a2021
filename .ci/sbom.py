"""Write the bill of materials: CycloneDX 1.6 JSON of everything locked, valid by its schema, the same in every run.

cyclonedx-py makes the components of the lock. What it cannot know is added from the comments of the lock: who needs
whom, and whether a component is part of the program (`required`) or of its tests and tools alone (`excluded`).
"""  # noqa: INP001

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from locked import LOCK, ROOT, Release, normal, releases, runtime_names

OUTPUT: Final = ROOT / "build/sbom.cdx.json"
# It names its own default index, never the one that this machine uses: that is the machine's affair.
COMMAND: Final = (
    sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", "--short-PURLs", "--no-validate",
    "--output-reproducible", "--output-format", "JSON", "--spec-version", "1.6",
)  # fmt: skip


def components(lock: Path, pyproject: Path) -> dict[str, Any]:
    """The bill as cyclonedx-py makes it."""
    command = [*COMMAND, "--pyproject", str(pyproject), str(lock)]
    made: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return made


def complete(bill: dict[str, Any], locked: list[Release], runtime: set[str]) -> dict[str, Any]:
    """Add who needs whom, and what is not part of the program.

    Raises:
        ValueError: a locked release is not among the components, or a component is not locked.
    """
    refs = {f"{normal(each['name'])}=={each['version']}": each["name"] for each in bill["components"]}
    wanted = {f"{each.name}=={each.version}" for each in locked}
    if refs.keys() != wanted or len(bill["components"]) != len(locked):
        raise ValueError(f"the bill and the lock differ: {sorted(refs.keys() ^ wanted)}")
    needs: dict[str, set[str]] = {}
    for each in locked:
        for asker in each.askers:
            needs.setdefault(asker, set()).add(each.name)
    part, new = set[str](), set(runtime)
    while new:
        part |= new
        new = {needed for name in new for needed in needs.get(name, ())} - part
    by_name: dict[str, list[str]] = {}
    for component in bill["components"]:
        # By what it is, not by the line on which it happens to stand.
        component["bom-ref"] = f"{normal(component['name'])}=={component['version']}"
        component["scope"] = "required" if normal(component["name"]) in part else "excluded"
        del component["description"]
        by_name.setdefault(normal(component["name"]), []).append(component["bom-ref"])
    root = bill["metadata"]["component"]
    asked = {root["bom-ref"]: needs.get(normal(root["name"]), set())}
    asked |= {ref: needs.get(name, set()) for name, refs_of in by_name.items() for ref in refs_of}
    bill["dependencies"] = [
        {"ref": ref, "dependsOn": sorted(ref_of for name in names for ref_of in by_name.get(name, ()))}
        for ref, names in sorted(asked.items())
    ]
    bill["components"].sort(key=lambda component: component["bom-ref"])
    return bill


def written(bill: dict[str, Any]) -> str:
    """The bill as text.

    Raises:
        ValueError: it is not valid by the schema of CycloneDX 1.6.
    """
    text = json.dumps(bill, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        raise ValueError(f"the bill is not valid by the schema: {fault}")
    return text


def main() -> None:
    """Write the bill of this tree."""
    locked = releases(LOCK.read_text(encoding="utf-8"))
    pyproject = ROOT / "pyproject.toml"
    runtime = runtime_names(pyproject.read_text(encoding="utf-8"))
    text = written(complete(components(LOCK, pyproject), locked, runtime))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(text, encoding="utf-8", newline="\n")
    click.echo(f"{OUTPUT.relative_to(ROOT)}: {len(locked)} components")


if __name__ == "__main__":
    main()
