"""Files that are either whole or not there."""

import json
import threading

from keras_kd._files import create_json


def test_created_file_is_never_changed_by_another(tmp_path):
    path = tmp_path / "file.json"
    create_json(path, {"number": 1})
    create_json(path, {"number": 2})
    assert json.loads(path.read_text()) == {"number": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["file.json"]


def test_of_many_that_create_it_at_once_one_does(tmp_path):
    path, ready = tmp_path / "file.json", threading.Barrier(8)
    seen = []

    def create(number):
        ready.wait()
        create_json(path, {"number": number, "long": "x" * 100_000})
        seen.append(json.loads(path.read_text())["number"])

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["file.json"]
