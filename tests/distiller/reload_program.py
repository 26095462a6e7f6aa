"""Goes on with the distillers of a folder in a process of its own.

Each `NAME.keras` is loaded, given the teacher in `NAME.teacher.keras` where there is
one, and trained for two epochs more; its variables are written to `NAME.npz`.
"""

import sys
from pathlib import Path

import keras_kd  # noqa: F401 (nothing else is needed to load a distiller)


def main(folder):
    import keras
    import numpy as np

    with np.load(folder / "data.npz") as data:
        x, y = data["x"], data["y"]
    for path in sorted(folder.glob("*.keras")):
        name = path.stem
        if name.endswith(".teacher"):
            continue
        distiller = keras.models.load_model(path)
        teacher = folder / f"{name}.teacher.keras"
        if teacher.exists():
            distiller.attach_teacher(keras.models.load_model(teacher))
        labels = {"a": y, "b": y % 4} if name == "outputs" else y
        distiller.fit(x, labels, epochs=2, shuffle=False, verbose=0)
        values = [*distiller.variables, *distiller.optimizer.variables]
        np.savez(folder / f"{name}.npz", *[value.numpy() for value in values])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
