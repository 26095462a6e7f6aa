"""A folder of 1,000 classes of 224 pixel photos."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_kd
from tests.real_size import CLASSES


def resident_bytes():
    """The memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def pixels(folder, id_, **options):
    """A photo as pillow reads it, in [0, 1]."""
    photo = Image.open(folder / id_)
    if options:
        photo = photo.resize(**options)
    return np.asarray(photo, "float32") / 255


def test_photos_are_those_of_the_files(photos, photo_folder):
    assert photos.num_classes == CLASSES
    assert photos.input_shape == (224, 224, 3)
    assert [len(part) for part in (photos.train, photos.validation, photos.test)] == [
        550,
        150,
        300,
    ]
    for one in photos.validation.part(100, 103).as_numpy_iterator():
        id_ = one["id"].decode()
        assert Path(id_).parent.name == photos.class_names[one["y"]]
        # Two JPEG decoders differ by a few steps.
        np.testing.assert_allclose(one["x"], pixels(photo_folder, id_), atol=6 / 255)


def test_resized_photos_are_those_of_pillow(small_photos, photo_folder):
    for one in small_photos.validation.part(40, 43).as_numpy_iterator():
        expected = pixels(
            photo_folder,
            one["id"].decode(),
            size=(96, 96),
            resample=Image.Resampling.BILINEAR,
        )
        np.testing.assert_allclose(one["x"], expected, atol=6 / 255)


@pytest.mark.slow
def test_parts_share_no_photo_and_stay_the_same(photos, photo_folder):
    parts = photos.train, photos.validation, photos.test
    ids = [part.ids() for part in parts]
    everything = list(itertools.chain(*ids))
    assert sorted(everything) == [
        f"train/class {number:04d}/0.jpg" for number in range(CLASSES)
    ]
    again = keras_kd.data.load(f"folder:{photo_folder}", image_size=(32, 32))
    assert again.train.ids() == ids[0]


@pytest.mark.slow
def test_shuffled_epochs_show_every_photo_once_and_each_with_its_class(photos):
    batches = photos.validation.batches(40, shuffle_seed=3, ids=True)
    order = photos.validation.arrays()[1]
    epochs = []
    for _ in range(2):
        pairs = [(x.ids, y) for x, y in batches.as_numpy_iterator()]
        numbers, y = (np.concatenate(values) for values in zip(*pairs, strict=True))
        np.testing.assert_array_equal(np.sort(numbers), np.arange(150))
        np.testing.assert_array_equal(y, order[numbers])
        epochs.append(numbers)
    assert (epochs[0] != epochs[1]).any()


@pytest.mark.slow
def test_crops_are_windows_of_the_padded_photo(photos):
    padding = 16
    plain = next(photos.validation.batches(8).as_numpy_iterator())[0]
    cropped = photos.validation.batches(8, augment=keras_kd.data.random_crop(padding))
    shifts = set()
    for image, crop in zip(plain, next(iter(cropped))[0].numpy(), strict=True):
        padded = np.pad(image, [(padding,) * 2, (padding,) * 2, (0, 0)])
        found = [
            (top, left)
            for top in range(2 * padding + 1)
            for left in range(2 * padding + 1)
            if np.array_equal(padded[top : top + 224, left : left + 224], crop)
        ]
        assert len(found) == 1
        shifts.update(found)
    assert len(shifts) > 4


@pytest.mark.slow
def test_memory_holds_a_few_batches_and_not_the_photos(photos):
    as_floats = 550 * 224 * 224 * 3 * 4
    iterator = iter(photos.train.batches(16))
    next(iterator)
    start = resident_bytes()
    most = max(resident_bytes() for _ in iterator)
    assert most - start < as_floats / 4
