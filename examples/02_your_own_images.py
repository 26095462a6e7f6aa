"""Distil on your own images, or on a data set of tensorflow-datasets.

Run: python examples/02_your_own_images.py folder:PATH --size 64
     python examples/02_your_own_images.py tfds:cifar10

A folder holds PATH/train/CLASS/image.jpg; validation and test parts are taken from it
unless PATH/validation and PATH/test exist.
"""

import argparse
from pathlib import Path

import keras

import keras_kd
from keras_kd import data, export, students

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("name", help="folder:PATH, tfds:NAME or npz:PATH")
parser.add_argument("--size", type=int, help="resize images to SIZE x SIZE pixels")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--out", type=Path, default=Path("runs/own_images"))
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)

size = (options.size, options.size) if options.size else None
images = data.load(options.name, image_size=size)
padding = max(1, images.input_shape[0] // 8)
train = images.train.batches(
    64, shuffle_seed=0, augment=[data.random_crop(padding), data.random_flip]
)
validation = images.validation.batches(256)
print(f"{len(images.train)} images {images.input_shape}, classes {images.class_names}")


def fit(model, title):
    """Trains and keeps the epoch that does best on validation data."""
    print(title)
    best = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=5, restore_best_weights=True
    )
    model.fit(
        train,
        validation_data=validation,
        epochs=options.epochs,
        callbacks=[best],
        shuffle=False,
        verbose=2,
    )


# Put your own trained model here: keras.models.load_model("teacher.keras").
teacher = students.convnet(images.input_shape, images.num_classes, width=32, blocks=3)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
teacher.compile("adam", loss, metrics=["accuracy"])
fit(teacher, "Teacher")

student = students.convnet(images.input_shape, images.num_classes, width=8, blocks=3)
distiller = keras_kd.Distiller(teacher, student, alpha=0.1, temperature=4.0)
distiller.compile("adam", metrics=["accuracy"])
fit(distiller, "Student")

student.save(options.out / "student.keras")
for precision in ("float16", "int8"):
    path = options.out / f"student-{precision}.tflite"
    manifest = export.convert(
        student,
        path,
        precision=precision,
        calibration_data=images.train,
        labels=images.class_names,
    )
    score = export.verify(path, student, images.test)
    print(f"{path}: {manifest.size_bytes} bytes, accuracy {score.accuracy:.3f}")
