"""
Measure: `make bench`, or only some scenarios: `make bench ARGS="L1 T1"`. With QUICK=1 each takes seconds; its numbers
are rough, and not judged. `--write` puts the figures into docs/performance.md. Exits with 1 if a target is missed.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.bench import backlog, big, endless, idle, lanes, latency, ledger, mail, page, relink, throughput
from tests.bench.frame import Figure, say
from tests.bench.table import shown

#: Each gives its figures; the argument tells whether it has to be quick.
SCENARIOS: dict[str, Callable[[bool], Iterator[Figure]]] = {
    "L1": latency.measured,
    "T1": throughput.measured,
    "B1": big.measured,
    "M1": idle.measured,
    "R1": relink.measured,
    "D1": endless.measured,
    "mail": mail.measured,
    "ledger": ledger.measured,
    "lanes": lanes.measured,
    "backlog": backlog.measured,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS), help=f"one or more of {', '.join(SCENARIOS)}")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenario) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    quick = os.environ.get("QUICK", "") not in {"", "0"}
    if quick and arguments.write:
        parser.error("rough numbers are not written down; leave out --write or QUICK")
    figures, failed = _measured(arguments.scenario, quick)
    sys.stdout.write(shown(figures) + "\n")
    if arguments.write:
        page.write(figures, page.programs())
    return int(bool(failed) or any(figure.met is False for figure in figures))


def _measured(names: Sequence[str], quick: bool) -> tuple[list[Figure], list[str]]:
    """The figures of these scenarios, and which of them failed; one that fails takes nothing from the others."""
    figures: list[Figure] = []
    failed = []
    for name in names:
        say(f"{name} ...")
        try:
            figures += (replace(one, met=None) if quick else one for one in SCENARIOS[name](quick))
        except Exception:  # noqa: BLE001 whatever it is, it is shown, and the others are worth their minutes
            traceback.print_exc()
            failed.append(name)
    if failed:
        say(f"failed: {', '.join(failed)}")
    return figures, failed


if __name__ == "__main__":
    sys.exit(main())
