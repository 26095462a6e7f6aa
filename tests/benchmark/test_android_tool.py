"""Where benchmark_model comes from, and what is known of it; the address is local."""

import hashlib
import http.server
import json
import threading

import pytest

from keras_kd.benchmark import _android_tool
from keras_kd.benchmark._android_tool import CHECKSUM_VARIABLE, VARIABLE, find_tool
from keras_kd.benchmark.measurement import DeviceError
from tests.benchmark.android_phone import elf

ABIS = ["arm64-v8a", "armeabi-v7a", "armeabi"]
PROGRAM = elf() + b"the first"


class Server(http.server.ThreadingHTTPServer):
    """Serves `content`, of which it says that it has `length` bytes."""

    content, length, requests = PROGRAM, None, 0


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        content = self.server.content
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(self.server.length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(CHECKSUM_VARIABLE, raising=False)
    with Server(("127.0.0.1", 0), _Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}/benchmark_model"
        monkeypatch.setattr(_android_tool, "ADDRESSES", {"arm64-v8a": address})
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _cached(tmp_path):
    return tmp_path / "cache" / "keras_kd" / "benchmark_model" / "arm64-v8a"


def test_first_download_is_trusted_and_says_so(server, tmp_path):
    tool = find_tool("android", ABIS)
    assert tool.path.read_bytes() == PROGRAM
    assert tool.sha256 == _sha256(PROGRAM)
    assert "trusted on first use" in tool.note
    assert tool.sha256 in tool.note
    record = json.loads((_cached(tmp_path) / "benchmark_model.json").read_text())
    assert record["sha256"] == tool.sha256
    assert record["address"].startswith("http://127.0.0.1")


def test_second_use_takes_the_same_file_without_the_network(server):
    first = find_tool("android", ABIS)
    server.content = elf() + b"the next night's"
    second = find_tool("android", ABIS)
    assert (second.path, second.sha256, second.note) == (first.path, first.sha256, "")
    assert server.requests == 1


def test_changed_file_in_the_cache_is_refused(server):
    tool = find_tool("android", ABIS)
    tool.path.write_bytes(PROGRAM + b"!")
    with pytest.raises(DeviceError, match=f"expected .* SHA-256 {_sha256(PROGRAM)}"):
        find_tool("android", ABIS)


def test_another_download_than_the_known_one_is_refused_and_not_kept(server, tmp_path):
    find_tool("android", ABIS).path.unlink()
    server.content = elf() + b"the next night's"
    with pytest.raises(DeviceError, match=r"If you trust the new one, delete .*\.json"):
        find_tool("android", ABIS)
    assert [path.name for path in _cached(tmp_path).iterdir()] == [
        "benchmark_model.json"
    ]


def test_checksum_of_the_user_decides(server, monkeypatch, tmp_path):
    monkeypatch.setenv(CHECKSUM_VARIABLE, "0" * 64)
    with pytest.raises(DeviceError, match="expected benchmark_model with SHA-256 000"):
        find_tool("android", ABIS)
    assert list(_cached(tmp_path).iterdir()) == []
    monkeypatch.setenv(CHECKSUM_VARIABLE, _sha256(PROGRAM).upper())
    assert find_tool("android", ABIS).note == ""
    given = tmp_path / "given"
    given.write_bytes(PROGRAM + b"!")
    with pytest.raises(DeviceError, match=_sha256(PROGRAM + b"!")):
        find_tool("android", ABIS, given)


@pytest.mark.parametrize(
    ("content", "length", "message"),
    [
        (b"", None, "cannot download .*404"),
        (PROGRAM, 1000, f"{len(PROGRAM)} of 1000 bytes came"),
        (b"<html>Not a program at all</html>", None, "not its .apk or a page about it"),
    ],
    ids=["missing", "broken-off", "page"],
)
def test_bad_download_is_one_clear_line_and_not_kept(
    server, tmp_path, content, length, message
):
    server.content, server.length = content, length
    with pytest.raises((DeviceError, ValueError), match=message):
        find_tool("android", ABIS)
    assert list(_cached(tmp_path).iterdir()) == []


def test_without_a_network_the_user_is_told_to_bring_the_file(server, monkeypatch):
    monkeypatch.setattr(
        _android_tool, "ADDRESSES", {"arm64-v8a": "http://127.0.0.1:1/benchmark_model"}
    )
    with pytest.raises(DeviceError, match=f"Download it yourself and set {VARIABLE}"):
        find_tool("android", ABIS)


def test_given_file_comes_before_the_variable_and_both_before_a_download(
    server, monkeypatch, tmp_path
):
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(elf())
    monkeypatch.setenv(VARIABLE, str(tmp_path / "one"))
    assert find_tool("android", ABIS).path == tmp_path / "one"
    assert find_tool("android", ABIS, tmp_path / "two").path == tmp_path / "two"
    assert server.requests == 0


@pytest.mark.parametrize(
    ("machine", "bits", "abi"),
    [(62, 2, "x86_64"), (3, 1, "x86"), (243, 2, "riscv64"), (8, 1, "machine 8")],
)
def test_program_for_another_processor_is_refused(tmp_path, machine, bits, abi):
    path = tmp_path / "tool"
    path.write_bytes(elf(machine, bits))
    with pytest.raises(
        DeviceError, match=f"built for .*{abi}.*, the device runs arm64"
    ):
        find_tool("android", ABIS, path)


def test_program_for_the_devices_second_choice_will_do(tmp_path):
    path = tmp_path / "tool"
    path.write_bytes(elf(40, bits=1))
    assert find_tool("android", ABIS, path).path == path
    with pytest.raises(DeviceError, match="Take the one for arm64-v8a"):
        find_tool("android", ["arm64-v8a"], path)


def test_missing_file_and_unknown_processor_say_what_to_do(server, tmp_path):
    with pytest.raises(ValueError, match="No such file or directory"):
        find_tool("android", ABIS, tmp_path / "none")
    with pytest.raises(DeviceError, match=f"Build it, and set {VARIABLE}"):
        find_tool("android", ["mips"])


def test_official_addresses_are_encrypted():
    assert all(url.startswith("https://") for url in _android_tool.ADDRESSES.values())
