"""The public interface: what its page says, how little it imports, and what it says of input that it cannot use."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from nets import about, samples, tiny

import neuro_deploy as nd
from neuro_deploy.errors import BackendError, ConfigError, InputError, NeuroDeployError, RuleError
from neuro_deploy.ir.network import Network
from neuro_deploy.lowering import lower

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "python.md"


def test_every_snippet_of_the_page_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("netx_models", "training"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8").replace("```", "")
    test = doctest.DocTestParser().get_doctest(text, {}, "python.md", str(PAGE), 0)
    said: list[str] = []
    result = doctest.DocTestRunner().run(test, out=said.append)
    assert not result.failed, "".join(said)
    assert result.attempted > 20
    for name in set(nd.__all__) - {"__version__"}:
        assert f"nd.{name}(" in text


def test_the_snippet_of_the_readme_prints_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"^```python\n(import neuro_deploy as nd\n.*?)^```$", text, re.DOTALL | re.MULTILINE)
    exec(snippet, {})
    verdict, share, _ = capsys.readouterr().out.splitlines()
    assert f"# {verdict}\n" in snippet
    assert float(share) > 0.8


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import neuro_deploy; print(*sorted(set(sys.modules) - before))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    others = {name.partition(".")[0] for name in ended.stdout.split()} - {"neuro_deploy"}
    assert others <= sys.stdlib_module_names


def test_it_has_at_most_ten_names() -> None:
    assert len(set(nd.__all__) - {"__version__"}) <= 10
    assert all(hasattr(nd, name) for name in nd.__all__)
    assert not hasattr(nd, "lauf")


def test_lower_is_what_the_export_makes() -> None:
    expected = Network.of(lower(tiny()), about(tiny(), 12))
    network = nd.lower(tiny(), 12, name="tests", classes=("class 0", "class 1", "class 2"), message_bits=3, logit=640)
    assert network.manifest == expected.manifest
    assert nd.lower(tiny(), 12).manifest.classes == ("0", "1", "2")


def test_bad_input() -> None:
    network = nd.lower(tiny(), 12, message_bits=3)
    encoded = samples(tiny(), 2, 12)
    trace = nd.run(network, encoded)
    bad = [
        (lambda: nd.lower(tiny(), 12, classes=["a"]), InputError, "1 classes, the read-out has 3 neurons"),
        (lambda: nd.lower(tiny(), 12, message_bits=40), InputError, "message_bits: "),
        (lambda: nd.lower(tiny(), 12, scale=float("nan")), InputError, "scale: "),
        (lambda: nd.lower(tiny(), 0), InputError, "steps: "),
        (lambda: nd.lower(tiny(), 12, name="a/b"), InputError, "config: "),
        (lambda: nd.lower(tiny(), 10**6, message_bits=24), RuleError, ""),
        (lambda: nd.run(network, encoded, "quick"), BackendError, "'quick' is unknown"),
        (lambda: nd.run(network, encoded[0]), InputError, "shape [12, 2]"),
        (lambda: nd.run(network, encoded + 8), InputError, "a graded spike carries 0 to 7"),
        (lambda: nd.run(network, encoded / 2), InputError, "must be integers"),
        (lambda: nd.run(network, "samples"), InputError, "must hold numbers"),
        (lambda: nd.run(network, [[1], [1, 2]]), InputError, "same length"),
        (lambda: nd.encode(network, np.full((1, 12, 2), np.nan)), InputError, "only finite values"),
        (lambda: nd.encode(network, np.full((1, 12, 2), 8.0)), InputError, "the encoder takes 0 to 7"),
        (lambda: nd.accuracy(trace, [0]), InputError, "2 samples"),
        (lambda: nd.accuracy(trace, [0.5, 1.0]), InputError, "one integer for each"),
        (lambda: nd.energy(nd.count(network, trace), "loihi9"), ConfigError, "'loihi9' is unknown"),
        (lambda: nd.load("no.net"), NeuroDeployError, "no.net"),
        (lambda: nd.check(trace, nd.run(network, samples(tiny(), 2, 12, seed=1))), InputError, "different inputs"),
    ]
    for call, error, text in bad:
        with pytest.raises(error) as caught:
            call()
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)
