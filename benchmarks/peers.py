"""Ours beside other ways to distil: accuracy and time of the same task in one run.

The same teacher, the same student from the same weights, the same batches in the same
order, temperature 4 and a weight of 0.1 for the labels:

- ours:          keras_kd.Distiller
- keras_default: keras.distillation.Distiller with LogitsDistillation as it comes, whose
                 loss "kl_divergence" is applied to logits
- keras_kl:      the same with loss=keras.losses.KLDivergence(), as it should be written
- website:       the method of the example on Keras's website: a model whose
                 `compute_loss` asks the teacher and adds T² · KL
- pytorch:       a plain loop in PyTorch, where --torch names a Python that has it
- labels:        the student without a teacher

One repeat is one seed; contestants take turns. The first epoch, in which graphs are
traced, is not timed.

Run: python benchmarks/peers.py [--torch PYTHON] [--out benchmarks/results]
"""

import argparse
import json
import platform
import subprocess
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from _peers_table import table

import keras_kd
from keras_kd._files import write_json
from keras_kd.benchmark.host import describe_machine
from keras_kd.data import load
from keras_kd.students import convnet

TEMPERATURE, ALPHA = 4.0, 0.1
BATCH_SIZE, EPOCHS, RATE = 32, 30, 0.01
TEACHER_WIDTH, STUDENT_WIDTH = 32, 4


def hard_loss():
    """Cross-entropy of logits."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class WebsiteDistiller(keras.Model):
    """The method of https://keras.io/examples/vision/knowledge_distillation/."""

    def __init__(self, teacher, student):
        super().__init__()
        self.teacher, self.student = teacher, student
        self.hard, self.soft = hard_loss(), keras.losses.KLDivergence()
        teacher.trainable = False

    def call(self, x, training=None):
        """The student's logits."""
        return self.student(x, training=training)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Labels and the softened teacher."""
        said = self.teacher(x, training=False)
        soft = self.soft(
            keras.ops.softmax(said / TEMPERATURE),
            keras.ops.softmax(y_pred / TEMPERATURE),
        )
        return ALPHA * self.hard(y, y_pred) + (1 - ALPHA) * TEMPERATURE**2 * soft


def _keras_distiller(loss):
    def make(teacher, student):
        return keras.distillation.Distiller(
            teacher,
            student,
            keras.distillation.LogitsDistillation(TEMPERATURE, **loss),
            student_loss_weight=ALPHA,
        )

    return make


def _ours(teacher, student):
    return keras_kd.Distiller(teacher, student, alpha=ALPHA, temperature=TEMPERATURE)


MAKERS = {
    "ours": _ours,
    "keras_default": _keras_distiller({}),
    "keras_kl": _keras_distiller({"loss": keras.losses.KLDivergence()}),
    "website": WebsiteDistiller,
    "labels": lambda teacher, student: student,
}


class Bench:
    """What all contestants share.

    Args:
        epochs: int.
        teacher_epochs: int.
    """

    def __init__(self, epochs, teacher_epochs):
        self.data, self.epochs = load("digits"), epochs
        shape, classes = self.data.input_shape, self.data.num_classes
        self.teacher = convnet(shape, classes, width=TEACHER_WIDTH)
        self.teacher.compile(keras.optimizers.Adam(3e-3), hard_loss())
        x, y = self.data.train.arrays()
        self.teacher.fit(x, y, batch_size=32, epochs=teacher_epochs, verbose=0)
        self.steps = len(y) // BATCH_SIZE

    def student(self, seed):
        """The student with the weights of a seed."""
        keras.utils.set_random_seed(seed)
        shape, classes = self.data.input_shape, self.data.num_classes
        return convnet(shape, classes, width=STUDENT_WIDTH)

    def order(self, seed):
        """Rows of the training part, `(epochs * steps * batch,)`."""
        generator = np.random.default_rng(seed)
        rows = np.arange(len(self.data.train))
        length = self.steps * BATCH_SIZE
        return np.concatenate(
            [generator.permutation(rows)[:length] for _ in range(self.epochs)]
        )

    def accuracy(self, logits):
        """The share of test examples that logits are right on."""
        return float(np.mean(logits.argmax(-1) == self.data.test.arrays()[1]))

    def run(self, make, seed):
        """Trains one contestant: milliseconds a step and test accuracy."""
        student, seconds = self.trained(make, seed)
        logits = student(self.data.test.arrays()[0], training=False).numpy()
        steps = self.steps * (self.epochs - 1)
        return {"ms_per_step": 1e3 * seconds / steps, "test": self.accuracy(logits)}

    def trained(self, make, seed):
        """The student of one contestant, and the seconds after its first epoch."""
        student = self.student(seed)
        model = make(self.teacher, student)
        loss = None if make in (_ours, WebsiteDistiller) else hard_loss()
        model.compile(keras.optimizers.Adam(RATE), loss)
        x, y = self.data.train.arrays()
        rows = self.order(seed)
        options = tf.data.Options()
        options.autotune.enabled = False
        batches = tf.data.Dataset.from_tensor_slices((x[rows], y[rows]))
        batches = batches.batch(BATCH_SIZE).prefetch(2).with_options(options)
        fit = {"verbose": 0, "shuffle": False}
        model.fit(batches.take(self.steps), **fit)
        rest = batches.skip(self.steps)
        start = time.perf_counter()
        model.fit(rest, **fit)
        return student, time.perf_counter() - start


class Torch:
    """A Python with PyTorch that trains when it is told to.

    Args:
        python: str, its program.
        bench: `Bench`.
        folder: `Path`, for what is handed over.
    """

    def __init__(self, python, bench, folder):
        self.bench, self.folder = bench, folder
        x, y = bench.data.train.arrays()
        arrays = {"x": x, "y": y, "test": bench.data.test.arrays()[0]}
        np.savez(folder / "data.npz", **arrays, **_weights("teacher", bench.teacher))
        settings = {
            "batch": BATCH_SIZE,
            "steps": bench.steps,
            "temperature": TEMPERATURE,
            "alpha": ALPHA,
            "rate": RATE,
        }
        program = Path(__file__).with_name("_peers_torch.py")
        self.process = subprocess.Popen(
            [python, program, folder, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version = self.process.stdout.readline().strip()

    def run(self, seed):
        """As `Bench.run`."""
        student = self.bench.student(seed)
        path = self.folder / "seed.npz"
        np.savez(path, rows=self.bench.order(seed), **_weights("student", student))
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        logits = np.load(self.folder / "logits.npy")
        accuracy = self.bench.accuracy(logits)
        return {"ms_per_step": said["ms_per_step"], "test": accuracy}

    def close(self):
        """Ends the program."""
        self.process.stdin.close()
        self.process.wait(60)


def _weights(prefix, model):
    """The weights of a model, by a number that sorts as the layers do."""
    weights = model.get_weights()
    return {f"{prefix}_{number:02d}": one for number, one in enumerate(weights)}


def measure(repeats, epochs, teacher_epochs, torch=None):
    """Every contestant in turn, a seed a repeat; the first repeat warms up.

    Returns:
        A dict of name to dict of lists, and PyTorch's version or None.
    """
    keras.utils.set_random_seed(0)
    bench, found = Bench(epochs, teacher_epochs), {}
    runs = {
        name: lambda seed, make=make: bench.run(make, seed)
        for name, make in MAKERS.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        other = torch and Torch(torch, bench, Path(folder))
        if other:
            runs["pytorch"] = other.run
        for seed in range(repeats + 1):
            for name, run in runs.items():
                result = run(seed)
                print(name, seed, result, flush=True)
                if seed:
                    for key, value in result.items():
                        found.setdefault(name, {}).setdefault(key, []).append(value)
        if other:
            other.close()
    teacher = bench.teacher(bench.data.test.arrays()[0], training=False).numpy()
    found["teacher"] = {"test": [bench.accuracy(teacher)]}
    return found, other and other.version


def main():
    """Measures, prints and writes the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--torch", help="a Python that has PyTorch")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    found, version = measure(options.repeats, options.epochs, 30, options.torch)
    results = {
        "values": found,
        "set_up": {
            "epochs": options.epochs,
            "batch_size": BATCH_SIZE,
            "learning_rate": RATE,
            "machine": describe_machine(),
            "python": platform.python_version(),
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "torch": version,
        },
    }
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "peers.json", results)
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
