"""What temperature does to the soft targets, and to the student.

In full, with alpha, seeds and intervals: benchmarks/claims/temperature.py.

Run: python examples/09_temperature.py
"""

import keras

import keras_kd
from keras_kd import data, explain, students

keras.utils.set_random_seed(0)
digits = data.load("digits")
x, y = digits.train.arrays()
x_test, y_test = digits.test.arrays()


def adam(epochs):
    steps = epochs * -(-len(x) // 32)
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, steps))


def accuracy(model):
    return (model.predict(x_test, verbose=0).argmax(-1) == y_test).mean()


teacher = students.convnet(digits.input_shape, digits.num_classes, width=16)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
teacher.compile(adam(20), loss)
teacher.fit(x, y, epochs=20, verbose=0)
print(f"teacher: {accuracy(teacher):.1%}")

temperatures = (1.0, 4.0, 20.0)
logits = teacher.predict(x, verbose=0)
entropy = explain.soft_target_entropy(logits, temperatures).entropy_bits.mean(axis=1)
for temperature, bits in zip(temperatures, entropy, strict=True):
    keras.utils.set_random_seed(1)
    student = students.convnet(digits.input_shape, digits.num_classes, width=4)
    distiller = keras_kd.Distiller(teacher, student, temperature=temperature)
    distiller.compile(adam(30))
    distiller.fit(x, y, epochs=30, verbose=0)
    print(f"T = {temperature:4.0f}: {bits:.2f} bits, student {accuracy(student):.1%}")
