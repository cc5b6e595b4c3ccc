"""What the command line inherits: its streams, its variables, its home, the folder that it is run in."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from needs import needs

ROOT = Path(__file__).parents[2]
NET = ROOT / "netx_models" / "digits.net"
MAIN = (sys.executable, "-m", "neuro_deploy.cli")


def started(
    *arguments: object, variables: Mapping[str, str | None] = {}, folder: Path = ROOT, shell: str = 'exec "$@"'
) -> "subprocess.CompletedProcess[str]":
    """A run of the command line in a process of its own.

    Args:
        arguments: of the command line.
        variables: of the environment, beside those of this process, or None where one is to be missing.
        folder: where it runs.
        shell: runs the command ``"$@"``.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NEURO_DEPLOY_DATA": str(folder / "root"), **variables}
    return subprocess.run(
        ["bash", "-c", shell, "bash", *MAIN, *map(str, arguments)],
        env={name: value for name, value in environment.items() if value is not None},
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
    )


@pytest.mark.parametrize(
    ("streams", "code", "output", "error"),
    [
        (">&-", 0, "", ""),
        ("<&- >&- 2>&-", 0, "", ""),
        (">/dev/full", 2, "", "error: [Errno 28] No space left on device: make room, or "),
        (">/dev/full 2>/dev/full", 2, "", ""),
        ("| true; exit ${PIPESTATUS[0]}", 141, "", ""),
    ],
)
@pytest.mark.parametrize("arguments", ["--version", "data list"])
def test_streams_that_are_closed_or_full(arguments: str, streams: str, code: int, output: str, error: str) -> None:
    ended = started(*arguments.split(), shell=f'"$@" {streams}')
    assert (ended.returncode, ended.stdout) == (code, output)
    assert ended.stderr.startswith(error)
    assert len(ended.stderr.splitlines()) == bool(error)


def test_a_file_does_not_take_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    ended = started("compare", "report.json", "report.json", folder=tmp_path, shell='"$@" <&- >&- 2>&-')
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", "")
    assert (tmp_path / "report.json").read_text() == "{}"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8:strict", "latin-1:strict"])
def test_any_text_can_be_written(encoding: str, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \xe2\x82\xac.net")  # Latin-1 and UTF-8 in one
    ended = started("simulate", name, variables={"PYTHONIOENCODING": encoding}, folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: caf")
    assert len(ended.stderr.splitlines()) == 1
    listed = started("data", "list", variables={"PYTHONIOENCODING": encoding}, folder=tmp_path)
    assert listed.returncode == 0, listed.stderr


def test_a_home_for_every_path(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    home = {"HOME": str(tmp_path / "home")}
    for arguments in (("simulate", "~/a.net"), ("simulate", NET, "--data=~/a.npz"), ("data", "fetch", "rows", "--from=~/a")):
        ended = started(*arguments, variables=home, folder=tmp_path)
        assert ended.returncode == 2
        assert "~" not in ended.stderr, ended.stderr
    listed = started("data", "list", variables={**home, "NEURO_DEPLOY_DATA": "~/data"}, folder=tmp_path)
    assert listed.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        ("simulate ~/a.net", {}, "your home folder is not known: give the path without ~, or set HOME"),
        ("data list", {"NEURO_DEPLOY_DATA": "~/a"}, "your home folder is not known: give the path without ~, or set HOME"),
        ("data list", {"NEURO_DEPLOY_DATA": None}, "set NEURO_DEPLOY_DATA or HOME"),
    ],
)
def test_no_home(arguments: str, variables: Mapping[str, str | None], message: str, tmp_path: Path) -> None:
    ended = started(*arguments.split(), variables={"HOME": "", "XDG_CACHE_HOME": None, **variables}, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_verb_imports_what_it_needs(tmp_path: Path) -> None:
    code = f"""
import atexit, json, sys
from neuro_deploy import cli
sys.argv = ["neuro-deploy", "simulate", {str(NET)!r}, "--backend", "fast", "--samples", "1"]
atexit.register(lambda: print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}}))))
cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        check=True,
    )
    names = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"numpy", "numba", "neuro_deploy"} <= names
    # Numba itself imports SciPy where it is installed.
    heavy = {
        "torch",
        "lava",
        "sklearn",
        "matplotlib",
        "joblib",
        "jinja2",
        "brian2",
        "distributed",
        "soundfile",
        "soxr",
        "requests",
    }
    assert not names & heavy


@needs("torch")
def test_a_folder_of_the_users_that_is_called_training(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "__init__.py").touch()
    (tmp_path / "training" / "config.py").write_text("raise SystemExit('not ours')")
    ended = started("train", "nothing", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: config nothing: ")
    assert ended.stderr.count("\n") == 1


@needs("torch")
def test_torchrun_beside_a_folder_that_is_called_training(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "__init__.py").write_text("raise SystemExit('not ours')")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "-m",
        "neuro_deploy.cli",
        "train",
        "nothing",
    ]
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) in (1, 2), ended.stderr  # the first process that ends has the other one ended
    assert all(line.startswith("error: config nothing: ") for line in lines)
    assert "not ours" not in ended.stderr


def test_modules_of_the_users_in_the_present_folder(tmp_path: Path) -> None:
    """As of a script, whose own folder is the first that modules are looked for in."""
    program = tmp_path / "bin" / "neuro-deploy"
    program.parent.mkdir()
    program.write_text("from neuro_deploy.cli import main\nmain()\n")
    here = tmp_path / "here"
    (here / "h5py").mkdir(parents=True)
    for name in ("queue.py", "lava.py", "numba.py", "h5py/__init__.py"):
        (here / name).write_text("raise SystemExit('not ours')")
    ended = subprocess.run(
        [sys.executable, program, "simulate", NET, "--backend", "fast", "--samples", "1"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=here,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("shell", ["ulimit -n 256", "ulimit -n 64"])
def test_few_open_files(shell: str, tmp_path: Path) -> None:
    ended = started("simulate", NET, "--backend", "fast", "--samples", "2", folder=tmp_path, shell=f'{shell}; exec "$@"')
    assert ended.returncode == 0, ended.stderr


def test_a_long_temporary_folder(tmp_path: Path) -> None:
    """A socket's path has at most 104 bytes on macOS, 108 on Linux."""
    temporary = tmp_path / "/".join(["scratch_of_a_job"] * 8)
    temporary.mkdir(parents=True)
    variables = {"TMPDIR": str(temporary)}
    ended = started("simulate", NET, "--backend", "fast", "--samples", "4", "--jobs", "2", variables=variables, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"])
def test_no_colours_in_json(variable: str, tmp_path: Path) -> None:
    code = """
import sys
from neuro_deploy.report import compare, store
store.load = lambda path: path
compare.compare = lambda pairs, different: None
compare.as_json = lambda comparison: {"a": [1, 2.5, None, "x"]}
from neuro_deploy.cli import main
sys.argv = ["neuro-deploy", "compare", "a.json", "b.json", "--json"]
main()
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT), variable: "1"}
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, check=True
    ).stdout
    assert json.loads(shown) == {"a": [1, 2.5, None, "x"]}


def test_no_script_goes_where_cdpath_leads(tmp_path: Path) -> None:
    """With it, ``cd`` may go elsewhere, and prints where."""
    for script in sorted((ROOT / "scripts").glob("*.sh")):
        lines = script.read_text().splitlines()
        moves = [number for number, line in enumerate(lines) if "cd " in line and not line.lstrip().startswith("#")]
        unset = [number for number, line in enumerate(lines) if line.startswith("unset CDPATH")]
        assert not moves or (unset and unset[0] <= moves[0]), script.name
