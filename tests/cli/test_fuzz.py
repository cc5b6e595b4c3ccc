"""Whatever stands in a file of somebody else: one line and exit code 2, or a result; soon, in little memory, and nothing else changes.

``NEURO_DEPLOY_FUZZ`` says how many inputs are tried; each has its number as its seed, which a failure names.
"""

import os
import subprocess
import sys
from pathlib import Path

import archives
import fuzzing
import numpy as np
import pytest

from neuro_deploy.ir.graph import INPUT, Graph, Population, Projection
from neuro_deploy.ir.manifest import Description, Encoder, FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.loihi.limits import THRESHOLD_MAX
from neuro_deploy.lowering import lower
from neuro_deploy.netx import save_network

NUMBER = int(os.environ.get("NEURO_DEPLOY_FUZZ", "200"))


@pytest.fixture
def hostile(project: Path) -> None:
    """A project with a small network that hears, recordings, a data set of two words, and a catalogue that knows it."""
    spec = FrontEndSpec(seconds=0.1, bins=3)
    fires = Population("s", 2, 100, 2048, np.array([20, -20]))
    answer = Population("readout", 2, THRESHOLD_MAX, 0, np.array([0, 2]), fires=False)
    projections = (
        Projection(INPUT, "s", np.array([[[60, -20, 4], [30, 2, -8]]])),
        Projection("s", "readout", np.array([[[10, -10], [-6, 8]]])),
    )
    chain = lower(Graph(spec.bins, {"s": fires, "readout": answer}, projections))
    encoder = Encoder(message_bits=3, scale=0.4, offset=-14.0, clip=True)
    about = Description("hearing", ("yes", "no"), encoder, spec.steps, logit=64 * spec.steps, front_end=spec)
    save_network(Network.of(chain, about), fuzzing.HEARING)
    for form, subtype in (("wav", "PCM_16"), ("flac", "PCM_16"), ("float.wav", "FLOAT")):
        Path(f"a.{form}").write_bytes(archives.wav(archives.tone(700), subtype=subtype, form=form[-4:].strip(".").upper()))
    own = {"samples": np.linspace(0, 16, 3 * 64).reshape(3, 64, 1), "labels": np.array([0, 9, 4])}
    encoded = own | {"samples": own["samples"].astype(np.int32)}
    for name, arrays in (("own", own), ("encoded", encoded)):
        np.save(f"{name}.npy", arrays["samples"])
        np.savez(f"{name}.npz", **arrays)
    files = archives.commands({"high": 1500.0, "low": 300.0}, speakers=3)
    Path("set.tar.gz").write_bytes(archives.tar(files))
    Path("set.tar").write_bytes(archives.tar(files, how="w:"))
    fuzzing.CATALOGUE.write_text(  # without a checksum, so that the archive is read
        '[words]\ntitle = "t"\nlicence = "l"\nlayout = "speech_commands"\nclips = 6\n[[words.files]]\nname = "a"\nurls = []\n'
    )


@pytest.mark.timeout(120 + NUMBER)
@pytest.mark.usefixtures("hostile")
def test_hostile_files() -> None:
    number = -(-NUMBER // len(fuzzing.CASES))
    ended = subprocess.run(
        [sys.executable, fuzzing.__file__, str(number), *fuzzing.CASES],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout[-6000:]
    assert all(f"{kind}: {number} inputs" in ended.stdout for kind in fuzzing.CASES)
    print(ended.stdout)  # the peaks; shown with -s
