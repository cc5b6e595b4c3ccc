"""The digits task: its split, its permutation, its augmentation."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from neuro_deploy.training.data import load_data
from neuro_deploy.training.data.affine import random_affine
from neuro_deploy.training.data_settings import DigitsData

DIGITS = DigitsData(name="digits")
NO_LABELS = torch.zeros(0, dtype=torch.int64)


def test_the_split_is_fixed_stratified_and_whole() -> None:
    data = load_data(DIGITS)
    assert (len(data.train) + len(data.validation), len(data.test)) == (1437, 360)
    assert (data.steps, data.channels, data.classes) == (64, 1, tuple("0123456789"))
    everything = np.concatenate([part.samples[:, :, 0] for part in (data.train, data.validation, data.test)])
    images, labels = load_digits(return_X_y=True)
    assert sorted(map(tuple, everything)) == sorted(map(tuple, images.astype(np.float32)))
    shares = np.bincount(labels) / len(labels)
    for part in (data.train, data.validation, data.test):
        np.testing.assert_allclose(np.bincount(part.labels) / len(part), shares, atol=0.01)
    # the task's definition: whoever changes the split changes every published figure
    assert data.test.labels[:12].tolist() == EXPECTED_TEST_LABELS


EXPECTED_TEST_LABELS = [7, 6, 3, 7, 7, 3, 2, 8, 9, 3, 2, 6]


def test_the_digits_and_their_splits_are_those_of_scikit_learn() -> None:
    images, labels = load_digits(return_X_y=True)
    rows, test = train_test_split(np.arange(len(labels)), test_size=360, stratify=labels, random_state=0)
    train, validation = train_test_split(rows, test_size=0.1, stratify=labels[rows], random_state=0)
    data = load_data(DIGITS)
    for split, chosen in ((data.train, train), (data.validation, validation), (data.test, test)):
        assert (split.samples.dtype, split.labels.dtype) == (np.float32, np.int64)
        assert np.array_equal(split.samples[:, :, 0], images[chosen])
        assert np.array_equal(split.labels, labels[chosen])


def test_the_test_split_does_not_depend_on_the_other_settings() -> None:
    other = load_data(DigitsData(name="digits", validation=0.3, augment=0))
    assert np.array_equal(other.test.samples, load_data(DIGITS).test.samples)


def test_the_permutation_is_one_for_all_samples() -> None:
    plain, shuffled = load_data(DIGITS), load_data(DigitsData(name="digits", permute=True))
    order = [int(i) for i in np.lexsort(plain.test.samples[:, :, 0])]
    permuted = [int(i) for i in np.lexsort(shuffled.test.samples[:, :, 0])]
    assert order != list(range(64))
    assert np.array_equal(plain.test.samples[:, order], shuffled.test.samples[:, permuted])
    assert not np.array_equal(plain.test.samples, shuffled.test.samples)


def test_augmentation_moves_the_image_and_not_the_order() -> None:
    """With a permutation the image is put back in order, moved, and permuted again."""
    samples = torch.from_numpy(load_data(DIGITS).train.samples[:32])
    shuffled = load_data(DigitsData(name="digits", permute=True))
    moved, labels = load_data(DIGITS).augment(samples, NO_LABELS, torch.Generator().manual_seed(3))
    also_moved, _ = shuffled.augment(torch.from_numpy(shuffled.train.samples[:32]), NO_LABELS, torch.Generator().manual_seed(3))
    assert sorted(moved[0].flatten().tolist()) == sorted(also_moved[0].flatten().tolist())
    assert moved.shape == samples.shape
    assert labels is NO_LABELS
    assert not torch.equal(moved, samples)
    assert moved.min() >= 0
    assert moved.max() <= 16
    assert torch.equal(moved, moved.round())


def test_no_strength_is_the_identity_and_a_small_one_nearly_is() -> None:
    images = torch.rand(5, 8, 8)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(random_affine(images, 0, generator), images)
    assert (random_affine(images, 1e-4, generator) - images).abs().max() < 0.01
