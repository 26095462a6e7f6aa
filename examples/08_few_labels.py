"""A tenth of the labels, and all images: what a teacher of few labels is good for.

The teacher learns from 100 labelled digits. The student, a tenth of its size, learns
from the teacher's answers to all images, whose labels nobody needs to know. In full,
with seeds and intervals: benchmarks/claims/less_data.py.

Run: python examples/08_few_labels.py
"""

import keras

import keras_kd
from keras_kd import data, students

LABELLED = 100

keras.utils.set_random_seed(0)
digits = data.load("digits")
x, y = digits.train.arrays()
x_test, y_test = digits.test.arrays()
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(width):
    return students.convnet(digits.input_shape, digits.num_classes, width=width)


def adam(steps):
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, steps))


def report(name, model):
    accuracy = (model.predict(x_test, verbose=0).argmax(-1) == y_test).mean()
    print(f"{name:28} {model.count_params():6,} weights  {accuracy:.1%}")


few = {"x": x[:LABELLED], "y": y[:LABELLED], "verbose": 0}
teacher = network(16)
teacher.compile(adam(400), loss)
teacher.fit(epochs=100, **few)
report("teacher, 100 labels", teacher)

alone = network(5)
alone.compile(adam(1200), loss)
alone.fit(epochs=300, **few)
report("student, 100 labels alone", alone)

student = network(5)
distiller = keras_kd.Distiller(teacher, student, alpha=0, temperature=4.0)
distiller.compile(adam(1240))
distiller.fit(x, epochs=40, verbose=0)
report("student, images and teacher", student)
