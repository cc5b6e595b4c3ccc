"""The laws between the rooms of the package, held against every import of it."""

import ast
import itertools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "neuro_deploy"
SINGLE = ("__version__", "errors", "files", "extras", "compiling")
"""What stands beside the rooms; every room may use it."""

FLOORS = (
    ("ir",),
    ("loihi", "audio", "datasets"),
    ("lowering", "netx", "engine", "training"),
    ("fused", "measure"),
    ("backends",),
    ("verify",),
    ("recognition",),
    ("workbench",),
    ("report",),
    ("cli",),
)
"""From the lowest to the highest; a room uses those below it alone. ``TYPE_CHECKING`` imports count too."""

TRAINING_USES = {"ir", "audio", "datasets", "loihi.limits", "files", "errors", "compiling"}
HEAVY = {
    "lava": {"fused", "backends/lava_worker.py", "training"},  # SLAYER is a part of Lava's name space
    "torch": {"training", "workbench", "measure/neurobench.py", "measure/energy/counters.py"},
    "matplotlib": {"report"},
}
"""Who may import a heavy package when it is imported itself."""

FILES = sorted(path for path in ROOT.rglob("*.py") if "__pycache__" not in path.parts)
FILES += sorted((ROOT / "training").rglob("*.py"))  # a link, which rglob does not follow on every Python
FILES = sorted(set(FILES))


def imported(path: Path, *, at_import: bool = False) -> set[str]:
    """Dotted names of modules that a file imports; ``at_import`` leaves out what its functions import when they are called."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    """Name of the room that a file is in, empty for a file beside the rooms."""
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else ""


def rooms_used(path: Path) -> set[str]:
    own = {name.removeprefix("neuro_deploy.") for name in imported(path) if name.startswith("neuro_deploy.")}
    return {name.partition(".")[0] for name in own} - set(SINGLE)


def test_every_room_has_a_floor() -> None:
    assert {room(path) for path in FILES} - {""} == set(itertools.chain(*FLOORS))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_arrow_leads_upwards_or_across(path: Path) -> None:
    here = room(path)
    below = set(itertools.chain(*itertools.takewhile(lambda floor: here not in floor, FLOORS)))
    assert rooms_used(path) <= below | {here}


def test_no_two_rooms_of_one_floor_use_each_other() -> None:
    """Rooms of a floor stand side by side, so an order within a floor needs no further law."""
    for floor in FLOORS:
        for path in FILES:
            if room(path) in floor:
                assert not (rooms_used(path) & set(floor)) - {room(path)}


def test_the_training_uses_what_is_plain() -> None:
    for path in FILES:
        if room(path) == "training":
            names = {name.removeprefix("neuro_deploy.") for name in imported(path) if name.startswith("neuro_deploy.")}
            other = {name for name in names if name.partition(".")[0] != "training"}
            assert all(any(f"{name}.".startswith(f"{allowed}.") for allowed in TRAINING_USES) for name in other), (path, other)


def test_the_training_is_imported_where_networks_meet_data() -> None:
    assert {room(path) for path in FILES if "training" in rooms_used(path)} <= {"training", "workbench", "cli"}


@pytest.mark.parametrize("package", HEAVY)
def test_heavy_packages_stay_where_they_are_needed(package: str) -> None:
    for path in FILES:
        if any(name.partition(".")[0] == package for name in imported(path, at_import=True)):
            place = str(path.relative_to(ROOT))
            assert any(place == allowed or place.startswith(f"{allowed}/") for allowed in HEAVY[package]), (package, place)


def test_files_of_tests_have_names_of_their_own() -> None:
    """Pytest imports them by these names alone, and stops where two are equal."""
    names = [path.name for path in Path(__file__).parent.rglob("*.py")]
    assert sorted(names) == sorted(set(names))
