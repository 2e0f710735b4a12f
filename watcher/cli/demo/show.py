"""What the demo says: laid out for a terminal, the same lines without colours elsewhere."""

from rich.console import Console
from rich.text import Text

from watcher.cli.demo.directory import DemoDirectory, Report
from watcher.cli.demo.server import PASSWORD, USER, DemoServer
from watcher.printing import lines, one_line

__all__ = ["Screen"]

NEXT = """\
All handled; each was marked as read only after both handlers had succeeded.

Now for your own mailbox:

    imap-watcher init you@example.com

finds your provider, tests the login and writes a configuration with a first handler. README.md tells the rest.
"""


class Screen:
    """Standard output."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def opening(self, server: DemoServer, directory: DemoDirectory) -> None:
        """What is about to happen."""
        self._console.print("[bold]imap-watcher demo[/bold]: the real daemon, on a mail server of its own")
        self._field("server", f"{server.host}:{server.port}, TLS, one mailbox, nothing in it")
        self._field("handlers", "save-attachments (a shell script) and summarize (Python, kept warm)")
        self._field("files", str(directory.root))

    def heading(self, title: str) -> None:
        """A mail is on its way."""
        self._console.print()
        self._console.print(Text(title[:1].upper() + title[1:], style="bold cyan"))

    def handled(self, report: Report, seconds: float | None = None) -> None:
        """What became of a mail. Everything in the report may come from its sender."""
        self._field("from", report.sender)
        self._field("subject", report.subject)
        for number, part in enumerate(report.parts):
            self._field("parts" if number == 0 else "", part)
        for number, (handler, words) in enumerate(report.said):
            self._field("handlers" if number == 0 else "", f"{handler}: {words}")
        took = f", {seconds:.1f} s after it arrived" if seconds is not None else ""
        self._field("server", f"marked as read{took}")

    def next_step(self) -> None:
        """How to go on from here."""
        self._console.print()
        self._console.print(Text(NEXT), end="")

    def staying(self, server: DemoServer, directory: DemoDirectory) -> None:
        """How to look around and send more mail."""
        self._console.print()
        self._console.print("[bold]Everything stays open until Ctrl-C.[/bold] Change the handlers, and send a mail:")
        address = f"imaps://{server.host}:{server.port}/INBOX"
        self._field(
            "send", f"curl --cacert {directory.ca_file} --user {USER}:{PASSWORD} --upload-file MAIL.eml {address}"
        )
        self._field("handlers", str(directory.handlers))
        self._field("daemon", f"imap-watcher --config {directory.config} jobs list")
        self._field("its log", str(directory.log))

    def failed(self, reason: str, log: str) -> None:
        """Why it did not come to its end, with all that the daemon has said."""
        self._console.print()
        self._console.print(Text(f"The demo failed: {reason}.", style="bold red"))
        self._console.print("The daemon's log:" if log else "The daemon has logged nothing.")
        for line in log.splitlines():
            self._console.print(Text("    " + lines(line)))

    def _field(self, name: str, value: str) -> None:
        line = Text(f"  {name:<10}", style="dim")
        line.append(one_line(value, 500), style="not dim")
        self._console.print(line)
