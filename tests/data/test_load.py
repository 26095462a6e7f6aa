"""Data sets by name: parts that never overlap, ids that stay, seeds that repeat."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

from keras_kd.data import load, random_crop, random_flip


@pytest.fixture
def image_folder(tmp_path):
    """40 training and 10 test images of two classes, as JPEG and PNG."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 5)):
        for label in ("cat", "dog"):
            folder = tmp_path / part / label
            folder.mkdir(parents=True)
            for number in range(count):
                image = generator.integers(0, 255, (12, 10, 3), dtype="uint8")
                suffix = "png" if number % 2 else "jpg"
                keras.utils.save_img(folder / f"{number:02d}.{suffix}", image)
    return tmp_path


@pytest.fixture
def tiny_digits(tmp_path, monkeypatch):
    from tests.data.tiny_digits import TinyDigits

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path))
    return TinyDigits


def parts(dataset):
    return dataset.train, dataset.validation, dataset.test


def assert_no_overlap(dataset):
    ids = [part.ids() for part in parts(dataset)]
    for names, part in zip(ids, parts(dataset), strict=True):
        assert len(names) == len(part) == len(set(names))
    assert len(set().union(*ids)) == sum(map(len, ids))


def test_digits_are_scikit_learns_each_in_one_part(digits):
    x, y = load_digits(return_X_y=True)
    assert_no_overlap(digits)
    for part in parts(digits):
        images, labels = part.arrays()
        rows = [int(name.split("-")[1]) for name in part.ids()]
        np.testing.assert_allclose(images.reshape(-1, 64), x[rows] / 16.0, atol=1e-6)
        np.testing.assert_array_equal(labels, y[rows])
    assert sum(map(len, parts(digits))) == 1797


def test_splits_are_stratified_and_the_same_in_every_call(digits):
    again = load("digits")
    for one, other in zip(parts(digits), parts(again), strict=True):
        assert one.ids() == other.ids()
        counts = np.bincount(one.arrays()[1]) / len(one)
        np.testing.assert_allclose(counts, 0.1, atol=0.012)


def test_shuffling_is_seeded_and_new_in_each_epoch(digits):
    def epochs(seed):
        batches = digits.train.batches(1000, shuffle_seed=seed)
        return [next(batches.as_numpy_iterator())[1] for _ in range(1)] + [
            y for _, y in batches.as_numpy_iterator()
        ]

    np.testing.assert_array_equal(epochs(3)[0], epochs(3)[0])
    assert (epochs(3)[0] != epochs(4)[0]).any()
    assert (epochs(3)[0] != epochs(3)[1]).any()


def test_augmentation_is_seeded_and_new_in_each_epoch(digits):
    def first(batches):
        return next(batches.as_numpy_iterator())[0]

    batches = digits.validation.batches(64, augment=random_crop(2))
    plain = first(digits.validation.batches(64))
    one, two = first(batches), first(batches)
    again = first(digits.validation.batches(64, augment=random_crop(2)))
    assert one.shape == plain.shape
    assert (one != plain).any()
    assert (one != two).any()
    np.testing.assert_array_equal(one, again)


def test_crop_is_a_window_of_the_padded_image():
    image = np.arange(16, dtype="float32").reshape(4, 4, 1) + 1
    windows = {
        np.pad(image, ((1, 1), (1, 1), (0, 0)))[i : i + 4, j : j + 4].tobytes()
        for i in range(3)
        for j in range(3)
    }
    seen = {
        random_crop(1)(tf.constant(image), tf.constant([0, n])).numpy().tobytes()
        for n in range(100)
    }
    assert seen == windows


def test_flip_mirrors_half_of_the_images():
    image = tf.reshape(tf.range(4.0), (1, 4, 1))
    flipped = [
        float(random_flip(image, tf.constant([0, n]))[0, 0, 0]) == 3 for n in range(200)
    ]
    assert 60 < sum(flipped) < 140


def test_unlabelled_batches_hold_inputs_alone(digits):
    (batch,) = digits.validation.batches(270, labels=False).as_numpy_iterator()
    assert batch.shape == (270, 8, 8, 1)


def test_folder_of_images(image_folder):
    dataset = load(f"folder:{image_folder}")
    assert dataset.class_names == ("cat", "dog")
    assert dataset.input_shape == (12, 10, 3)
    assert [len(part) for part in parts(dataset)] == [34, 6, 10]
    assert_no_overlap(dataset)
    for part in parts(dataset):
        x, y = part.arrays()
        names = [name.split("/")[1] for name in part.ids()]
        assert [dataset.class_names[label] for label in y] == names
        assert 0.9 < x.max() <= 1.0
    path = image_folder / dataset.test.ids()[0]
    expected = keras.utils.img_to_array(keras.utils.load_img(path)) / 255
    np.testing.assert_allclose(dataset.test.arrays()[0][0], expected, atol=0.02)


def test_images_of_many_sizes_need_a_size(image_folder):
    for number, side in enumerate((9, 17, 30)):
        image = np.full((side, side, 3), 128, "uint8")
        keras.utils.save_img(image_folder / "train" / "cat" / f"x{number}.png", image)
    for number in range(20):
        image = np.full((20 + number, 20, 3), 128, "uint8")
        keras.utils.save_img(image_folder / "train" / "dog" / f"y{number}.png", image)
    with pytest.raises(ValueError, match="image_size"):
        load(f"folder:{image_folder}")
    dataset = load(f"folder:{image_folder}", image_size=(8, 8))
    assert dataset.train.arrays()[0].shape[1:] == (8, 8, 3)


def test_data_set_of_tensorflow_datasets(tiny_digits):
    dataset = load("tfds:tiny_digits")
    assert dataset.input_shape == (8, 8, 1)
    assert [len(part) for part in parts(dataset)] == [85, 15, 40]
    assert_no_overlap(dataset)
    assert dataset.train.arrays()[0].max() == pytest.approx(240 / 255)


def read(examples):
    return list(examples.map(lambda item: (item["id"], item["x"])).as_numpy_iterator())


@pytest.mark.parametrize("source", ["digits", "folder", "tfds"])
def test_part_is_what_lies_there_in_the_whole(source, image_folder, tiny_digits):
    if source == "tfds":
        # Several files, which by default would be read alternately.
        config = tfds.download.DownloadConfig(num_shards=4)
        tfds.builder("tiny_digits").download_and_prepare(download_config=config)
    places = {"folder": f"folder:{image_folder}", "tfds": "tfds:tiny_digits"}
    dataset = load(places.get(source, source))
    for split in parts(dataset):
        start, stop = len(split) // 3, len(split) - 1
        whole, part = read(split.examples), read(split.part(start, stop))
        assert len(whole) == len(split)
        assert [name for name, _ in part] == [name for name, _ in whole[start:stop]]
        for (_, ours), (_, expected) in zip(part, whole[start:stop], strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_images_before_a_part_are_not_decoded(image_folder):
    train = load(f"folder:{image_folder}", image_size=(12, 10)).train
    (image_folder / train.ids()[0]).write_bytes(b"no image")
    assert len(read(train.part(1, len(train)))) == len(train) - 1
    with pytest.raises(tf.errors.InvalidArgumentError):
        read(train.examples)


def test_npz_tables_keep_their_scale_and_class_names(tmp_path):
    generator = np.random.default_rng(0)
    x = generator.normal(50, 10, (100, 4))
    y = np.array(["no", "yes"])[(x[:, 0] > 50).astype(int)]
    np.savez(tmp_path / "table.npz", x=x, y=y)
    dataset = load(f"npz:{tmp_path / 'table.npz'}")
    assert dataset.class_names == ("no", "yes")
    assert dataset.input_shape == (4,)
    assert_no_overlap(dataset)
    rows, labels = dataset.train.arrays()
    np.testing.assert_array_equal(labels, rows[:, 0] > 50)


def test_npz_numbers_stay_the_labels_also_with_gaps(tmp_path):
    y = np.repeat([0, 3], 30)
    np.savez(tmp_path / "gap.npz", x=np.zeros((60, 2)), y=y)
    dataset = load(f"npz:{tmp_path / 'gap.npz'}")
    assert dataset.num_classes == 4
    assert set(dataset.train.arrays()[1]) == {0, 3}


def test_npz_bytes_are_images_in_0_to_1(tmp_path):
    x = np.full((60, 4, 4, 1), 255, "uint8")
    np.savez(tmp_path / "images.npz", x=x, y=np.arange(60) % 2)
    assert load(f"npz:{tmp_path / 'images.npz'}").train.arrays()[0].max() == 1.0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digit", 'Did you mean "digits"'),
        ("digits:x", "after the colon"),
        ("folder", "after the colon"),
        ("folder:/does/not/exist", "train/CLASS/image.jpg"),
        ("npz:/does/not/exist.npz", "numpy.savez"),
        ("tfds:mnis", "Did you mean"),
    ],
)
def test_unusable_names_say_what_to_do(name, message):
    with pytest.raises(ValueError, match=message):
        load(name)


def test_unusable_npz_files_say_what_to_do(tmp_path):
    path = tmp_path / "bad.npz"
    for arrays, message in (
        ({"x": np.zeros((9, 2))}, "arrays x and y"),
        ({"x": np.zeros((9, 2)), "y": np.zeros(8)}, "one label for each row"),
        ({"x": np.full((9, 2), np.nan), "y": np.zeros(9, int)}, "finite x"),
        ({"x": np.zeros((3, 2)), "y": np.arange(3)}, "enough examples"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0, int)}, "n above 0"),
        ({"x": np.full((9, 2), "a"), "y": np.zeros(9, int)}, "numbers in x"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match=message):
            load(f"npz:{path}")
    for content in (b"no zip file", b""):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"numpy\.savez"):
            load(f"npz:{path}")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"numpy\.savez"):
        load(f"npz:{tmp_path / 'one.npy'}")


def test_npz_images_without_channels_cannot_be_resized(tmp_path):
    path = tmp_path / "grey.npz"
    np.savez(path, x=np.zeros((60, 28, 28)), y=np.arange(60) % 2)
    with pytest.raises(ValueError, match="axis of channels"):
        load(f"npz:{path}", image_size=(32, 32))


def test_large_numbers_as_labels_are_names(tmp_path):
    path = tmp_path / "codes.npz"
    np.savez(path, x=np.zeros((60, 2)), y=np.repeat([7, 3_000_000], 30))
    assert load(f"npz:{path}").class_names == ("7", "3000000")


def test_tables_are_not_augmented(tmp_path):
    path = tmp_path / "table.npz"
    np.savez(path, x=np.zeros((60, 2)), y=np.arange(60) % 2)
    with pytest.raises(ValueError, match="Leave out `augment`"):
        load(f"npz:{path}").train.batches(8, augment=random_crop(1))


def test_folder_that_mixes_grey_and_colour_is_read_in_colour(image_folder):
    grey = np.full((12, 10, 1), 128, "uint8")
    for number in range(3):
        keras.utils.save_img(image_folder / "train" / "cat" / f"g{number}.png", grey)
    dataset = load(f"folder:{image_folder}")
    assert dataset.input_shape == (12, 10, 3)
    assert dataset.train.arrays()[0].shape[1:] == (12, 10, 3)
