"""The sample app cannot be built here; what its text promises is checked."""

import json
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from pathlib import Path

import pytest

from keras_kd.export.manifest import Manifest, TensorInfo
from keras_kd.export.normalization import Normalization

APP = Path(__file__).parents[2] / "export" / "android" / "app"
KOTLIN = {path.stem: path.read_text("utf-8") for path in APP.rglob("*.kt")}
ALL = "\n".join(KOTLIN.values())
# (get or opt, the name): the first must be there and not null.
FIELDS = re.findall(r'\.(get|opt)[A-Z]\w*\("(\w+)"', KOTLIN["StudentManifest"])
ANDROID = "{http://schemas.android.com/apk/res/android}"


def test_fields_that_the_app_reads_are_those_of_the_manifest():
    known = {
        field.name
        for kind in (Manifest, TensorInfo, Normalization)
        for field in fields(kind)
    }
    names = {name for _, name in FIELDS}
    assert names >= {"input", "normalization", "normalization_folded", "labels", "mean"}
    assert names <= known


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_fields_that_the_app_needs_are_never_null(precision, digits_files):
    manifest = json.loads(digits_files[precision].with_suffix(".json").read_text())
    places = [manifest, manifest["input"], manifest["output"]]
    # Of the normalisation, which may be null as a whole.
    needed = {name for kind, name in FIELDS if kind == "get"} - {"mean", "std"}
    for name in needed:
        assert any(place.get(name) is not None for place in places), name
    assert manifest["input"]["dtype"] in re.findall(r'"(float32|int8)"', ALL)
    assert isinstance(manifest["input_range"], list | None)


@pytest.mark.parametrize("path", sorted(APP.rglob("*.xml")), ids=lambda path: path.name)
def test_xml_is_well_formed(path):
    ElementTree.parse(path)


def test_activity_and_texts_exist():
    manifest = ElementTree.parse(APP / "src/main/AndroidManifest.xml")
    name = manifest.find("application/activity").get(f"{ANDROID}name")
    assert f"class {name.lstrip('.')} " in ALL
    texts = ElementTree.parse(APP / "src/main/res/values/strings.xml").findall("string")
    used = set(re.findall(r"R\.string\.(\w+)", ALL)) | {"app_name"}
    assert used == {text.get("name") for text in texts}
    namespace = re.search(r'namespace = "(.+)"', (APP / "build.gradle.kts").read_text())
    assert all(text.startswith(f"package {namespace[1]}\n") for text in KOTLIN.values())


def test_versions_are_pinned():
    build = (APP / "build.gradle.kts").read_text()
    versions = re.findall(r'version "([^"]+)"', build)
    versions += re.findall(r'implementation\("[\w.-]+:[\w.-]+:([^"]+)"\)', build)
    versions += re.findall(r'gradleVersion = "([^"]+)"', build)
    assert len(versions) == 5
    assert all(re.fullmatch(r"\d+(\.\d+)+", version) for version in versions)
    assert build.count("implementation(") == 2


def test_app_and_python_have_the_same_runtime():
    build = (APP / "build.gradle.kts").read_text()
    app = re.search(r"litert:litert:(\d+)\.", build)[1]
    project = tomllib.loads((APP.parents[2] / "pyproject.toml").read_text())
    [python] = [
        word for word in project["project"]["dependencies"] if "ai-edge-litert" in word
    ]
    assert python.startswith(f"ai-edge-litert>={app}.")
