"""How findings look: aligned lines, with colours on a terminal only."""

from rich.console import Console
from rich.text import Text

from watcher.cli.doctor.findings import Diagnosis, Finding, Mark
from watcher.printing import printable

__all__ = ["Page"]

STYLES = {Mark.WELL: "green", Mark.DOUBT: "yellow", Mark.FAILED: "bold red"}


class Page:
    """Standard output."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True, markup=False)
        self._last = ""

    def heading(self, account: str, address: str) -> None:
        """An account comes next."""
        self._last = ""
        self._console.print(Text(f"{printable(account)} <{printable(address)}>", style="bold"))

    def finding(self, finding: Finding) -> None:
        """One step is done."""
        step = "" if finding.step == self._last else finding.step
        self._last = finding.step
        took = "" if finding.took is None else f"{finding.took * 1000:.0f} ms"
        line = Text(f"  {step:<9}").append(f" {finding.mark:<7}", style=STYLES[finding.mark])
        self._console.print(line.append(f" {took:>8}  {printable(finding.text, 1000)}"))

    def verdict(self, diagnosis: Diagnosis) -> None:
        """The account is done."""
        style = "bold green" if diagnosis.well else "bold red"
        self._console.print(Text("  verdict   ").append(diagnosis.verdict, style=style))
        self._console.print()
