"""A manifest of somebody else may name the settings of any data."""

from dataclasses import replace

import nets
import pytest

from neuro_deploy.errors import ModelFileError
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.lowering import lower
from neuro_deploy.training.config import load
from neuro_deploy.workbench.own_data import own_data


def test_other_data_are_refused() -> None:
    graph = nets.tiny()
    about = nets.about(graph, steps=64)
    with pytest.raises(
        ModelFileError, match=r"3 classes \(class 0, class 1, class 2\), the data set of its settings, digits, has 10"
    ):
        own_data(Network.of(lower(graph), about), load("digits"))
    hearing = Network.of(lower(graph), replace(about, front_end=FrontEndSpec()))
    with pytest.raises(ModelFileError, match="another front end than its settings"):
        own_data(hearing, load("digits"))
