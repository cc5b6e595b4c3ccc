"""Runs the benchmarks: ``python -m benchmarks [--quick] [--only NAME ...]``, or ``make bench``.

Each benchmark runs in a process of its own: threads and memory of one leave the next alone, and Lava, which can hang, has a time limit.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.measure import Settings
from benchmarks.tables import show
from neuro_deploy.files import write_atomically
from neuro_deploy.measure import machine

RESULTS = Path(__file__).parent / "results"

SECTIONS = {
    "training": "benchmarks.training_step",
    "lava": "benchmarks.lava_steps",
    "backends": "benchmarks.backends",
    "stream": "benchmarks.stream",
    "foreign": "benchmarks.foreign",
    "emulators": "benchmarks.emulators",
    "scaling": "benchmarks.scaling",
    "roofline": "benchmarks.roofline",
}
"""Modules with a function ``measure(settings)``."""

FORMAT_VERSION = 1
"""Raised when a reader of an older result file could misread a newer one."""

_WIDTH = 140
"""Columns where the output goes into a file."""

TIME_LIMIT = 600
"""Seconds of one benchmark."""


def run(names: Iterable[str], settings: Settings, console: Console) -> dict[str, Any]:
    """Run benchmarks one after the other; what fails is left out and said."""
    begin, sections = machine.load(), {}
    for name in names:
        start = time.perf_counter()
        found = _child(name, settings)
        took = f"{time.perf_counter() - start:.0f} s"
        if isinstance(found, str):
            console.print(f"{name}: [bold red]failed[/bold red] after {took}: {found}", markup=True)
            continue
        sections[name] = found
        console.print(f"{name}: {took}")
    return {
        "format_version": FORMAT_VERSION,
        "machine": machine.describe() | {"load_start": begin, "load_end": machine.load()},
        "repeats": settings.repeats,
        "quick": settings.quick,
        "sections": sections,
    }


def _child(name: str, settings: Settings) -> dict[str, Any] | str:
    """What one benchmark found, or the last line it printed when it failed."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "section.json"
        command = [sys.executable, "-m", "benchmarks", "--only", name, "--section-to", str(output)]
        command += ["--model", str(settings.model), "--repeats", str(settings.repeats)] + ["--quick"] * settings.quick
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            return f"not finished within {TIME_LIMIT} s"
        if done.returncode or not output.exists():
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            return lines[-1] if lines else f"status {done.returncode}"
        found: dict[str, Any] = json.loads(output.read_text())
        return found


def write(results: Mapping[str, Any], folder: Path) -> None:
    """Write the result file and the figures."""
    from benchmarks.figures import draw  # takes a second, and not every use of this module draws

    write_atomically(folder / "bench.json", (json.dumps(results, indent=1) + "\n").encode())
    draw(results, folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller inputs and 3 repetitions, for a first look")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), help="some of the benchmarks")
    parser.add_argument("--model", type=Path, default=Path("netx_models/digits.net"), help="the network")
    parser.add_argument("--repeats", type=int, help="repetitions of each measurement (5)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of bench.json and the figures")
    parser.add_argument("--draw", action="store_true", help="measure nothing: show and draw the bench.json that is there")
    parser.add_argument("--section-to", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Measure, show, write; 1 if a benchmark failed."""
    arguments = _arguments()
    settings = Settings(arguments.model, arguments.repeats or (3 if arguments.quick else 5), arguments.quick)
    if arguments.section_to:
        section = importlib.import_module(SECTIONS[arguments.only[0]]).measure(settings)
        arguments.section_to.write_text(json.dumps(section.to_dict()))
        return 0
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    if arguments.draw:
        show(results := json.loads((arguments.results / "bench.json").read_text()), console)
        write(results, arguments.results)
        return 0
    show(results := run(arguments.only, settings, console), console)
    write(results, arguments.results)
    return 0 if len(results["sections"]) == len(arguments.only) else 1


if __name__ == "__main__":
    sys.exit(main())
