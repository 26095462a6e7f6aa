"""From a teacher to a .tflite file on real digits: the whole API in one page.

Run: python examples/01_digits.py [FOLDER]
"""

import sys
from pathlib import Path

import keras

import keras_kd
from keras_kd import benchmark, data, export, students

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example")
folder.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)

digits = data.load("digits")
train = digits.train.batches(32, shuffle_seed=0)
validation = digits.validation.batches(256)

# Any trained Keras classifier can be the teacher.
teacher = students.convnet(digits.input_shape, digits.num_classes, width=32)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
teacher.compile("adam", loss, metrics=["accuracy"])
teacher.fit(train, validation_data=validation, epochs=10, shuffle=False, verbose=2)

student = students.convnet(digits.input_shape, digits.num_classes, width=8)
distiller = keras_kd.Distiller(teacher, student, alpha=0.1, temperature=4.0)
distiller.compile(keras.optimizers.Adam(0.005), metrics=["accuracy"])
distiller.fit(train, validation_data=validation, epochs=20, shuffle=False, verbose=2)

path = folder / "student.tflite"
export.convert(student, path, precision="int8", calibration_data=digits.train)
print(export.verify(path, student, digits.test))
print(benchmark.measure(path))
