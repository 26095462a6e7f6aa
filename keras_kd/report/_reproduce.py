"""The command that makes a run again."""

import shlex

_OPTIONS = {
    "data": "--data",
    "alpha": "--alpha",
    "temperature": "--temperature",
    "epochs": "--epochs",
    "batch_size": "--batch-size",
    "learning_rate": "--learning-rate",
    "crop": "--crop",
    "image_size": "--image-size",
    "target": "--target",
    "precision": "--precision",
    "divisor": "--divisor",
}
_LIMITS = {
    "max_size_bytes": "--max-size",
    "max_latency_ms": "--max-latency",
    "max_params": "--max-params",
    "max_macs": "--max-macs",
    "max_arena_bytes": "--ram",
}


def command(run):
    """The command line of a run, or None if its folder does not say.

    Args:
        run: `Run`.
    """
    if run.seed is None:
        return None
    if not run.settings:
        return f"keras-kd demo --seed {run.seed}"
    settings = run.settings
    # Of a teacher's and a student's file only the digest is kept, not the path.
    is_stored = run.rows and run.row("teacher") is None
    words = ["keras-kd", "distill"]
    words += (
        ["--soft-targets", "FOLDER"] if is_stored else ["--teacher", "TEACHER.keras"]
    )
    words += [
        "--student",
        "auto" if settings.get("student") == "auto" else "STUDENT.keras",
    ]
    limits = settings.get("limits")
    for options, values in ((_OPTIONS, settings), (_LIMITS, limits)):
        for name, option in options.items():
            value = values.get(name) if isinstance(values, dict) else None
            if value not in (None, 0, ""):
                words += [option, str(value)]
    depths = settings.get("depths")
    for depth in depths if isinstance(depths, list) else ():
        words += ["--depth", str(depth)]
    words += ["--flip"] if settings.get("flip") else []
    return shlex.join([*words, "--seed", str(run.seed)])
