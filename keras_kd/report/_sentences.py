"""What came of a run, in plain words."""


def summary(run):
    """Sentences about a run: a list of str, at least one."""
    teacher, student = run.row("teacher"), run.row("distilled")
    scratch, file = run.row("scratch"), best_file(run)
    if student is None and file is None:
        return ["This folder does not say how good its student is."]
    return [
        sentence
        for sentence in (
            _kept(teacher, student or file),
            _against_scratch(student, scratch),
            _file(file),
        )
        if sentence
    ]


def headline(run):
    """The page's heading: what was kept, or the run's name."""
    teacher, student = run.row("teacher"), run.row("distilled")
    if teacher is None or student is None or not (teacher.accuracy and student.params):
        return run.name
    kept = f"{student.accuracy / teacher.accuracy:.1%} of the teacher's accuracy"
    if teacher.params <= student.params:
        return kept
    return f"{kept}, {teacher.params / student.params:.1f}× fewer weights"


def best_file(run):
    """The row of the smallest .tflite file, or None.

    Of files as small as each other it is the more accurate one.
    """
    files = [row for row in run.rows if row.kind == "tflite"]
    return min(files, key=lambda row: (row.size_bytes, -row.accuracy), default=None)


def figures(run):
    """The run's most telling numbers: a list of `(number, what it is)`."""
    teacher, student = run.row("teacher"), run.row("distilled")
    file = best_file(run)
    result = []
    if student is not None:
        result.append((f"{student.accuracy:.1%}", "student's accuracy"))
    if teacher is not None and student is not None:
        if teacher.accuracy:
            kept = student.accuracy / teacher.accuracy
            result.append((f"{kept:.1%}", "of the teacher's accuracy kept"))
        if student.params:
            ratio = teacher.params / student.params
            result.append((f"{ratio:.1f}×", "fewer weights"))
    if file is not None:
        result.append((size(file.size_bytes), f"smallest file, {file.precision}"))
        if file.latency_ms is not None:
            result.append((time(file.latency_ms["p50"]), "for one example"))
    return result


def compared(runs):
    """What the students of several runs have on each other: a list of str."""
    students = [(run, run.row("distilled") or best_file(run)) for run in runs]
    students = [(run, row) for run, row in students if row is not None]
    if len(students) < 2:
        return []
    run, best = max(students, key=lambda pair: pair[1].accuracy)
    said = [f"The most accurate student is that of {run.name}, {best.accuracy:.1%}."]
    run, least = min(students, key=lambda pair: pair[1].params)
    said.append(
        f"The one with the fewest weights is that of {run.name}, {least.params:,}."
    )
    data = sorted({str(run.settings["data"]) for run in runs if "data" in run.settings})
    if len(data) > 1:
        said.append(
            f"They were tested on different data ({', '.join(data)}): their accuracies "
            "are not to be compared."
        )
        return said
    within = [
        run.name for run, row in students if row is not best and _overlap(row, best)
    ]
    if within:
        others = within[0] if len(within) == 1 else f"each of {len(within)} others"
        said.append(
            f"The 95 % interval of {others} overlaps that of the best: so many test "
            "examples do not decide between them."
        )
    return said


def size(number_bytes):
    """Bytes for a person, such as "10.4 kB"."""
    if number_bytes < 1000:
        return f"{number_bytes} B"
    for unit, factor in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if number_bytes < 1000 * factor or unit == "GB":
            break
    return f"{number_bytes / factor:.1f} {unit}"


def time(number_ms):
    """Milliseconds for a person, such as "1.2 µs"."""
    if number_ms < 1:
        return f"{1000 * number_ms:.3g} µs"
    return f"{number_ms:.3g} ms" if number_ms < 1000 else f"{number_ms / 1000:.3g} s"


def _kept(teacher, student):
    if teacher is None:
        return (
            f"The student is right on {student.accuracy:.1%} of the test part; its "
            "teacher was not measured."
        )
    said = f"The student is right on {student.accuracy:.1%} of the test part"
    said += f", its teacher on {teacher.accuracy:.1%}"
    if student.params and teacher.params > student.params:
        said += f": with {teacher.params / student.params:.1f} times fewer weights"
        if teacher.accuracy:
            said += (
                f" it keeps {student.accuracy / teacher.accuracy:.1%} of the accuracy"
            )
    return f"{said}."


def _against_scratch(student, scratch):
    if student is None or scratch is None:
        return None
    points = 100 * (student.accuracy - scratch.accuracy)
    if abs(points) < 0.05:
        return "From the labels alone the same student is as accurate."
    change = "gave" if points > 0 else "cost"
    said = (
        f"From the labels alone the same student reaches {scratch.accuracy:.1%}: the "
        f"teacher {change} it {abs(points):.1f} points"
    )
    if _overlap(student, scratch):
        said += (
            ", but their 95 % intervals overlap: so many test examples do not prove "
            "the difference"
        )
    return f"{said}."


def _overlap(one, other):
    low, high = zip(one.accuracy_ci95, other.accuracy_ci95, strict=True)
    return max(low) <= min(high)


def _file(file):
    if file is None:
        return None
    said = (
        f"As {_article(file.precision)} {file.precision} file it takes "
        f"{size(file.size_bytes)} and is {file.accuracy:.1%} accurate"
    )
    if file.latency_ms is not None:
        said += f"; one example takes {time(file.latency_ms['p50'])}"
        said += f" on {file.measured_on}" if file.measured_on else ""
    return f"{said}."


def _article(word):
    return "an" if word[:1] in "aeio" else "a"
