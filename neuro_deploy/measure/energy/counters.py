"""Energy that a machine has measured itself, read from its counters; never an estimate.

RAPL is read from Linux' powercap files, in a few lines: Zeus, which reads RAPL and NVML, brings pandas, httpx and ten more
packages. NVML is read through NVIDIA's own bindings.
"""

from collections.abc import Callable
from pathlib import Path

from neuro_deploy.measure.quantity import Quantity

POWERCAP = Path("/sys/class/powercap")
"""Where Linux shows RAPL's counters, also those of AMD's processors."""

Stop = Callable[[], Quantity]
"""Ends a measurement: joules since its start, or no value and the reason."""

RAPL, NVML = "RAPL counters", "NVML total-energy counter"


def cpu_energy(powercap: Path = POWERCAP) -> Stop:
    """Start to measure the processor packages and, where it has a counter of its own, their memory.

    The counters wrap around, after minutes at full load: a measurement must be shorter than that. They count everything that runs on
    the machine, and what it draws when idle.

    Args:
        powercap: folder of the zones.
    """
    try:
        zones = _zones(powercap)
        if not zones:
            return lambda: _unavailable(RAPL, f"none found in {powercap}, as on virtual machines")
        ranges = [_number(zone / "max_energy_range_uj") for zone in zones]
        before = [_number(zone / "energy_uj") for zone in zones]
    except (OSError, ValueError) as error:
        reason = _reason(error)
        return lambda: _unavailable(RAPL, reason)

    def stop() -> Quantity:
        try:
            after = [_number(zone / "energy_uj") for zone in zones]
        except (OSError, ValueError) as error:
            return _unavailable(RAPL, _reason(error))
        used = sum(_since(*readings) for readings in zip(before, after, ranges, strict=True))
        names = ", ".join((zone / "name").read_text().strip() for zone in zones)
        return Quantity(
            used / 1e6, "J", "measured", f"{RAPL} ({names})", "everything that ran on the machine, idle power included"
        )

    return stop


def gpu_energy() -> Stop:
    """Start to measure the present GPU's board, whose counter exists since NVIDIA's Volta."""
    import pynvml
    from numba import cuda
    from numba.cuda.cudadrv.error import CudaDriverError, CudaSupportError

    failures = (pynvml.NVMLError, CudaDriverError, CudaSupportError)

    def read() -> int:
        """Millijoules since the driver was loaded."""
        # The board by its own name: CUDA and NVML number the GPUs of a machine differently.
        board = pynvml.nvmlDeviceGetHandleByUUID(cuda.get_current_device().uuid)
        return int(pynvml.nvmlDeviceGetTotalEnergyConsumption(board))

    try:
        pynvml.nvmlInit()
        before = read()
    except failures as error:
        reason = " ".join(str(error).split())
        return lambda: _unavailable(NVML, reason)

    def stop() -> Quantity:
        try:
            used = read() - before
        except failures as error:
            return _unavailable(NVML, " ".join(str(error).split()))
        return Quantity(used / 1e3, "J", "measured", NVML, "the GPU's board alone, without the processor that feeds it")

    return stop


def _zones(powercap: Path) -> list[Path]:
    """The zones whose sum is what packages and memory use: cores and graphics are parts of their package, ``psys`` contains it."""
    wanted = [zone for zone in sorted(powercap.glob("intel-rapl:*")) if (zone / "name").is_file()]
    return [zone for zone in wanted if (zone / "name").read_text().strip().startswith(("package", "dram"))]


def _number(path: Path) -> int:
    return int(path.read_text())


def _since(before: int, after: int, size: int) -> int:
    """Microjoules between two readings of a counter that goes back to 0 after ``size``."""
    return after - before if after >= before else after - before + size


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, PermissionError):
        return f"{error.filename}: permission denied: only root may read it, until root allows others (chmod a+r)"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return f"a RAPL counter does not hold a number ({error})"


def _unavailable(source: str, reason: str) -> Quantity:
    return Quantity(None, "J", "measured", source, reason)
