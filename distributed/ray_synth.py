"""Runs `maphc2f synth` on a Ray cluster: one task a shard, each a process of the binary.

    python distributed/ray_synth.py --binary target/release/maphc2f --shards 64 --out FOLDER_OR_URL -- \
        --normals /data/bottle/train/good --count 1000000 --seed 1 --side 256 --format webdataset

What follows `--` goes to `maphc2f synth` as it is. `--out` is a folder that every machine sees, or an fsspec URL
(`s3://bucket/prefix`; `--storage` takes its options as JSON, such as an endpoint for MinIO). Binary and photos must
lie at the same paths on every machine.

A shard is the same on every try, so a worker that dies costs its time alone: in a shared folder its finished blocks
are kept (`--resume`), to a URL the shard is sent when it is whole. At the end the manifest is also written as
`manifest.parquet`. Exit codes are those of the binary: 3 if some samples could not be made, on every try.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import ray


def command(binary, out, arguments, shard=None):
    """A call of the binary; finished blocks are kept."""
    line = [binary, "synth", *arguments, "--out", out, "--resume", "--json", "--quiet"]
    return line if shard is None else [*line, "--shard", shard]


def synth(line):
    """Runs the binary and returns its last line. Exit code 3: some samples could not be made; the manifest says which."""
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{' '.join(line)}: {done.stderr.strip() or f'ended with {done.returncode}'}")
    return json.loads(done.stdout.splitlines()[-1])


def send(folder, url, storage):
    """Copies a finished folder to a URL, pieces of the manifest last: they mark finished blocks."""
    fs, root = fsspec.core.url_to_fs(url, **storage)
    names = [os.path.relpath(os.path.join(at, name), folder) for at, _, files in os.walk(folder) for name in files]
    for name in sorted(names, key=lambda name: (name.endswith(".jsonl"), name)):
        target = f"{root}/{name}"
        fs.makedirs(os.path.dirname(target), exist_ok=True)
        fs.put_file(os.path.join(folder, name), target)


# num_cpus: a process takes all threads that Ray gives the task
@ray.remote(max_retries=-1, retry_exceptions=True)
def make(binary, out, arguments, shard, storage, cpus, tries):
    """Makes one shard. `tries` counts failures of the binary; lost workers are retried by Ray without end."""
    line = command(binary, out, [*arguments, "--threads", str(cpus)], shard)
    for attempt in range(tries):
        try:
            if "://" not in out:
                return synth(line)
            with tempfile.TemporaryDirectory() as folder:
                done = synth(command(binary, folder, [*arguments, "--threads", str(cpus)], shard))
                send(folder, out, storage)
                return done
        except (RuntimeError, OSError) as reason:
            failed = str(reason)
            time.sleep(min(60, 2**attempt))
    return {"error": failed, "shard": shard}


def parquet(out, storage):
    """Writes the manifest as one table, nested values as JSON, block by block, so that memory does not grow with it."""
    fs, root = fsspec.core.url_to_fs(out, **storage)
    texts = ("source", "source_sha256", "region", "mechanism", "image_sha256", "mask_sha256", "failed")
    numbers = ("severity", "contrast_to_noise", "quality", "region_confidence")
    nested = ("model", "key", "measures", "solver", "descriptors", "faults", "size", "mask")
    schema = pa.schema(
        [(name, pa.int64()) for name in ("index", "seed", "side")]
        + [(name, pa.float64()) for name in numbers]
        + [(name, pa.string()) for name in (*texts, *nested)]
    )
    with fs.open(f"{root}/manifest.parquet", "wb") as file, pq.ParquetWriter(file, schema) as table:
        for piece in sorted(name for name in fs.ls(f"{root}/manifest", detail=False) if name.endswith(".jsonl")):
            rows = [json.loads(line) for line in fs.cat_file(piece).splitlines()]
            for row in rows:
                row.update({name: json.dumps(row[name]) for name in nested if name in row})
            table.write_table(pa.Table.from_pylist(rows, schema=schema))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=shutil.which("maphc2f") or "target/release/maphc2f")
    parser.add_argument("--out", required=True, help="a folder every machine sees, or an fsspec URL")
    parser.add_argument("--storage", type=json.loads, default={}, help="options of the URL's file system, as JSON")
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--cpus", type=int, default=1, help="threads of a shard")
    parser.add_argument("--tries", type=int, default=5, help="of a shard that the binary refuses or a disk breaks off")
    parser.add_argument("--address", help="of a running cluster; left out, one is started here")
    if "--" not in sys.argv:
        parser.error("put the arguments of `maphc2f synth` behind --")
    split = sys.argv.index("--")
    options, arguments = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1 :]
    local = "://" not in options.out
    out = os.path.abspath(options.out) if local else options.out
    binary = os.path.abspath(options.binary)
    ray.init(address=options.address, log_to_driver=False)
    start, made, failed, errors = time.time(), 0, 0, []
    task = make.options(num_cpus=options.cpus)
    shards = [f"{i}/{options.shards}" for i in range(options.shards)]
    waiting = [task.remote(binary, out, arguments, s, options.storage, options.cpus, options.tries) for s in shards]
    while waiting:
        ready, waiting = ray.wait(waiting)
        done = ray.get(ready[0])
        made, failed = made + done.get("images", 0), failed + done.get("failed", 0)
        errors += [f"shard {done['shard']}: {done['error']}"] if "error" in done else []
        rate = made / (time.time() - start)
        print(f"{len(shards) - len(waiting)}/{len(shards)} shards, {made} samples, {rate:.1f}/s", file=sys.stderr)
    if not errors:
        if local:
            synth(command(binary, out, arguments))  # merges what spans all blocks
        parquet(out, options.storage)
    seconds = time.time() - start
    done = {"images": made, "failed": failed, "seconds": seconds, "images_per_second": made / seconds, "errors": errors}
    print(json.dumps(done))
    sys.exit(2 if errors else 3 if failed else 0)  # as the binary: 3 if some samples could not be made


if __name__ == "__main__":
    main()
