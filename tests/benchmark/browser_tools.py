"""What the tests of the browser share: a driven page, and files that it can run."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import keras_kd
from keras_kd.benchmark._browser_packages import find_node, packages_folder
from keras_kd.export import convert
from tests.programs import need

WEB = Path(keras_kd.__file__).parents[1] / "export" / "web"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HARNESS = Path(__file__).with_name("page.mjs")


def need_browser():
    """Skips where there is no Node.js or no browser; CI has both."""
    need("node", "npm")
    if not os.environ.get("CHROMIUM") and not any(map(shutil.which, BROWSERS)):
        need("chromium")


def with_float_io(model, calibration, folder):
    """The int8 file of a model, with float32 input and output."""
    path = folder / f"{model.name}-int8-float-io.tflite"
    labels = [f"class {number}" for number in range(10)]
    convert(
        model,
        path,
        precision="int8",
        calibration_data=calibration,
        labels=labels,
        float_io=True,
    )
    return path


def as_student(path):
    """The two files of a student, by their names on the server."""
    files = {"student.tflite": path, "student.json": path.with_suffix(".json")}
    return {name: str(file) for name, file in files.items() if file.exists()}


@contextlib.contextmanager
def visits():
    """A function that gives what is to see after each step of a plan, see page.mjs."""
    packages = packages_folder("browser", WEB)
    with subprocess.Popen(
        [find_node("browser"), HARNESS, WEB, packages],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def visit(**plan):
            process.stdin.write(json.dumps(plan) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert "failure" not in answer, answer["failure"]
            return answer

        try:
            yield visit
        finally:
            process.stdin.close()
            process.wait(60)


def node(*arguments, program=None):
    """What a program prints that Node.js runs."""
    done = subprocess.run(
        [find_node("browser"), *arguments],
        input=program,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def evaluate(expression, module="pixels.js"):
    """The value of a JavaScript expression on a module `m` of the page, from JSON."""
    program = (
        f"import * as m from {json.dumps((WEB / module).as_uri())};"
        f"console.log(JSON.stringify({expression}))"
    )
    return json.loads(node("--input-type=module", program=program))
