"""Inputs and results in an object store: a real S3 server on this machine."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.slow

for _package in ("moto", "flask", "flask_cors", "s3fs", "boto3"):
    if find_spec(_package) is None:
        pytest.skip(f"{_package} is not installed", allow_module_level=True)

BUCKET = "photos"
ODD = ("with space/ä b+c.png", "100% & #1/名前.jpg", "a::b/[x].tif")
NAMES = ("a.png", "sub/b.jpg", "sub/deep/c.tif", *ODD)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """The address of a server that lives as long as these tests."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as server:
        until_s = time.monotonic() + 120
        while not _answers(port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until_s
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        server.kill()


def _answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def environment(environment, endpoint, tmp_path):
    """What the clients of S3 understand, and nothing of the developer's own."""
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


def tell(endpoint, what, data):
    """Ask something of the server itself."""
    headers = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{endpoint}/moto-api/{what}", data=data, headers=headers)
    urllib.request.urlopen(request).close()


class Bucket:
    """What is in the store, seen by another client than the program's."""

    def __init__(self, client):
        self.client = client

    def put(self, key, data):
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)

    def objects(self, prefix):
        """Every object by its name below ``prefix``, with the time it was written."""
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {one["Key"].removeprefix(prefix): one["LastModified"] for one in found}

    def read(self, key):
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()


@pytest.fixture
def bucket(endpoint):
    import boto3

    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    tell(endpoint, "reset", b"")
    client.create_bucket(Bucket=BUCKET)
    yield Bucket(client)
    client.close()


@pytest.fixture
def tree(folder, picture, bucket):
    """The same pictures on the disk and in the store."""
    for name in NAMES:
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(f"in/{name}", size=(60, 64))
        bucket.put(f"in/{name}", path.read_bytes())
    bucket.put("in/empty folder/", b"")  # as the consoles of some stores make them
    return folder / "in"


def lines(done):
    assert done.returncode in {0, 3}, done.stderr
    assert b"Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def statuses(done):
    return {line["name"]: line["status"] for line in lines(done)[:-1]}


def errors(done):
    assert b"Traceback" not in done.stderr
    return [line for line in done.stderr.decode().splitlines() if line.startswith("error:")]


def test_from_store_to_store(restore, tree, folder, picture, bucket, narrow_model_file):
    command = ("batch", "s3://photos/in", "-o", "s3://photos/out", "-m", narrow_model_file)
    first = restore(*command, "--json")
    assert first.returncode == 0, first.stderr
    assert statuses(first) == dict.fromkeys(NAMES, "done")
    assert restore("batch", "in", "-o", "out", "-m", narrow_model_file).returncode == 0
    written = bucket.objects("out/")
    shown = {name for name in written if not name.startswith(".restore-journal/")}
    assert shown == set(NAMES)
    assert len(written) == 2 * len(NAMES) + 1  # a record for each, one for the settings
    for name in NAMES:
        assert bucket.read(f"out/{name}") == (folder / "out" / name).read_bytes(), name

    assert statuses(restore(*command, "--json")) == dict.fromkeys(NAMES, "skipped")
    after = bucket.objects("out/")
    assert {name: after[name] for name in NAMES} == {name: written[name] for name in NAMES}

    picture("in/sub/b.jpg", size=(40, 80))
    bucket.put("in/sub/b.jpg", (tree / "sub/b.jpg").read_bytes())
    bucket.put("out/a.png", b"broken")
    again = statuses(restore(*command, "--json"))
    assert {name for name, status in again.items() if status == "done"} == {"a.png", "sub/b.jpg"}
    assert restore("batch", "in", "-o", "out", "-m", narrow_model_file).returncode == 0
    for name in NAMES:
        assert bucket.read(f"out/{name}") == (folder / "out" / name).read_bytes(), name


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
def test_workers_of_a_cluster_read_and_write_the_store(
    restore, tree, folder, bucket, narrow_model_file
):
    command = ("batch", "s3://photos/in", "-o", "s3://photos/out", "-m", narrow_model_file)
    on_ray = (*command, "--engine", "ray", "--ray-address", "local", "--workers", "2", "--json")
    bucket.put("in/bad.png", b"no picture")
    first = restore(*on_ray)
    assert first.returncode == 3, first.stderr
    assert statuses(first) == dict.fromkeys(NAMES, "done") | {"bad.png": "failed"}
    assert restore("batch", "in", "-o", "out", "-m", narrow_model_file).returncode == 0
    for name in NAMES:
        assert bucket.read(f"out/{name}") == (folder / "out" / name).read_bytes(), name
    # Either engine knows what the other has done.
    skipped = dict.fromkeys(NAMES, "skipped") | {"bad.png": "failed"}
    assert statuses(restore(*command, "--json")) == skipped
    bucket.put("out/a.png", b"broken")
    assert statuses(restore(*on_ray)) == skipped | {"a.png": "done"}


def test_failures_and_foreign_files(restore, tree, bucket, narrow_model_file):
    command = ("batch", "s3://photos/in/sub", "-o", "s3://photos/out", "-m", narrow_model_file)
    bucket.put("in/sub/bad.png", b"no picture")
    bucket.put("out/b.jpg", b"precious")
    done = restore(*command, "--json")
    assert done.returncode == 3
    expected = {"bad.png": "failed", "b.jpg": "failed", "deep/c.tif": "done"}
    assert statuses(done) == expected
    assert bucket.read("out/b.jpg") == b"precious"
    again = restore(*command, "--json", "--overwrite")
    assert statuses(again) == expected | {"b.jpg": "done", "deep/c.tif": "skipped"}
    assert any("--retry-failed" in line for line in errors(again))


@pytest.mark.parametrize("of", ["inputs", "results"])
def test_a_missing_bucket_is_one_line_and_is_not_made(restore, tree, bucket, narrow_model_file, of):
    places = ("s3://gone/in", "out") if of == "inputs" else ("in/sub", "s3://gone/out")
    done = restore("batch", places[0], "-o", places[1], "-m", narrow_model_file)
    (line,) = errors(done)
    assert done.returncode == 3
    assert "s3://gone" in line
    assert "bucket" in line
    assert [one["Name"] for one in bucket.client.list_buckets()["Buckets"]] == [BUCKET]


def test_wrong_keys_are_one_line(restore, tree, endpoint, environment, narrow_model_file):
    """The server asks for keys it knows from here on, and it knows none."""
    model = ("-m", narrow_model_file)
    tell(endpoint, "reset-auth", b"0")
    try:
        for places in (("s3://photos/in", "-o", "out"), ("in/sub", "-o", "s3://photos/out")):
            done = restore("batch", *places, *model)
            (line,) = errors(done)
            assert done.returncode == 3
            assert "access is refused" in line
            assert "keys" in line
    finally:
        tell(endpoint, "reset-auth", b"inf")
    del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
    done = restore("batch", "s3://photos/in", "-o", "out", *model)
    (line,) = errors(done)
    assert done.returncode == 3
    assert "credentials" in line


def test_a_store_that_does_not_answer_is_one_line(restore, environment, narrow_model_file):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_MAX_ATTEMPTS": "1"}
    done = restore("batch", "s3://photos/in", "-o", "s3://photos/out", "-m", narrow_model_file)
    (line,) = errors(done)
    assert done.returncode == 3
    assert "cannot be reached" in line
