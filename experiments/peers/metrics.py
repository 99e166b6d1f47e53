"""What other libraries need for exact AUROC and AU-PRO on the same seeded scores, on one thread.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r experiments/peers/requirements.txt
    /tmp/peers/bin/python experiments/peers/metrics.py target/metrics-peers.json [--runs 5] [--side 1024]
    cargo run --release -p experiments --bin metrics_report -- --peers target/metrics-peers.json

writes one JSON file:

    versions, runs
    auroc: [{share, scores, value, numpy, sklearn}]        float32 scores; each solver {seconds, fastest, error}
        numpy: np.sort of either class and two np.searchsorted, the integer Mann-Whitney count
    au_pro: [{side, images, value, mvtec, mvtec_exact}]    each {seconds, fastest, error, peak_mb}
        mvtec: the evaluation of the authors' later datasets (5000 thresholds), re-derived line by line: that script is on no
            package registry
        mvtec_exact: compute_pro of MVTec AD's evaluation, as pyaupro 0.1.11 carries it, where that is installed (it needs
            torch); at 256 only, as it takes some 70 bytes a pixel
        error: against the exact curve, one point for each distinct score
    loading: {images, pillow_1, pillow_2}                  Pillow: decode and bilinear resize of as many 900 x 900 PNG files to
        256 x 256, on one and two threads; the files stay in a folder beside the JSON, for `metrics_report`, which deletes them

The scores are drawn as in the example `metrics_report`: uniform, the anomalous ones' square roots. What needs torch, some
gigabytes, is left out: torchmetrics, anomalib and adeval, all of which are slower than the NumPy route or not exact.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import json
import pathlib
import resource
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import PIL
import scipy
import sklearn
from PIL import Image
from scipy.ndimage import label as ndimage_label
from sklearn.metrics import roc_auc_score

try:
    from pyaupro._reference import compute_pro
except ImportError:
    compute_pro = None


def timed(runs, run):
    """Median and least seconds, after one run to warm up; the last result."""
    seconds, result = [], run()
    for _ in range(runs):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds), "fastest": min(seconds)}, result


def peak(run):
    """MB that a run adds to the peak of the resident set; call in a fresh process or after smaller runs only."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def scores(rng, n, share):
    labels = rng.random(n, dtype=np.float32) < share
    values = rng.random(n, dtype=np.float32)
    return np.where(labels, np.sqrt(values), values), labels


def auroc(values, labels):
    anomalous, normal = np.sort(values[labels]), np.sort(values[~labels])
    won = int(np.searchsorted(normal, anomalous, "left").sum()) + int(np.searchsorted(normal, anomalous, "right").sum())
    return won / (2 * len(anomalous) * len(normal))


def images(rng, count, side):
    """Three of five images have one round defect, as in `metrics_report`."""
    y, x = np.mgrid[:side, :side] / side
    disc = np.hypot(y - 0.5, x - 0.4) < 0.1
    maps, masks = [], []
    for i in range(count):
        mask = disc if i % 5 < 3 else np.zeros_like(disc)
        maps.append(rng.random((side, side), dtype=np.float32) + np.float32(0.3) * mask)
        masks.append(mask)
    return maps, masks


def area(x, y, limit):
    """Trapezoids up to the limit, with linear interpolation there, divided by it."""
    inside = x <= limit
    last = np.flatnonzero(inside)[-1]
    total = np.trapezoid(y[inside], x[inside])
    if x[last] < limit:
        end = np.interp(limit, x[last : last + 2], y[last : last + 2])
        total += (limit - x[last]) * (y[last] + end) / 2
    return float(total / limit)


# The evaluation that MVTec publishes with its later datasets, re-derived from its published definition: regions with a
# sorted copy of their scores, equidistant positions in the sorted normal scores as thresholds, one pass over them.
def mvtec_au_pro(maps, masks, limit, num_thresholds=5000):
    structure = np.ones((3, 3), dtype=int)
    normal = np.zeros(sum(m.size for m in masks))
    components, at = [], 0
    for values, mask in zip(maps, masks):
        labeled, count = ndimage_label(mask, structure)
        for k in range(count):
            components.append(np.sort(values[labeled == k + 1]))
        good = values[labeled == 0]
        normal[at : at + len(good)] = good
        at += len(good)
    normal = np.resize(normal, at)
    normal.sort()
    rates, overlaps = [1.0], [1.0]
    last = np.zeros(len(components), dtype=int)
    for position in np.linspace(0, at - 1, num=num_thresholds, dtype=int):
        threshold = normal[position]
        rate = 1.0 - (position + 1) / at
        total = 0.0
        for k, component in enumerate(components):
            while last[k] < len(component) and component[last[k]] <= threshold:
                last[k] += 1
            total += (len(component) - last[k]) / len(component)
        rates.append(rate)
        overlaps.append(total / len(components))
    return area(np.array(rates[::-1]), np.array(overlaps[::-1]), limit)


def exact_au_pro(maps, masks, limit):
    """One point for each distinct score, by sorting all pixels."""
    weights, normal, keys = [], [], []
    regions = 0
    for values, mask in zip(maps, masks):
        labeled, count = ndimage_label(mask, np.ones((3, 3)))
        sizes = np.bincount(labeled.ravel(), minlength=count + 1).astype(float)
        sizes[0] = np.inf
        weights.append((1 / sizes)[labeled.ravel()])
        normal.append(~mask.ravel())
        keys.append(values.ravel())
        regions += count
    keys, weights, normal = np.concatenate(keys), np.concatenate(weights), np.concatenate(normal)
    order = np.argsort(-keys, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(keys[order])), len(keys) - 1)
    x = np.append(0, np.cumsum(normal[order])[ends] / normal.sum())
    y = np.append(0, np.cumsum(weights[order])[ends] / regions)
    return area(x, y, limit)


def write_images(folder, count):
    """Distinct 900 x 900 RGB photographs of a kind: a smooth ground and noise of a few levels."""
    rng = np.random.default_rng(3)
    noise = rng.integers(-4, 5, (900, 900, 3), dtype=np.int16)
    grounds = rng.integers(0, 255, (count, 30, 30, 3), dtype=np.uint8)

    def write(i):
        smooth = Image.fromarray(grounds[i]).resize((900, 900), Image.BICUBIC)
        noisy = np.asarray(smooth, np.int16) + np.roll(noise, 7919 * i)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(folder / f"{i:04}.png")

    folder.mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(count)))


def loading(folder):
    """Every run reads every file; the first one is to warm up, also the system's cache of files."""
    paths = sorted(folder.glob("*.png"))

    def one(path):
        return np.asarray(Image.open(path).convert("RGB").resize((256, 256), Image.BILINEAR)).sum()

    out = {"images": len(paths)}
    for threads in (1, 2):
        with ThreadPoolExecutor(threads) as pool:
            figures, _ = timed(2, lambda: list(pool.map(one, paths)))
        out[f"pillow_{threads}"] = {**figures, "images_per_s": len(paths) / figures["fastest"]}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("output", type=pathlib.Path, help="the JSON file to write; the PNG of `loading` go into a folder beside it")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scores", type=int, default=10_000_000)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--images", type=int, default=1000)
    args = parser.parse_args()
    versions = {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__, "Pillow": PIL.__version__}
    results = {"versions": {**versions, "python": sys.version.split()[0]}, "runs": args.runs, "auroc": [], "au_pro": []}
    rng = np.random.default_rng(1)
    for share in (0.02, 0.5):
        print(f"auroc {share} ...", file=sys.stderr, flush=True)
        values, labels = scores(rng, args.scores, share)
        figures, ours = timed(args.runs, lambda: auroc(values, labels))
        out = {"share": share, "scores": args.scores, "value": ours, "numpy": {**figures, "error": 0.0}, "sklearn": None}
        figures, theirs = timed(1, lambda: roc_auc_score(labels, values))
        out["sklearn"] = {**figures, "error": abs(theirs - ours)}
        results["auroc"].append(out)
    del values, labels
    for side in sorted({256, args.side}):
        print(f"au_pro {side} ...", file=sys.stderr, flush=True)
        maps, masks = images(rng, 80, side)
        extra = peak(lambda: mvtec_au_pro(maps, masks, 0.3))
        figures, theirs = timed(min(args.runs, 3), lambda: mvtec_au_pro(maps, masks, 0.3))
        # the exact curve takes 3.5 GB at 1024
        exact = exact_au_pro(maps, masks, 0.3) if side <= 256 else None
        error = None if exact is None else abs(theirs - exact)
        exact_code = None
        if side <= 256 and compute_pro is not None:
            seconds, (rates, overlaps) = timed(3, lambda: compute_pro(maps, [m.astype(int) for m in masks]))
            rates = rates.astype(float)
            exact_code = {**seconds, "error": abs(area(rates, overlaps, 0.3) - exact)}
        results["au_pro"].append({"mvtec_exact": exact_code, "side": side, "images": 80, "value": exact, "mvtec": {**figures, "value": theirs, "error": error, "peak_mb": extra}})
    del maps, masks
    folder = args.output.with_suffix(".images")
    write_images(folder, args.images)
    results["loading"] = loading(folder)
    unfinished = args.output.with_name(f".{args.output.name}.part")
    unfinished.write_text(json.dumps(results, indent=1) + "\n")
    unfinished.replace(args.output)


if __name__ == "__main__":
    main()
