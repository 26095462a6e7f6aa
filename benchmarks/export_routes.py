"""Which way to make a file of each precision: size, loss and time of every one.

For trained students of digits (a plain convolutional net) and, with --data, of images
(the same, and one of depthwise-separable convolutions), each way is measured on the
test part: accuracy, how often it chooses the Keras model's class, the root mean square
of the logits' error beside their standard deviation, and its time here beside that of
the float32 file, in turn, as a ratio of medians of 7 rounds.

Run: python benchmarks/export_routes.py [--data folder:PATH] [--out benchmarks/results]
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from _export_recipes import OTHERS, TAKEN
from keras import layers

from keras_kd._files import write_json
from keras_kd.benchmark.host import describe_machine
from keras_kd.data import load
from keras_kd.export import LiteRtModel, accuracy, convert
from keras_kd.export.manifest import versions
from keras_kd.students import convnet

ROUNDS, RUNS = 7, 30


def main():
    """Measures, writes export_routes.json and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="images, such as folder:PATH")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    results = {
        "machine": describe_machine(),
        "versions": versions(),
        "students": {
            name: _measured(name, student, dataset)
            for name, student, dataset in _students(options)
        },
    }
    write_json(options.out / "export_routes.json", results)
    print("\n".join(table(results)))


def table(results):
    """The Markdown lines of the result file."""
    lines = [
        "| student | precision | way | kB | accuracy | as Keras | error | time |",
        "|---|---|---|--:|--:|--:|--:|--:|",
    ]
    for student, rows in results["students"].items():
        for row in rows:
            way = f"**{row['way']}**" if row["taken"] else row["way"]
            cells = [
                student,
                row["precision"],
                way,
                f"{row['size_bytes'] / 1000:.1f}",
                f"{row['accuracy']:.1%}",
                f"{row['keras_agreement']:.1%}",
                f"{row['relative_error']:.3f}",
                f"{row['time_to_float32']['median']:.2f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _students(options):
    """`(name, trained model, dataset)` of each."""
    digits = load("digits")
    model = convnet(digits.input_shape, digits.num_classes, width=8)
    yield "digits, plain", _trained(model, digits, 15), digits
    if options.data:
        images = load(options.data)
        shape, classes = images.input_shape, images.num_classes
        plain = convnet(shape, classes, width=16, blocks=3)
        yield "images, plain", _trained(plain, images, options.epochs), images
        separable = _separable(shape, classes)
        yield "images, separable", _trained(separable, images, options.epochs), images


def _separable(shape, classes, width=24):
    inputs = keras.Input(shape, name="image")
    x = _block(layers.Conv2D(width, 3, padding="same", use_bias=False), inputs)
    for channels, strides in ((2, 2), (2, 1), (4, 2), (4, 1)):
        depthwise = layers.DepthwiseConv2D(
            3, strides=strides, padding="same", use_bias=False
        )
        x = _block(depthwise, x)
        x = _block(layers.Conv2D(channels * width, 1, use_bias=False), x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(64, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="separable")


def _block(layer, x):
    x = layers.BatchNormalization(momentum=0.9)(layer(x))
    return layers.ReLU(6.0)(x)


def _trained(model, dataset, epochs):
    keras.utils.set_random_seed(0)
    batches = dataset.train.batches(32, shuffle_seed=0)
    steps = epochs * -(-len(dataset.train) // 32)
    decay = keras.optimizers.schedules.CosineDecay(0.003, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(decay), loss)
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    return model


def _measured(name, model, dataset):
    """The rows of one student."""
    examples = dataset.train.arrays()[0][:200]
    x, y = dataset.test.arrays()
    expected = model.predict(x, verbose=0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "float32.tflite")
        for precision, way in TAKEN.items():
            path = plain.with_stem(precision)
            convert(model, path, precision=precision, calibration_data=examples)
            paths = {way: path}
            for other, make in OTHERS.get(precision, {}).items():
                paths[other] = plain.with_stem(f"{precision}-{len(paths)}")
                paths[other].write_bytes(make(model, plain.read_bytes(), examples))
            for label, path in paths.items():
                row = {"precision": precision, "way": label, "taken": label == way}
                rows.append(row | _scores(path, x, y, expected) | _time(path, plain))
                print(name, rows[-1], flush=True)
    return rows


def _scores(path, x, y, expected):
    given = LiteRtModel(path)(x)
    error = np.sqrt(np.mean((given - expected) ** 2)) / expected.std()
    chosen = given.argmax(axis=-1)
    score = accuracy(chosen, y)
    return {
        "size_bytes": path.stat().st_size,
        "accuracy": score.value,
        "accuracy_ci95": score.ci95,
        "keras_agreement": float(np.mean(chosen == expected.argmax(axis=-1))),
        "relative_error": float(error),
    }


def _time(path, plain):
    """How long it takes beside the float32 file, the two in turn."""
    contestants = [LiteRtModel(path).interpreter, LiteRtModel(plain).interpreter]
    rounds = []
    for _ in range(ROUNDS + 1):
        times = []
        for interpreter in contestants:
            start = time.perf_counter()
            for _ in range(RUNS):
                interpreter.invoke()
            times.append(time.perf_counter() - start)
        rounds.append(times)
    ours, theirs = np.array(rounds[1:]).T  # the first round is the warm-up
    return {
        "time_to_float32": {
            "median": float(np.median(ours) / np.median(theirs)),
            "minimum": float(ours.min() / theirs.min()),
        }
    }


if __name__ == "__main__":
    main()
