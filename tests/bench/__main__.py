"""
Measure: `make bench`, or only some scenarios: `make bench ARGS="mail"`. With QUICK=1 in the environment each takes
seconds, and its numbers are rough. Exits with 1 if a target is missed.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator

from tests.bench import backlog, big, lanes, latency, ledger, mail, throughput
from tests.bench.frame import Figure, shown

#: Each gives its figures; the argument tells whether it has to be quick.
SCENARIOS: dict[str, Callable[[bool], Iterator[Figure]]] = {
    "L1": latency.measured,
    "T1": throughput.measured,
    "B1": big.measured,
    "mail": mail.measured,
    "ledger": ledger.measured,
    "lanes": lanes.measured,
    "backlog": backlog.measured,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS), help=f"one or more of {', '.join(SCENARIOS)}")
    names = parser.parse_args().scenario
    if unknown := set(names) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    quick = os.environ.get("QUICK", "") not in {"", "0"}
    figures = [figure for name in names for figure in SCENARIOS[name](quick)]
    sys.stdout.write(shown(figures) + "\n")
    return int(any(figure.met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
