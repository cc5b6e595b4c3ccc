"""A page in headless Chromium, as a reader opens it, without a network."""

import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
"""The browser of this machine, or None."""

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
)


@dataclass(frozen=True)
class Opened:
    """A page after it was loaded.

    Attributes:
        dom: its HTML as the browser has it.
        messages: what its console says.
    """

    dom: str
    messages: list[str]


def opened(page: Path, profile: Path) -> Opened:
    """Open a page in a fresh profile."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "--dump-dom", page.absolute().as_uri()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return Opened(ended.stdout, [line for line in ended.stderr.splitlines() if "CONSOLE" in line])


class Page(HTMLParser):
    """What a page is made of.

    Attributes:
        elements: name and attributes of each, in their order.
        headings: texts of the h1 and h2.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.headings: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag in ("h1", "h2"):
            self._open = tag
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.headings[-1] += data

    def all(self, name: str) -> list[dict[str, str]]:
        """Attributes of all elements of a name."""
        return [attributes for tag, attributes in self.elements if tag == name]
