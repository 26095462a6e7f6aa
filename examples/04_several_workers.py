"""A student trained by several workers: machines, or processes on one of them.

The teacher first, on one machine; then on every worker the same, each with its index:

Run: python examples/04_several_workers.py teacher FOLDER
     TF_CONFIG='{"cluster": {"worker": ["localhost:12345", "localhost:12346"]},
                 "task": {"type": "worker", "index": 0}}' \
     python examples/04_several_workers.py student FOLDER

FOLDER is on a disk that all workers see. Without TF_CONFIG there is one worker. Killed,
and started again on all workers, training goes on after the last whole epoch.
"""

import sys
from pathlib import Path

import keras
import tensorflow as tf

import keras_kd
from keras_kd import data, students
from keras_kd.distiller import worker_folder

BATCH_SIZE = 64  # of all workers together; each takes its share of every batch


def train_teacher(folder):
    keras.utils.set_random_seed(0)
    digits = data.load("digits")
    teacher = students.convnet(digits.input_shape, digits.num_classes, width=32)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher.compile("adam", loss)
    teacher.fit(*digits.train.arrays(), epochs=10, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    teacher.save(folder / "teacher.keras")


def train_student(folder):
    # Before anything else that TensorFlow does.
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    # The same on all workers, so that they shuffle in the same order.
    keras.utils.set_random_seed(0)
    digits = data.load("digits")
    with strategy.scope():
        teacher = keras.models.load_model(folder / "teacher.keras")
        student = students.convnet(digits.input_shape, digits.num_classes, width=8)
        distiller = keras_kd.Distiller(teacher, student, alpha=0.1, temperature=4.0)
        distiller.compile(keras.optimizers.Adam(0.005), metrics=["accuracy"])
    # All workers write, as TensorFlow asks; what the chief writes is kept.
    out = worker_folder(strategy, folder / "out")
    distiller.fit(
        digits.train.batches(BATCH_SIZE, shuffle_seed=0),
        epochs=12,
        shuffle=False,
        callbacks=[keras.callbacks.BackupAndRestore(out / "backup")],
        verbose=0,
    )
    distiller.student.save(out / "student.keras")
    test = digits.test.batches(BATCH_SIZE)
    accuracy = distiller.evaluate(test, verbose=0, return_dict=True)["accuracy"]
    print(f"student: {accuracy:.3f}")


if __name__ == "__main__":
    train = {"teacher": train_teacher, "student": train_student}[sys.argv[1]]
    train(Path(sys.argv[2]))
