"""What other libraries need for the same compositing problems, on one thread.

    cargo run --release -p experiments --bin peer_cases -- target/peer-cases
    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r experiments/peers/requirements.txt
    /tmp/peers/bin/python experiments/peers/poisson.py target/peer-cases target/peers.json [--runs 5] [--sides 256 512 1024 2048]

reads the folder that the example `peer_cases` writes (target.u8, source.u8 (H, W, 3) and mask.u8 (H, W), raw; cases.json)
and writes one JSON file:

    versions, runs
    cases: [{name, side, share, pixels, unknowns, seamless_clone, pyamg, spsolve}]
        each solver {seconds, fastest, ...} or null where it was left out; seconds is the median of the runs
        seamless_clone: uint8 in and out; mean_error and max_error in gray levels inside the mask against the true solution,
            max_change_outside the largest change outside it
        pyamg: ruge_stuben_solver, V(1,1) to 1e-6, three channels; setup, assembly of the matrix not counted;
            residual the worst channel's
        spsolve: one call for three channels, up to 512
    dst: [{side, seconds, fastest, residual}]
        DST-I both ways along both axes in f32, three planes, the whole image, of each side and of one pixel less

The true solution has the target's values around the mask and the source's differences inside it, and the target's on faces
that cross the mask's edge; it is pyamg's, in f64, to 1e-10, not clamped.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import json
import pathlib
import statistics
import sys
import time
import warnings

import cv2
import numpy as np
import pyamg
import scipy
import scipy.fft
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

SPSOLVE_UP_TO = 512


def timed(runs, prepare, run):
    """Median and least seconds of `run(prepare())`, `prepare` not counted, after one run to warm up; the last result."""
    seconds = []
    for k in range(runs + 1):
        given = prepare()
        start = time.perf_counter()
        result = run(given)
        if k > 0:
            seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds), "fastest": min(seconds)}, result


def system(mask, target, source):
    """Matrix (CSR, f64) and right-hand sides (unknowns, 3) of the masked Dirichlet problem."""
    index = np.full(mask.shape, -1, np.int64)
    unknowns = int(mask.sum())
    index[mask] = np.arange(unknowns)
    y, x = np.nonzero(mask)
    diagonal, b = np.zeros(unknowns), np.zeros((unknowns, 3))
    rows, columns = [], []
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        ny, nx = y + dy, x + dx
        assert ny.min() >= 0 and nx.min() >= 0 and ny.max() < mask.shape[0] and nx.max() < mask.shape[1]
        inside = mask[ny, nx]
        diagonal += 1
        own = target[ny, nx] - target[y, x]
        pasted = source[ny, nx] - source[y, x]
        b -= np.where(inside[:, None], pasted, own)
        b += np.where(inside[:, None], 0, target[ny, nx])
        rows.append(np.flatnonzero(inside))
        columns.append(index[ny, nx][inside])
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    every = np.arange(unknowns)
    values = np.concatenate([np.full(len(rows), -1.0), diagonal])
    at = (np.concatenate([rows, every]), np.concatenate([columns, every]))
    return coo_matrix((values, at), shape=(unknowns, unknowns)).tocsr(), b


def residual(a, u, b):
    return float(max(np.linalg.norm(b[:, c] - a @ u[:, c]) / np.linalg.norm(b[:, c]) for c in range(b.shape[1])))


def multigrid(a, b, tolerance):
    # three channels, one hierarchy; the start is 0, so the tolerance is relative to the right-hand side
    smoother = ("gauss_seidel", {"sweep": "forward", "iterations": 1})
    solver = pyamg.ruge_stuben_solver(a, presmoother=smoother, postsmoother=smoother)
    return np.stack([solver.solve(b[:, c], x0=np.zeros(len(b)), tol=tolerance, cycle="V") for c in range(3)], 1)


def clone(mask, target, source):
    # seamlessClone overwrites the caller's mask, and centers the mask's bounding box on the point it is given. The box
    # spans the mask's pixels from the least to the greatest, both included.
    y, x = np.nonzero(mask)
    size = (int(x.max() - x.min()) + 1, int(y.max() - y.min()) + 1)
    at = (int(x.min()) + size[0] // 2, int(y.min()) + size[1] // 2)
    return lambda given: cv2.seamlessClone(source, target, given, at, cv2.NORMAL_CLONE)


def measure(folder, case, runs):
    side = case["side"]
    raw = lambda file, *shape: np.fromfile(folder / case["name"] / file, np.uint8).reshape(side, side, *shape)
    target, source, mask = raw("target.u8", 3), raw("source.u8", 3), raw("mask.u8")
    inside = mask > 0
    a, b = system(inside, target.astype(float), source.astype(float))
    out = {**case, "unknowns": len(b), "pyamg": None, "spsolve": None}

    figures, image = timed(runs, mask.copy, clone(inside, target, source))
    truth = multigrid(a, b, 1e-10)
    error = np.abs(image[inside].astype(float) - truth.clip(0, 255))
    outside = np.abs(image[~inside].astype(int) - target[~inside].astype(int))
    out["seamless_clone"] = {
        **figures,
        "mean_error": float(error.mean()),
        "max_error": float(error.max()),
        "max_change_outside": int(outside.max()),
    }

    slow = runs if side <= 1024 else 3
    figures, u = timed(slow, lambda: None, lambda _: multigrid(a, b, 1e-6))
    out["pyamg"] = {**figures, "residual": residual(a, u, b)}
    if side <= SPSOLVE_UP_TO:
        columns = a.tocsc()
        figures, u = timed(runs, lambda: None, lambda _: spsolve(columns, b))
        out["spsolve"] = {**figures, "residual": residual(a, u, b)}
    return out


def sine_transform(side, runs):
    """The right-hand side is white noise in [-0.5, 0.5), as in `cargo bench -p pde-refine --bench spectral`."""
    b = (np.random.default_rng(1).random((3, side, side), dtype=np.float32) - np.float32(0.5)).astype(np.float32)
    k = np.arange(1, side + 1)
    wave = 4 * np.sin(np.pi * k / (2 * (side + 1))) ** 2
    eigenvalues = (wave[:, None] + wave[None, :]).astype(np.float32)

    def solve(b):
        modes = scipy.fft.dstn(b, type=1, axes=(1, 2), overwrite_x=True)
        modes /= eigenvalues
        return scipy.fft.idstn(modes, type=1, axes=(1, 2), overwrite_x=True)

    figures, u = timed(runs, b.copy, solve)
    assert u.dtype == np.float32
    p = np.pad(u.astype(float), ((0, 0), (1, 1), (1, 1)))
    au = 4 * p[:, 1:-1, 1:-1] - p[:, :-2, 1:-1] - p[:, 2:, 1:-1] - p[:, 1:-1, :-2] - p[:, 1:-1, 2:]
    return {"side": side, **figures, "residual": float(np.linalg.norm(b - au) / np.linalg.norm(b))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=pathlib.Path, help="the cases, as `peer_cases` writes them")
    parser.add_argument("output", type=pathlib.Path, help="the JSON file to write")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, at least 1 (3 for pyamg at 2048)")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512, 1024, 2048], help="sizes of images")
    parser.add_argument("--only", choices=["cases", "dst"], help="one of the two parts")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    warnings.filterwarnings("ignore", module="pyamg")
    versions = {m.__name__: m.__version__ for m in (np, scipy, cv2, pyamg)}
    results = {"versions": {**versions, "python": sys.version.split()[0]}, "runs": args.runs, "cases": [], "dst": []}
    cases = [c for c in json.loads((args.folder / "cases.json").read_text()) if c["side"] in args.sides]
    for case in cases if args.only != "dst" else []:
        print(f"{case['name']} ...", file=sys.stderr, flush=True)
        results["cases"].append(measure(args.folder, case, args.runs))
    # the sine transform of n - 1 points is a Fourier transform of 2 n, and cheapest where n is a power of two
    for side in [n for side in args.sides for n in (side - 1, side)] if args.only != "cases" else []:
        print(f"dst {side} ...", file=sys.stderr, flush=True)
        results["dst"].append(sine_transform(side, args.runs))
    unfinished = args.output.with_name(f".{args.output.name}.part")
    unfinished.write_text(json.dumps(results, indent=1) + "\n")
    unfinished.replace(args.output)


if __name__ == "__main__":
    main()
