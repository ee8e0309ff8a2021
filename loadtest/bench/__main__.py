"""`python -m loadtest.bench JOB --json FILE`."""

import argparse
import sys
from pathlib import Path

import msgspec
import uvloop

from loadtest.bench import revoke

_WORDS = {
    "answered_ms": "command answered, ms",
    "first_ms": "first RETRACT at its device, ms",
    "last_ms": "last RETRACT at its device, ms",
    "receipts_ms": "last signed receipt durable, ms",
    "closed_ms": "last revoked device sent away, ms",
    "edit_before_p50_ms": "edit by the others before, p50, ms",
    "edit_before_max_ms": "edit by the others before, slowest, ms",
    "edit_p50_ms": "edit by the others meanwhile, p50, ms",
    "edit_max_ms": "edit by the others meanwhile, slowest, ms",
    "server_cores": "cores used by the server",
    "load_cores": "cores used by the load",
}


def main(arguments: list[str]) -> int:
    """Run one job, print its table, write its JSON."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    parser.add_argument("job", choices=["revoke"], help="what to measure")
    parser.add_argument("--json", type=Path, help="file to write the result to")
    parser.add_argument("--staying", type=int, default=1_000, help="devices that stay connected")
    parser.add_argument("--revoked", type=int, default=1_000, help="devices that one command takes away")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that are measured")
    given = parser.parse_args(arguments)
    if min(given.staying, given.revoked, given.rounds) < 1:
        parser.error("there must be at least one device that stays, one that goes, and one round")
    size = revoke.Size(staying=given.staying, revoked=given.revoked, rounds=given.rounds)
    outcome = uvloop.run(revoke.measure(size, lambda text: sys.stderr.write(f"{text}\n")))
    sys.stdout.write(table(outcome))
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(outcome), indent=2) + b"\n")
    return 0


def table(outcome: revoke.Outcome) -> str:
    """The outcome for a reader."""
    size = outcome.size
    lines = [
        f"revoke: {size.revoked} of {size.revoked + size.staying} connected devices, {size.rounds} rounds",
        f"{'':45}{'median':>10}  {'least':>10}  {'most':>10}",
        *(f"{words:45}{outcome.spreads[name]}" for name, words in _WORDS.items()),
        f"{'floor: last byte of a bare server, ms':45}{outcome.floor_last_ms}",
        f"last RETRACT / floor: {outcome.ratio:.1f}",
        f"every last RETRACT within 1 s: {'yes' if outcome.within_a_second else 'no'}",
        f"enrolled: {outcome.enrol_per_s:.0f} devices a second",
    ]
    lines.append(f"load average of the machine at the start: {outcome.machine['load_average']:.1f}")
    if not outcome.machine["apart"]:
        lines.append("server and load shared one core: these times are of both together")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
