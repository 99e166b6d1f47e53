"""How many 256x256 RGB samples a second other tools make, on the CPU, beside `maphc2f synth`.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r experiments/peers/synthesis.txt
    /tmp/peers/bin/python experiments/peers/synthesis.py --photos FOLDER [--ours target/release/maphc2f] [--seconds 3] [--rounds 3]

FOLDER holds PNG photos; they are resized to 256x256. Everything runs on one thread, in turn, `rounds` times; the best round counts. Prints one
JSON object: versions, cpu, and `images_per_second` of

    defect_synthesis: its pipeline of crack, pitting and warp, each certain; drawing in memory alone, no refinement, no file
    anomalib_perlin: anomalib's PerlinAnomalyGenerator without a texture folder; in memory
    perlin_draem: DRAEM's recipe (rotated thresholded Perlin noise, a texture in memory, a random blend), written here after V. Zavrtanik et al.,
        ICCV 2021: its own code is on no package index; without its augmentation of the texture
    clone_nsa: NSA's recipe (a resized patch of another photo, cloned by OpenCV's seamlessClone), written here after H. Schlueter et al.,
        ECCV 2022, for the same reason; without its choice by object masks
    ours: with --ours, `maphc2f synth --threads 1` from photos on disk to images, masks, descriptors, hashes and manifest on disk

The last does more than the others: it refines, measures, encodes and writes.
"""

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import cv2
import numpy as np
import torch

cv2.setNumThreads(1)
torch.set_num_threads(1)
SIDE = 256


def perlin(rng, scales=6):
    """Perlin noise of random resolution, (SIDE, SIDE)."""
    ry, rx = (2 ** int(rng.integers(0, scales)) for _ in range(2))
    angles = 2 * np.pi * rng.random((ry + 1, rx + 1))
    gradients = np.stack([np.cos(angles), np.sin(angles)], -1)
    y, x = np.meshgrid(np.arange(SIDE) * ry / SIDE, np.arange(SIDE) * rx / SIDE, indexing="ij")
    row, column = y.astype(int), x.astype(int)
    fy, fx = y - row, x - column
    fade = lambda t: t * t * t * (t * (t * 6 - 15) + 10)
    dot = lambda dy, dx: gradients[row + dy, column + dx, 0] * (fy - dy) + gradients[row + dy, column + dx, 1] * (fx - dx)
    u, v = fade(fy), fade(fx)
    top = dot(0, 0) * (1 - v) + dot(0, 1) * v
    bottom = dot(1, 0) * (1 - v) + dot(1, 1) * v
    return np.sqrt(2) * (top * (1 - u) + bottom * u)


def perlin_draem(photos, rng):
    photo, texture = (photos[rng.integers(len(photos))].astype(np.float32) / 255 for _ in range(2))
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), float(rng.uniform(-90, 90)), 1)
    noise = cv2.warpAffine(perlin(rng).astype(np.float32), turn, (SIDE, SIDE))
    mask = (noise > 0.5).astype(np.float32)[..., None]
    beta = rng.random() * 0.8
    return photo * (1 - mask) + (1 - beta) * texture * mask + beta * photo * mask, mask


def clone_nsa(photos, rng):
    target, source = (photos[rng.integers(len(photos))] for _ in range(2))
    h, w = (int(rng.integers(16, 96)) for _ in range(2))
    y, x = int(rng.integers(SIDE - h)), int(rng.integers(SIDE - w))
    scale = float(rng.uniform(0.7, 1.3))
    h, w = max(8, int(h * scale)), max(8, int(w * scale))
    patch = cv2.resize(source[y : y + h, x : x + w], (w, h))
    mask = np.full((h, w), 255, np.uint8)
    center = (int(rng.integers(w // 2 + 1, SIDE - w // 2 - 1)), int(rng.integers(h // 2 + 1, SIDE - h // 2 - 1)))
    mixed = cv2.seamlessClone(patch, target, mask, center, cv2.NORMAL_CLONE)
    return mixed, np.abs(mixed.astype(int) - target).max(-1) > 0


def arms(photos):
    rng = np.random.default_rng(0)
    from defect_synthesis import CrackGenerator, DefectPipeline, PittingGenerator, TextureWarpGenerator

    pipeline = DefectPipeline()
    for generator in (CrackGenerator(), PittingGenerator(), TextureWarpGenerator()):
        pipeline.add(generator, probability=1.0)
    yield "defect_synthesis", lambda: pipeline.apply(photos[rng.integers(len(photos))])

    from anomalib.data.utils.generators.perlin import PerlinAnomalyGenerator

    generator = PerlinAnomalyGenerator(probability=1.0)
    tensors = [torch.from_numpy(p).permute(2, 0, 1).float() / 255 for p in photos]
    yield "anomalib_perlin", lambda: generator(tensors[rng.integers(len(tensors))])

    yield "perlin_draem", lambda: perlin_draem(photos, rng)
    yield "clone_nsa", lambda: clone_nsa(photos, rng)


def rate(make, seconds):
    make()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        make()
        count += 1
    return count / (time.perf_counter() - start)


def ours(binary, photos, folder):
    normals = folder / "normals"
    normals.mkdir(exist_ok=True)
    for i, photo in enumerate(photos):
        cv2.imwrite(str(normals / f"{i:03}.png"), photo)

    def run():
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        command = [binary, "synth", "--normals", normals, "--out", out, "--count", "512", "--seed", "1", "--threads", "1", "--json", "-q"]
        answer = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True)
        return json.loads(answer.stdout.splitlines()[-1])["images_per_second"]

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--ours", type=Path)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    paths = sorted(args.photos.glob("*.png"))[:32]
    if not paths:
        parser.error(f"{args.photos}: holds no PNG")
    photos = [cv2.resize(cv2.imread(str(p)), (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in paths]
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: (lambda make=make: rate(make, args.seconds)) for name, make in arms(photos)}
        if args.ours:
            runs["ours"] = ours(args.ours, photos, Path(folder))
        best = dict.fromkeys(runs, 0.0)
        for _ in range(args.rounds):
            for name, run in runs.items():
                best[name] = max(best[name], run())
    packages = ("defect-synthesis", "anomalib", "torch", "numpy", "opencv-python-headless")
    print(
        json.dumps(
            {
                "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
                "cpu": platform.processor() or platform.machine(),
                "photos": len(photos),
                "images_per_second": {name: round(value, 1) for name, value in best.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
