"""The Ray driver on two local workers, one of which is killed: `python distributed/test_ray_synth.py [BINARY]`."""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import pyarrow.parquet as pq

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else os.path.join(HERE, "../target/release/maphc2f"))
PHOTOS = os.path.join(HERE, "../assets/photos/surfaces")
RUN = ["--normals", PHOTOS, "--count", "3000", "--seed", "1", "--side", "64", "--format", "webdataset,coco"]


def tree(folder):
    """Every file that is not temporary: name and content."""
    names = (os.path.join(at, name) for at, _, files in os.walk(folder) for name in files)
    names = (name for name in names if "/." not in os.path.relpath(name, os.path.dirname(folder)))
    return {os.path.relpath(name, folder): open(name, "rb").read() for name in names}


def driver(out, *more):
    line = [sys.executable, os.path.join(HERE, "ray_synth.py"), "--binary", BINARY, "--shards", "4", "--out", out, *more]
    return subprocess.Popen([*line, "--", *RUN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def worker_of(out):
    """A process of the binary that writes to `out`, and the Ray worker that started it."""
    for status in glob.glob("/proc/[0-9]*/status"):
        try:
            line = open(status.replace("status", "cmdline"), "rb").read().split(b"\0")
            parent = next(int(row.split()[1]) for row in open(status) if row.startswith("PPid"))
        except (OSError, StopIteration):
            continue
        if line[0] == BINARY.encode() and out.encode() in line:
            return int(status.split("/")[2]), parent
    return None


class Driver(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.single = os.path.join(self.folder, "single")
        subprocess.run([BINARY, "synth", *RUN, "--out", self.single, "--quiet"], check=True, stdout=subprocess.DEVNULL)

    def test_a_killed_worker_costs_only_time(self):
        out = os.path.join(self.folder, "shared")
        process = driver(out)
        deadline = time.time() + 120
        while not glob.glob(os.path.join(out, ".block-*", "*")):
            self.assertIsNone(process.poll(), "ended before a worker could be killed")
            self.assertLess(time.time(), deadline)
            time.sleep(0.01)
        binary, worker = worker_of(out)
        os.kill(worker, signal.SIGKILL)
        os.kill(binary, signal.SIGKILL)
        done = finish(process)
        self.assertEqual(done["errors"], [])
        made = tree(out)
        table = pq.read_table(os.path.join(out, "manifest.parquet"))
        self.assertEqual(table["index"].to_pylist(), list(range(3000)))
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


if __name__ == "__main__":
    unittest.main()
