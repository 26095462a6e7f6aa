"""Models, photos and files of the size that people have, for the tests of every room.

Trained weights cannot be had without a network. Those here are random, with the
statistics of the photos in their BatchNormalization, so that answers differ from photo
to photo.
"""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image, ImageDraw
from PIL.Image import Resampling

import keras_kd
from keras_kd.export import convert

CLASSES = 1000
PIXELS = 96
TOKENS = 512
VOCABULARY = 20_000


def draw_photos(root, classes=CLASSES, *, pixels=224, seed=0):
    """JPEG files as `root/train/CLASS/0.jpg`: blots of colour, and one ellipse."""
    generator = np.random.default_rng(seed)
    for number in range(classes):
        blots = generator.integers(0, 256, (7, 7, 3), "uint8")
        photo = Image.fromarray(blots).resize((pixels, pixels), Resampling.BICUBIC)
        corner = generator.integers(0, pixels // 2, 2)
        box = [*corner, *corner + generator.integers(20, pixels // 2, 2)]
        colour = tuple(generator.integers(0, 256, 3).tolist())
        ImageDraw.Draw(photo).ellipse([int(side) for side in box], fill=colour)
        folder = root / "train" / f"class {number:04d}"
        folder.mkdir(parents=True)
        photo.save(folder / "0.jpg", quality=90)
    return root


def mobilenet(x, *, alpha=1.0, seed=0, activation=None):
    """MobileNetV2 for 1,000 classes, sure of something on images like `x`."""
    keras.utils.set_random_seed(seed)
    model = keras.applications.MobileNetV2(
        x.shape[1:],
        alpha,
        weights=None,
        classes=CLASSES,
        classifier_activation=activation,
        name=f"mobilenet_{seed}",
    )
    norms = [
        layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)
    ]
    for norm in norms:
        norm.momentum = 0.0
    model(x, training=True)
    for norm in norms:
        norm.momentum = 0.999
    head = model.layers[-1]
    head.kernel.assign(8.0 * head.kernel)
    return model


def dense_net():
    """A network of 50 MB: 12.6 million weights in three layers."""
    keras.utils.set_random_seed(0)
    stack = [
        keras.Input((3600,)),
        layers.Dense(3450, activation="relu", name="wide"),
        layers.Dense(40, activation="relu", name="narrow"),
        layers.Dense(10, name="scores"),
    ]
    return keras.Sequential(stack, name="dense_net")


def text_net(width, *, length=TOKENS, seed=0, name="text_net"):
    """A classifier of texts padded by zeros, which are masked; None for any length."""
    keras.utils.set_random_seed(seed)
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    x = layers.Embedding(VOCABULARY, width, mask_zero=True, name="embedding")(tokens)
    x = layers.Add()([x, layers.MultiHeadAttention(2, width // 2)(x, x)])
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="pooled")(x)
    return keras.Model(tokens, layers.Dense(CLASSES, name="scores")(x), name=name)


def texts(count, *, seed=0):
    """Int32 `(count, 512)`: 16 to 512 tokens each, then zeros; and the lengths."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(16, TOKENS + 1, count)
    tokens = generator.integers(1, VOCABULARY, (count, TOKENS)).astype("int32")
    return np.where(np.arange(TOKENS) < lengths[:, None], tokens, 0), lengths


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory):
    """A folder of 1,000 classes with a photo of 224 x 224 pixels each."""
    return draw_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="session")
def photos(photo_folder):
    """The `DataSet` of the photos as they are."""
    return keras_kd.data.load(f"folder:{photo_folder}")


@pytest.fixture(scope="session")
def small_photos(photo_folder):
    """The `DataSet` of the photos at 96 x 96 pixels."""
    return keras_kd.data.load(f"folder:{photo_folder}", image_size=(PIXELS, PIXELS))


@pytest.fixture(scope="session")
def images(small_photos):
    """64 photos at 96 x 96 pixels, to be read only: `x`, and their classes `y`."""
    x, y = next(small_photos.train.batches(64).as_numpy_iterator())
    x.flags.writeable = False
    return x, y


@pytest.fixture(scope="session")
def mobilenet_v2(images):
    """MobileNetV2 of 3.5 million weights, 96 x 96 pixels, 1,000 logits."""
    return mobilenet(images[0])


@pytest.fixture(scope="session")
def small_mobilenet(images):
    """MobileNetV2 of the least published width, 1.7 million weights."""
    return mobilenet(images[0], alpha=0.35, seed=9)


@pytest.fixture(scope="session")
def mobilenet_file(mobilenet_v2, images, tmp_path_factory):
    """A function from a precision to the `Path` of MobileNetV2's file, made once."""
    return _files(mobilenet_v2, images[0], tmp_path_factory.mktemp("mobilenet_v2"))


@pytest.fixture(scope="session")
def dense_file(tmp_path_factory):
    """The same for the network of 50 MB."""
    x = np.random.default_rng(0).normal(size=(32, 3600)).astype("float32")
    return _files(dense_net(), x, tmp_path_factory.mktemp("dense_net"))


def _files(model, examples, folder):
    def file(precision):
        path = folder / f"{precision}.tflite"
        if not path.exists():
            convert(model, path, precision=precision, calibration_data=examples)
        return path

    return file
