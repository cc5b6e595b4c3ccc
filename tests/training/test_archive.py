"""Archives of tensors: what went in comes out, equal values make equal bytes, and nothing else is read."""

import io
import json
import math
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from neuro_deploy.training.archive import pack, unpack

VALUES: dict[str, Any] = {
    "number": 0.1,
    "endless": math.inf,
    "nothing": None,
    "pair": (1, "two"),
    "weights": {
        "a.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "a.batches": torch.tensor(7),
        "a.none": torch.zeros(0, 4),
    },
    "moments": {0: {"step": torch.tensor(1.5)}},
    "random": torch.arange(5, dtype=torch.uint8),
}


def test_what_is_packed_comes_back() -> None:
    found = unpack(pack(VALUES))
    assert (found["number"], found["endless"], found["nothing"], found["pair"]) == (0.1, math.inf, None, [1, "two"])
    for key, tensor in VALUES["weights"].items():
        assert found["weights"][key].dtype == tensor.dtype
        assert found["weights"][key].shape == tensor.shape
        assert (found["weights"][key] == tensor).all()
    assert found["moments"]["0"]["step"] == 1.5
    assert (found["random"] == VALUES["random"]).all()
    found["random"][0] = 9  # not a view of the file


def test_equal_values_make_equal_bytes_that_numpy_reads() -> None:
    content = pack(VALUES)
    assert pack(VALUES) == content
    with np.load(io.BytesIO(content)) as arrays:
        assert arrays["weights/a.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


def archive(members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def array(header: str, content: bytes = bytes(8), version: tuple[int, int] = (1, 0)) -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2, "little") + text + content


def one(member: bytes) -> Callable[[], bytes]:
    return lambda: archive({"about.json": b'{"x": {"tensor": "x"}}', "x.npy": member})


HEADER = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }          \n"
CASES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a text": lambda: b"weights",
    "half": lambda: pack(VALUES)[:700],
    "a changed byte": lambda: pack(VALUES).replace(b"\x00\x00\x80?", b"\x00\x00\x00?"),
    "a pickle": lambda: pickle.dumps(VALUES["pair"]),
    "torch's own": lambda: archive({"archive/data.pkl": pickle.dumps([1])}),
    "a list": lambda: archive({"about.json": b"[1]"}),
    "no JSON": lambda: archive({"about.json": b"{"}),
    "deep JSON": lambda: archive({"about.json": b'{"a":' * 5000 + b"1" + b"}" * 5000}),
    "a long number": lambda: archive({"about.json": b'{"a": ' + b"1" * 5000 + b"}"}),
    "a missing tensor": lambda: archive({"about.json": b'{"x": {"tensor": "x"}}'}),
    "a tensor twice": lambda: archive(
        {"about.json": json.dumps({"x": [{"tensor": "x"}] * 2}).encode(), "x.npy": array(HEADER % ("<f4", False, (2,)))}
    ),
    "a name that is none": lambda: archive({"about.json": b'{"x": {"tensor": [1]}}'}),
    "compressed": lambda: archive({"about.json": b"{}" + b" " * 99999}, zipfile.ZIP_DEFLATED),
    "many members": lambda: archive({"about.json": b"{}"} | {str(index): b"" for index in range(17_000)}),
    "objects": one(array(HEADER % ("|O", False, (1,)))),
    "complex numbers": one(array(HEADER % ("<c8", False, (1,)))),
    "by columns": one(array(HEADER % ("<f4", True, (2,)))),
    "the other order of bytes": one(array(HEADER % (">f4", False, (2,)))),
    "a huge shape": one(array(HEADER % ("<f4", False, (1 << 40,)))),
    "a shape below zero": one(array(HEADER % ("<f4", False, (-1, -2)))),
    "a shape of texts": one(array(HEADER % ("<f4", False, "('a',)"))),
    "a header of Python 2": one(array(HEADER % ("<f4", False, "(2L,)"))),
    "a header that is code": one(array("__import__('os').system('false')\n")),
    "a deep header": one(array("(" * 9000 + "\n")),
    "another version": one(array(HEADER % ("<f4", False, (2,)), version=(2, 0))),
    "no array": one(b"x"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_archive(case: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack(CASES[case]())
