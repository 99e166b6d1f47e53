"""The Ray driver on two local workers, one of which is killed: `python distributed/test_ray_synth.py [BINARY]`."""

import glob
import json
import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import fsspec
import pyarrow.parquet as pq
from moto.server import ThreadedMotoServer

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else os.path.join(HERE, "../target/release/maphc2f"))
PHOTOS = os.path.join(HERE, "../assets/photos/cardboard")
RUN = ["--normals", PHOTOS, "--count", "1500", "--seed", "1", "--side", "64", "--format", "webdataset,coco"]


def tree(folder):
    """Every file that is not temporary: name and content."""
    names = (os.path.join(at, name) for at, _, files in os.walk(folder) for name in files)
    names = (name for name in names if "/." not in os.path.relpath(name, os.path.dirname(folder)))
    return {os.path.relpath(name, folder): open(name, "rb").read() for name in names}


def driver(out, *more, run=RUN):
    script = os.path.join(HERE, "ray_synth.py")
    line = [sys.executable, script, "--binary", BINARY, "--shards", "4", "--out", out, *more]
    return subprocess.Popen([*line, "--", *run], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, code=0):
    out, err = process.communicate(timeout=600)
    assert process.returncode == code, (process.returncode, err)
    return json.loads(out.splitlines()[-1])


def worker_of(out):
    """A process of the binary that writes to `out`, and the Ray worker that started it; `None` if there is none."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = process.joinpath("cmdline").read_bytes().split(b"\0")
            status = process.joinpath("status").read_text().splitlines()
        except OSError:  # it has ended
            continue
        if line[0] == BINARY.encode() and out.encode() in line:
            return int(process.name), next(int(row.split()[1]) for row in status if row.startswith("PPid"))
    return None


class Driver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.single = os.path.join(cls.folder, "single")
        subprocess.run([BINARY, "synth", *RUN, "--out", cls.single, "--quiet"], check=True, stdout=subprocess.DEVNULL)

    def test_a_killed_worker_costs_only_time(self):
        out = os.path.join(self.folder, "shared")
        process = driver(out)
        found = None
        while found is None or not glob.glob(os.path.join(out, ".block-*", "*")):
            self.assertIsNone(process.poll(), "ended before a worker could be killed")
            time.sleep(0.01)
            found = worker_of(out)
        binary, worker = found
        os.kill(worker, signal.SIGKILL)
        os.kill(binary, signal.SIGKILL)
        done = finish(process)
        self.assertEqual(done["errors"], [])
        made = tree(out)
        table = pq.read_table(os.path.join(out, "manifest.parquet"))
        self.assertEqual(table["index"].to_pylist(), list(range(1500)))
        made.pop("manifest.parquet")
        self.assertEqual(made, tree(self.single))

    def test_a_url_gets_the_same_files(self):
        out = os.path.join(self.folder, "bucket")
        finish(driver("file://" + out))
        made, single = tree(out), tree(self.single)
        self.assertIn("manifest.parquet", made)
        single.pop("coco/annotations.json")  # spans all blocks: merged by `synth --resume` where it is wanted
        made.pop("manifest.parquet")
        self.assertEqual(made, single)

    def test_samples_that_are_lacking_end_with_3_again_and_again(self):
        photos = os.path.join(self.folder, "photos")
        shutil.copytree(PHOTOS, photos)
        torn = os.path.join(photos, "01.jpg")
        os.truncate(torn, os.path.getsize(torn) // 2)
        run = ["--normals", photos, "--count", "1100", "--side", "64", "--format", "coco"]
        out = os.path.join(self.folder, "lacking")
        first = finish(driver(out, run=run), code=3)
        self.assertGreater(first["failed"], 0)
        self.assertEqual(first["images"] + first["failed"], 1100)
        again = finish(driver(out, run=run), code=3)
        self.assertEqual((again["images"], again["failed"]), (0, first["failed"]))  # nothing is made twice

    def test_an_s3_bucket_gets_the_same_files(self):
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request otherwise
        server.start()
        self.addCleanup(server.stop)
        host, port = server.get_host_and_port()
        storage = {"key": "k", "secret": "s", "endpoint_url": f"http://{host}:{port}"}
        fs = fsspec.filesystem("s3", **storage)
        fs.mkdir("defects")
        finish(driver("s3://defects/run", "--storage", json.dumps(storage)))
        made = {os.path.relpath(name, "defects/run"): fs.cat_file(name) for name in fs.find("defects/run")}
        single = tree(self.single)
        single.pop("coco/annotations.json")
        with fs.open("defects/run/manifest.parquet") as file:
            self.assertEqual(pq.read_table(file)["index"].to_pylist(), list(range(1500)))
        made.pop("manifest.parquet")
        self.assertEqual(made, single)


if __name__ == "__main__":
    unittest.main()
