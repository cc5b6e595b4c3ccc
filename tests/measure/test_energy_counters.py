"""Energy counters on a powercap folder that the tests make, and on an NVML that they stand in for."""

import os
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from needs import needs
from numba import cuda

from neuro_deploy.measure.energy.counters import cpu_energy, gpu_energy

SIZE = 262_143_328_850

ZONES = {
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "core",
    "intel-rapl:0:1": "dram",
    "intel-rapl:1": "package-1",
    "intel-rapl:2": "psys",
    "intel-rapl-mmio:0": "package-0",
}
"""A machine with every kind of zone; those that count are two packages and a memory."""


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    for zone, name in ZONES.items():
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "name").write_text(f"{name}\n")
        (tmp_path / zone / "max_energy_range_uj").write_text(f"{SIZE}\n")
        count(tmp_path, zone, 1_000_000)
    (tmp_path / "intel-rapl").mkdir()
    return tmp_path


def count(powercap: Path, zone: str, microjoules: int) -> None:
    (powercap / zone / "energy_uj").write_text(f"{microjoules}\n")


def test_packages_and_memory_are_summed(powercap: Path) -> None:
    stop = cpu_energy(powercap)
    for index, zone in enumerate(ZONES):
        count(powercap, zone, 1_000_000 + 10 ** (index + 1))
    energy = stop()
    assert energy.value == pytest.approx((10 + 1000 + 10_000) / 1e6)
    assert (energy.unit, energy.kind) == ("J", "measured")
    assert energy.source == "RAPL counters (package-0, dram, package-1)"
    assert "idle" in energy.note


def test_a_counter_that_wraps_around(powercap: Path) -> None:
    count(powercap, "intel-rapl:0", SIZE - 2_000_000)
    stop = cpu_energy(powercap)
    count(powercap, "intel-rapl:0", 3_000_000)
    assert stop().value == pytest.approx(5)


def test_nothing_used_is_a_value(powercap: Path) -> None:
    assert cpu_energy(powercap)().value == 0


def deny(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the right to read a file, from root as well."""
    path.chmod(0)
    read_text = Path.read_text

    def denied(self: Path, *arguments: str) -> str:
        if self == path:
            raise PermissionError(13, os.strerror(13), str(path))
        return read_text(self, *arguments)

    monkeypatch.setattr(Path, "read_text", denied)


Damage = Callable[[Path, pytest.MonkeyPatch], object]

DAMAGES: dict[str, tuple[Damage, str]] = {
    "not allowed": (deny, "permission denied: only root may read it"),
    "gone": (lambda path, _: path.unlink(), "energy_uj: No such file"),
    "no number": (lambda path, _: path.write_text("\n"), "does not hold a number"),
}


@pytest.mark.parametrize("case", DAMAGES)
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_counter_that_cannot_be_read(powercap: Path, case: str, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    damage, reason = DAMAGES[case]
    path = powercap / "intel-rapl:1" / "energy_uj"
    stop = cpu_energy(powercap) if when == "meanwhile" else None
    damage(path, monkeypatch)
    energy = (stop or cpu_energy(powercap))()
    assert energy.value is None
    assert reason in energy.note
    assert energy.source == "RAPL counters"


@pytest.mark.parametrize("folder", [".", "none"])
def test_a_machine_without_counters(tmp_path: Path, folder: str) -> None:
    energy = cpu_energy(tmp_path / folder)()
    assert energy.value is None
    assert f"none found in {tmp_path / folder}" in energy.note


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """A GPU with a counter in ``millijoules``; the driver numbers it otherwise than CUDA does."""
    import pynvml

    board = types.SimpleNamespace(millijoules=5_000)

    def by_name(name: str) -> types.SimpleNamespace:
        assert name == "GPU-4711"
        return board

    monkeypatch.setattr(cuda, "get_current_device", lambda: types.SimpleNamespace(uuid="GPU-4711"))
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", by_name)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", lambda board: board.millijoules)
    return board


@needs("pynvml")
def test_a_gpu(board: types.SimpleNamespace) -> None:
    stop = gpu_energy()
    board.millijoules += 1_500
    energy = stop()
    assert (energy.value, energy.unit, energy.kind) == (1.5, "J", "measured")
    assert energy.source == "NVML total-energy counter"


@needs("pynvml")
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_gpu_without_the_counter(board: types.SimpleNamespace, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    def unsupported(board: object) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    stop = gpu_energy() if when == "meanwhile" else None
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", unsupported)
    energy = (stop or gpu_energy())()
    assert energy.value is None
    assert energy.note == "Not Supported"


@needs("pynvml")
@pytest.mark.skipif(cuda.is_available(), reason="this machine has a GPU")
def test_a_machine_without_a_gpu() -> None:
    energy = gpu_energy()()
    assert energy.value is None
    assert energy.note
