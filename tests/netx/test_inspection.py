"""NetX files that ask for more than a network needs: other files, all memory, no end."""

import os
import resource
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import nets
import numpy as np
import pytest

from neuro_deploy.errors import ModelFileError
from neuro_deploy.lowering import lower
from neuro_deploy.netx import read, write

Change = Callable[[h5py.File], object]
WEIGHT = "layer/3/weight"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    write(lower(nets.tiny()), tmp_path / "a.net")
    return tmp_path / "a.net"


def replaced(name: str, value: object) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = value

    return change


def stored_elsewhere(file: h5py.File) -> None:
    del file[WEIGHT]
    file.create_dataset(WEIGHT, (8, 29), "i2", external=[("/etc/hostname", 0, 8 * 29 * 2)])


def put_together(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((8, 29), "i2")
    layout[:] = h5py.VirtualSource("other.net", "w", (8, 29))
    del file[WEIGHT]
    file.create_virtual_dataset(WEIGHT, layout)


def declared(shape: tuple[int, ...], chunks: tuple[int, ...] | None = None) -> Change:
    def change(file: h5py.File) -> None:
        del file[WEIGHT]
        file.create_dataset(WEIGHT, shape, "i2", chunks=chunks or tuple(min(n, 1000) for n in shape), maxshape=(None, None))

    return change


def many_names(file: h5py.File) -> None:
    for index in range(5, 40_000):
        file[f"layer/{index}"] = file["layer/4"]


def the_same_again(file: h5py.File) -> None:
    """Few names, but the layers are large."""
    large = file.create_dataset("large", (4000, 4000), "i2", chunks=(1000, 1000))
    for index in range(8):
        file[f"more/{index}"] = large


def a_circle(file: h5py.File) -> None:
    file["layer/0/neuron/again"] = file["layer"]


def a_bomb(file: h5py.File) -> None:
    """One chunk of 464 bytes that unpacks to 300 MB."""
    del file[WEIGHT]
    data = file.create_dataset(WEIGHT, (8, 29), "i2", chunks=(8, 29), compression="gzip")
    data.id.write_direct_chunk((0, 0), zlib.compress(bytes(300_000_000)))


def packed_by_others(file: h5py.File) -> None:
    replaced(WEIGHT, 0)(file)
    del file[WEIGHT]
    file.create_dataset(WEIGHT, data=np.zeros((8, 29), np.int16), compression="lzf")


def many_neurons(file: h5py.File) -> None:
    """Few synapses to each."""
    file["layer/3/shape"][...] = 1 << 22
    del file[WEIGHT]
    file.create_dataset(WEIGHT, (1 << 20, 29), "i1", chunks=(1 << 12, 29), compression="gzip")


CASES: dict[str, tuple[Change, str]] = {
    "many neurons": (many_neurons, r"layer 3: shape \[4194304\] has 4,194,304 neurons, at most 2,097,152 are read"),
    "a soft link": (replaced("layer/1", h5py.SoftLink("/layer/2")), "layer: '1' is a link to another place or file"),
    "a link to another file": (replaced(WEIGHT, h5py.ExternalLink("pipe", "w")), "layer 3: 'weight' is a link to another"),
    "values in another file": (stored_elsewhere, "layer 3: weight has its values in another file"),
    "a view of other files": (put_together, "layer 3: weight has its values in another file"),
    "a large matrix": (declared((1 << 16, 1 << 10)), r"layer 3: weight is \[65536, 1024\]: more than 33,554,432 numbers"),
    "a large chunk": (declared((8, 29), (1 << 15, 1 << 14)), "more than 33,554,432 numbers"),
    "many chunks": (declared((1 << 10, 1 << 10), (1, 1)), "weight is stored in 1,048,576 pieces, at most 16,384"),
    "many names": (many_names, "more than 16,384 names"),
    "many names of much": (the_same_again, "more than 33,554,432 numbers in all"),
    "groups without end": (a_circle, "inside each other, at most 8"),
    "a chunk that unpacks to more": (a_bomb, "layer 3: weight unpacks to more than the 464 bytes"),
    "a filter of other people": (packed_by_others, r"packed with filters \[32000\], only gzip"),
    "a long text": (replaced("layer/0/type", np.bytes_(b"x" * 5000)), "values of 5,000 bytes each, at most 1,024"),
    "many texts": (replaced("layer/0/type", np.array([b"dense"] * 100)), "type has 100 values, expected one"),
    "a weight beyond int64": (
        replaced(WEIGHT, np.full((8, 29), (1 << 64) - 1, np.uint64)),
        "weight holds 18446744073709551615, the chip takes -256 to 255",
    ),
    "a float beyond int64": (replaced(WEIGHT, np.full((8, 29), 1e300)), r"weight holds 1e\+300, the chip takes -256"),
    "a shape beyond int64": (replaced("layer/0/shape", np.array([1 << 40, 1 << 40])), "shape holds 1099511627776"),
    "complex weights": (replaced(WEIGHT, np.zeros((8, 29), complex)), "weight holds complex128 instead of integers"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_file_may_not_ask_for(net: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, message = CASES[case]
    monkeypatch.chdir(net.parent)
    os.mkfifo("pipe")
    with h5py.File(net, "a") as file:
        change(file)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelFileError, match=message) as caught:
        read(net)
    assert "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes on Linux, bytes on macOS


def test_names_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.net")
    with pytest.raises(ModelFileError, match=r"pipe.net: cannot read \(it is not a file but a pipe"):
        read(tmp_path / "pipe.net")
    with pytest.raises(ModelFileError, match=r"/dev/zero: cannot read \(it is not a file"):
        read(Path("/dev/zero"))
    with pytest.raises(ModelFileError, match=r"cannot read \(Is a directory"):
        read(tmp_path)
    (tmp_path / "large.net").touch()
    os.truncate(tmp_path / "large.net", 1 << 40)
    with pytest.raises(ModelFileError, match=r"it has 1,099,511,627,776 bytes, at most 268,435,456 are read"):
        read(tmp_path / "large.net")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_errno_is_not_damage(net: Path) -> None:
    net.chmod(0)
    with pytest.raises(ModelFileError, match=r"cannot read \(Permission denied\); ask its owner for permission"):
        read(net)


def test_a_lock_is_not_damage(net: Path) -> None:
    """HDF5 locks the files that it opens, and refuses those that another program has locked; nothing is written here."""
    import fcntl

    with net.open("rb") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        assert len(read(net).layers) == 5
