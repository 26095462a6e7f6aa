"""A student that never sees a 3 learns from its teacher what a 3 is.

Hinton et al., 2015, section 3, https://arxiv.org/abs/1503.02531. In full, with seeds
and intervals: benchmarks/claims/missing_class.py.

Run: python examples/07_a_class_never_shown.py
"""

import keras
import numpy as np

import keras_kd
from keras_kd import data, students

MISSING = 3

keras.utils.set_random_seed(0)
digits = data.load("digits")
x, y = digits.train.arrays()
x_validation, y_validation = digits.validation.arrays()
x_test, y_test = digits.test.arrays()
shown = x[y != MISSING]


def adam(examples, epochs):
    steps = epochs * -(-len(examples) // 32)
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, steps))


def known(logits, labels):
    right = logits.argmax(-1) == labels
    return f"all digits {right.mean():.1%}, 3s {right[labels == MISSING].mean():.1%}"


teacher = students.convnet(digits.input_shape, digits.num_classes, width=16)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
teacher.compile(adam(x, 20), loss)
teacher.fit(x, y, epochs=20, verbose=0)
print("teacher:  ", known(teacher.predict(x_test, verbose=0), y_test))

# Images without labels, and without a single 3.
student = students.convnet(digits.input_shape, digits.num_classes, width=8)
distiller = keras_kd.Distiller(teacher, student, alpha=0, temperature=4.0)
distiller.compile(adam(shown, 40))
distiller.fit(shown, epochs=40, verbose=0)
print("student:  ", known(student.predict(x_test, verbose=0), y_test))

# It has learnt that a 3 is rare: its bias is raised as validation images ask for.
logits = student.predict(x_validation, verbose=0)
raised = np.eye(digits.num_classes)[MISSING]
biases = np.arange(0, 10, 0.1)
right = [((logits + b * raised).argmax(-1) == y_validation).mean() for b in biases]
bias = biases[int(np.argmax(right))]
logits = student.predict(x_test, verbose=0) + bias * raised
print(f"bias +{bias:.1f}:", known(logits, y_test))
