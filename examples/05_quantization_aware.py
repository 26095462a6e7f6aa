"""A student for a microcontroller: checked first, 4-bit weights in the end.

Run: python examples/05_quantization_aware.py [FOLDER]
"""

import sys
from pathlib import Path

import keras

import keras_kd
from keras_kd import data, export, students

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/quantization_aware")
folder.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)

digits = data.load("digits")
train = digits.train.batches(32, shuffle_seed=0)
validation = digits.validation.batches(256)
student = students.convnet(digits.input_shape, digits.num_classes, width=8)

# Before any training: will it run there?
check = export.check_deployable(student, target="microcontroller", ram_bytes=32_000)
check.raise_if_not_ok()
print(f"arena: at most {check.inspection.micro_arena_bytes} bytes")

teacher = students.convnet(digits.input_shape, digits.num_classes, width=32)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
teacher.compile("adam", loss)
teacher.fit(train, epochs=10, shuffle=False, verbose=0)


def distil(learner, learning_rate, epochs):
    """Trains a student from the teacher, whatever it computes with."""
    distiller = keras_kd.Distiller(teacher, learner, alpha=0.1, temperature=4.0)
    distiller.compile(keras.optimizers.Adam(learning_rate), metrics=["accuracy"])
    distiller.fit(train, epochs=epochs, shuffle=False, verbose=0)


distil(student, learning_rate=0.005, epochs=20)
learner = export.quantization_aware(student, weights_bits=4)
distil(learner, learning_rate=0.001, epochs=10)

# The ranges are trained: no calibration data.
path = folder / "student.tflite"
export.convert(learner, path, precision="int4_weights", labels=digits.class_names)
print(export.verify(path, learner, digits.test, fail_below=0.9))
header, source = export.write_c_array(path, folder)
print(f"for firmware: {header.name}, {source.name}")
