"""The largest student within 12 kB and 32 KiB of memory, made from its teacher.

The same in one command:
keras-kd distill --student auto --max-size 12kB --ram 32KiB --divisor 4 --teacher FILE

Run: python examples/06_to_a_budget.py [FOLDER]
"""

import sys
from pathlib import Path

import keras

import keras_kd
from keras_kd import budget, data, export, students

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/to_a_budget")
folder.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)

digits = data.load("digits")
train = digits.train.batches(32, shuffle_seed=0)
teacher = students.residual_net(digits.input_shape, digits.num_classes, width=16)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
teacher.compile("adam", loss)
teacher.fit(train, epochs=10, shuffle=False, verbose=0)

# Each student that is tried is really converted, and its file is measured.
labels = {"labels": digits.class_names}
found = budget.within(
    teacher,
    max_size_bytes=12_000,
    max_arena_bytes=32 * 1024,
    divisor=4,
    precision="int8",
    init="teacher",
    data=digits.train.arrays()[0],
    export_options=labels,
)
print(found.table)
found.plot().savefig(folder / "budget.png")

student = found.student
distiller = keras_kd.Distiller(teacher, student, alpha=0.1, temperature=4.0)
distiller.compile(keras.optimizers.Adam(0.005), metrics=["accuracy"])
distiller.fit(train, epochs=20, shuffle=False, verbose=0)

path = folder / "student.tflite"
export.convert(student, path, precision="int8", calibration_data=digits.train, **labels)
print(f"{path.stat().st_size:,} bytes of 12,000")
print(export.verify(path, student, digits.test))
