"""NumPy files of others: what is whole is read, in every order of bytes and axes; anything else is one line, soon, in little memory."""

import io
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuro_deploy.datasets.arrays import UNPACKED, read_arrays
from neuro_deploy.errors import InputError

VALUES = np.arange(24, dtype=np.float64).reshape(2, 4, 3)


@pytest.mark.parametrize(
    "values",
    [
        VALUES,
        VALUES.astype(">f4"),
        np.asfortranarray(VALUES),
        VALUES.astype(np.float16),
        VALUES.astype(np.uint64),
        VALUES > 3,
        VALUES[:0],
    ],
    ids=["float64", "big-endian", "by columns", "float16", "uint64", "bool", "none"],
)
def test_what_is_whole_is_read(values: NDArray[Any], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", samples=values, labels=np.arange(len(values), dtype=">u2"))
    np.savez_compressed(tmp_path / "b.npz", samples=values)
    for name in ("a.npy", "a.npz", "b.npz"):
        found, labels = read_arrays(tmp_path / name, 2)
        assert found.dtype == values.dtype
        assert found.shape == values.shape
        assert (found == values).all()
        assert labels is None or labels.tolist() == list(range(len(values)))
    (tmp_path / "link.npy").symlink_to("a.npy")
    assert (read_arrays(tmp_path / "link.npy", 2)[0] == values).all()


def npz(how: int = zipfile.ZIP_STORED, **members: object) -> bytes:
    """An archive of arrays, or of bytes as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, value in members.items():
            archive.writestr(f"{name}.npy", value if isinstance(value, bytes) else npy(value))
    return buffer.getvalue()


def npy(value: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=True)
    return buffer.getvalue()


def declared(shape: str, kind: str = "<f8", content: bytes = bytes(96), version: bytes = b"\x01\x00") -> bytes:
    """An array that says something of itself."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version[0] == 1 else 4, "little") + text + content


class Program:
    """Runs when it is read as a pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


GOOD = npz(samples=VALUES)
BOMB = npz(zipfile.ZIP_DEFLATED, samples=declared("(8388609, 4, 3)", "u1", bytes(12 * 8388609)))

FILES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.npz", b"", "no .npz file, or damaged"),
    "an empty array": ("a.npy", b"", "no .npy file, or damaged"),
    "a text": ("a.npz", b"samples", "no .npz file, or damaged"),
    "another's suffix": ("a.csv", b"1,2", "not a .npz or .npy file"),
    "an array as an archive": ("a.npz", npy(VALUES), "no .npz file, or damaged"),
    "an archive as an array": ("a.npy", GOOD, "no .npy file, or damaged"),
    "half an archive": ("a.npz", GOOD[:200], "no .npz file, or damaged"),
    "half an array": ("a.npy", npy(VALUES)[:200], r"an array of float64 \[2, 4, 3\] in 72 bytes"),
    "more than an array": ("a.npy", npy(VALUES) + b"x", r"an array of float64 \[2, 4, 3\] in 193 bytes"),
    "a byte that changed": ("a.npz", GOOD.replace(b"\xf0?", b"\xf1?", 1), "Bad CRC-32"),
    "a pickle": ("a.npy", pickle.dumps(VALUES), "no .npy file, or damaged"),
    "objects": ("a.npy", npy(np.array([Program()], object)), "it holds Python objects, which are programs"),
    "objects in an archive": ("a.npz", npz(samples=np.array([Program()], object)), "it holds Python objects"),
    "objects as labels": ("a.npz", npz(samples=VALUES, labels=np.array([Program()], object)), "it holds Python objects"),
    "a large shape": ("a.npy", declared("(1000000000000, 4, 3)"), r"an array of float64 \[1000000000000, 4, 3\] in 96 bytes"),
    "a large shape in an archive": ("a.npz", npz(samples=declared("(10**12,)")), "no .npz file, or damaged"),
    "a larger shape": ("a.npz", npz(samples=declared("(1000000000000, 4, 3)")), "in 96 bytes"),
    "a negative shape": ("a.npy", declared("(-1, -4, 3)"), "no .npy file, or damaged"),
    "no bytes a value": ("a.npy", declared("(1000000000000,)", "<U0", b""), "an array of type <U0: it must hold numbers"),
    "a long header": ("a.npy", declared("(" + "1, " * 9999 + ")", version=b"\x02\x00"), "no .npy file, or damaged"),
    "a header without end": ("a.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "no .npy file, or damaged"),
    "code in a header": ("a.npy", declared("(__import__('os').mkdir('ran'),)"), "no .npy file, or damaged"),
    "another version": ("a.npy", declared("(4, 3)", version=b"\x09\x00"), "no .npy file, or damaged"),
    "a bomb": ("a.npz", BOMB, r"samples.npy unpacks to 100,663,\d+ bytes, 1,0\d\d times the file: save it with numpy.savez"),
    "no arrays": ("a.npz", npz(), "it holds nothing: it must have an array 'samples'"),
    "another name": ("a.npz", npz(x=VALUES), r"it holds x: it must have an array 'samples' \[samples, steps, channels\]"),
    "many names": ("a.npz", npz(**{f"{k}" * 99: b"" for k in range(7)}), r"it holds 0{37}\.\.\., .*, 2 more: it must have"),
    "a name alone": ("a.npz", npz(samples=b""), "no .npz file, or damaged"),
    "packed in another way": ("a.npz", npz(zipfile.ZIP_BZIP2, samples=VALUES).replace(b"BZh9", b"BZh0"), "or damaged"),
    "packed in no known way": ("a.npz", GOOD.replace(b"\x14\x00\x00\x00\x00\x00", b"\x14\x00\x00\x00\x63\x00"), "or damaged"),
    "encrypted": ("a.npz", GOOD.replace(b"\x14\x00\x00\x00\x00\x00", b"\x14\x00\x01\x00\x00\x00"), "encrypted"),
    "labels of another number": ("a.npz", npz(samples=VALUES, labels=np.zeros(3, int)), "3 labels for 2 samples"),
    "negative labels": (
        "a.npz",
        npz(samples=VALUES, labels=np.array([0, -1])),
        "a label is -1, the network has classes 0 to 1",
    ),
    "large labels": ("a.npz", npz(samples=VALUES, labels=np.array([0, 1 << 63], np.uint64)), "a label is 9223372036854775808"),
    "labels that are no integers": ("a.npz", npz(samples=VALUES, labels=np.zeros(2)), r"labels are float64 \[2\]: .* integers"),
    "labels in two dimensions": ("a.npz", npz(samples=VALUES, labels=np.zeros((2, 2), int)), r"labels are int64 \[2, 2\]"),
    "complex numbers": ("a.npy", npy(VALUES * 1j), "an array of type complex128: it must hold numbers"),
    "texts": ("a.npz", npz(samples=VALUES.astype("S3")), r"an array of type \|S3: it must hold numbers"),
    "records": ("a.npy", npy(np.zeros(3, "i4, f8")), "an array of type .*: it must hold numbers"),
    "dates": ("a.npy", npy(np.zeros(3, "M8[s]")), "it must hold numbers"),
    "one label": ("a.npz", npz(samples=VALUES, labels=np.array(1)), r"labels are int64 \[\]"),
    "texts as labels": (
        "a.npz",
        npz(samples=VALUES, labels=np.array(["a", "b"])),
        "an array of type <U1: it must hold numbers",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_anything_else_is_one_line(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, content, message = FILES[case]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=message) as caught:
            read_arrays(path, 2)
        assert tracemalloc.get_traced_memory()[1] < UNPACKED
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert not Path("ran").exists()


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_what_is_no_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    with pytest.raises(InputError, match=r"No such file or directory; name a \.npz or \.npy file"):
        read_arrays(path, 2)
    path.symlink_to(path)
    with pytest.raises(InputError, match="symbolic links"):
        read_arrays(path, 2)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="it is not a file but a pipe or a device"):
        read_arrays(path, 2)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_arrays(path, 2)


def test_labels_under_another_name_are_not_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.savez(tmp_path / "a.npz", samples=VALUES, label=np.zeros(2, int))
    assert read_arrays(tmp_path / "a.npz", 2)[1] is None
    assert "no array 'labels', and label is not read" in caplog.text
