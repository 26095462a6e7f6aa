"""Whatever happens to a labelling, what it leaves is whole or found not to be."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf

from keras_kd.teachers import SoftTargets, label
from tests.teachers.label_program import make_data, make_teacher, run

PROGRAM = Path(__file__).with_name("label_program.py")


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def contents(folder):
    """All that is in a folder, hidden files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The files of a labelling that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    files = contents(folder)
    assert len(files) == 11
    return files


@pytest.fixture
def store(whole, tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    for name, content in whole.items():
        (folder / name).write_bytes(content)
    return folder


def shards(folder):
    return sorted(folder.glob("shard-*"))


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(whole, tmp_path):
    process = start("kill", tmp_path, 4, 6, 0)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert output.count("killed") >= 20
    for name in ("whole", "1", "2", "3", "4"):
        assert contents(tmp_path / name) == whole


def flip(path, generator):
    content = bytearray(path.read_bytes())
    content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    path.write_bytes(content)


def cut_between_records(path):
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    path.write_bytes(path.read_bytes()[: 16 + len(records[0])])
    assert len(list(tf.data.TFRecordDataset(str(path)))) == 1


DAMAGES = {
    **{f"bit {n}": lambda path, n=n: flip(path, random.Random(n)) for n in range(8)},
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-5]),
    "cut between records": cut_between_records,
    "empty": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "doubled": lambda path: path.write_bytes(2 * path.read_bytes()),
    "of another place": lambda path: path.write_bytes(
        path.with_name("shard-00001-of-00010.tfrecord").read_bytes()
    ),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_shard_is_found_and_it_alone_is_made_anew(store, whole, damage):
    before = {path: path.stat().st_ino for path in shards(store)}
    damaged = shards(store)[4]
    DAMAGES[damage](damaged)
    with pytest.raises(ValueError, match=damaged.name):
        SoftTargets(store).attach(make_data(), labels=False)
    run(store)
    assert contents(store) == whole
    kept = {path for path in before if path.stat().st_ino == before[path]}
    assert set(before) - kept <= {damaged}


@pytest.mark.parametrize(
    "damage", ["bit 1", "cut", "cut between records", "empty", "longer", "doubled"]
)
def test_a_damaged_shard_of_a_store_that_was_not_finished_is_made_anew(
    store, whole, damage
):
    manifest = store / "soft_targets.json"
    text = manifest.read_text()
    manifest.write_text(text[: text.index('"shards"')] + '"shards": null\n}\n')
    for path in shards(store)[7:]:
        path.unlink()
    DAMAGES[damage](shards(store)[2])
    with pytest.raises(ValueError, match="labelling was interrupted"):
        SoftTargets(store)
    run(store)
    assert contents(store) == whole


def test_leftovers_of_killed_processes_are_taken_away(store, whole):
    (store / ".shard-00003-of-00010-x1y2.tfrecord").write_bytes(b"half")
    (store / ".soft_targets-x1y2.json").write_bytes(b"{")
    (store / ".new-x1y2").mkdir()
    run(store)
    assert contents(store) == whole


@pytest.mark.slow
def test_a_disk_that_fills_meanwhile_is_one_clear_error(disk, whole, tmp_path):
    """Without a disk to fill, the program may write so many bytes to a file."""
    folder = (disk or tmp_path) / "store"
    process = (
        start("filled disk", folder) if disk else start("small files", folder, 9000)
    )
    _, errors = process.communicate()
    assert process.returncode == 1
    last = errors.splitlines()[-1]
    assert f'to be able to write to "{folder}"' in last
    assert "the same call goes on" in last
    there = contents(folder)
    assert all(there[name] == whole[name] for name in there if "shard" in name)
    (folder.parent / "filler").unlink(missing_ok=True)
    run(folder)
    assert contents(folder) == whole


def test_what_no_disk_can_hold_is_refused_before_work_starts(tmp_path):
    examples = tf.data.Dataset.range(10**15).map(
        lambda n: {"id": tf.strings.as_string(n), "x": tf.zeros(5)}
    )
    with pytest.raises(ValueError, match="MB free for the folder"):
        label(make_teacher(), examples, tmp_path / "store", shard_size=2**40)


@pytest.mark.slow
def test_two_processes_make_one_store(whole, tmp_path):
    folder = tmp_path / "store"
    processes = [start("slowly", folder) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert contents(folder) == whole


@pytest.mark.slow
def test_of_two_processes_with_other_arguments_one_is_refused(whole, tmp_path):
    folder = tmp_path / "store"
    run(tmp_path / "other", top_k=3)
    expected = {"slowly": whole, "slowly top_k": contents(tmp_path / "other")}
    processes = {command: start(command, folder) for command in expected}
    errors = {name: process.communicate()[1] for name, process in processes.items()}
    (winner,) = [name for name in processes if processes[name].returncode == 0]
    (loser,) = [name for name in processes if name != winner]
    assert "Repeat the same teacher, data and arguments" in errors[loser]
    assert contents(folder) == expected[winner]


@pytest.mark.slow
def test_who_waits_for_a_killed_process_finishes_its_work(whole, tmp_path):
    folder = tmp_path / "store"
    first = start("slowly", folder)
    while not shards(folder):
        assert first.poll() is None
        time.sleep(0.01)
    second = start("slowly", folder)
    time.sleep(1)
    first.kill()
    first.communicate()
    _, errors = second.communicate()
    assert second.returncode == 0, errors
    assert contents(folder) == whole
