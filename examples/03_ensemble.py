"""Three small networks that saw few labels, compressed into one of the same size.

Run: python examples/03_ensemble.py
"""

import keras

import keras_kd
from keras_kd import data, students, teachers

LABELLED = 300

keras.utils.set_random_seed(0)
digits = data.load("digits")
x, y = digits.train.arrays()
x_test, y_test = digits.test.arrays()


def network():
    return students.convnet(digits.input_shape, digits.num_classes, width=4)


def falling_rate(steps):
    return keras.optimizers.schedules.CosineDecay(0.01, steps)


def accuracy(logits):
    return float((keras.ops.argmax(logits, axis=-1) == y_test).numpy().mean())


members = []
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
for number in (1, 2, 3):
    member = network()
    member.compile(keras.optimizers.Adam(falling_rate(300)), loss)
    member.fit(x[:LABELLED], y[:LABELLED], epochs=30, verbose=0)
    members.append(member)
    print(f"member {number}: {accuracy(member(x_test)):.3f}")

# A plain list does too: Distiller(members, student).
ensemble = teachers.Ensemble(members)
print(f"ensemble: {accuracy(ensemble(x_test).logits):.3f}")

# No labels are needed here, so that the student learns from all images.
student = network()
distiller = keras_kd.Distiller(ensemble, student, alpha=0, temperature=2.0)
distiller.compile(keras.optimizers.Adam(falling_rate(620)))
distiller.fit(x, epochs=20, verbose=0)
print(f"student:  {accuracy(student(x_test)):.3f}")
