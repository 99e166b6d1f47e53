"""Makes metrics.json: what scikit-learn and a direct reading of the AU-PRO and AUPIMO definitions say about seeded scores.

Run: python make.py  (numpy, scipy, scikit-learn; the versions are written into the file)
"""

import json
import platform
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy import ndimage
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score


def scores(rng, n, share, levels, shift, scale):
    labels = rng.random(n) < share
    labels[:2] = [False, True]
    values = rng.normal(size=n) + labels * shift
    if levels:
        values = np.round(values * levels) / levels
    return (values * scale).astype(np.float32), labels


def f1_max(labels, values):
    precision, recall, _ = precision_recall_curve(labels, values)
    total = precision + recall
    return float(np.max(np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)))


def au_pro(maps, masks, limit):
    """The definition, one threshold after another: for each distinct score t, the mean over all 8-connected regions of
    the share of their pixels with score >= t, against the share of all normal pixels with score >= t."""
    regions = []
    for m, g in zip(maps, masks):
        labelled, count = ndimage.label(g, structure=np.ones((3, 3)))
        regions += [m[labelled == i] for i in range(1, count + 1)]
    normal = np.concatenate([m[~g] for m, g in zip(maps, masks)])
    curve = [(0.0, 0.0)]
    for t in np.unique(np.concatenate([m.ravel() for m in maps]))[::-1]:
        curve.append((np.mean(normal >= t), np.mean([np.mean(r >= t) for r in regions])))
    curve.append((1.0, 1.0))
    x, y = (np.array(c, dtype=np.float64) for c in zip(*curve))
    inside = x <= limit
    # The curve's value at the limit, on the segment that crosses it.
    last = np.flatnonzero(inside)[-1]
    xs, ys = list(x[inside]), list(y[inside])
    if x[last] < limit:
        w = (limit - x[last]) / (x[last + 1] - x[last])
        xs.append(limit)
        ys.append(y[last] + w * (y[last + 1] - y[last]))
    return float(np.trapezoid(ys, xs) / limit)


def aupimo(good, maps, masks, low, high):
    """The definition by quadrature: overlap at the shared rate z, averaged over ln z."""
    thresholds = np.unique(np.concatenate([m.ravel() for m in good + maps]))[::-1]
    rate = np.array([0.0] + [np.mean([np.mean(g >= t) for g in good]) for t in thresholds])
    edges = np.unique(np.concatenate([[low, high], rate[(rate > low) & (rate < high)]]))
    nodes, weights = np.polynomial.legendre.leggauss(24)
    values = []
    for m, g in zip(maps, masks):
        overlap = np.array([0.0] + [np.mean(m[g] >= t) for t in thresholds])
        total = 0.0
        for a, b in zip(np.log(edges[:-1]), np.log(edges[1:])):
            z = np.exp((a + b) / 2 + (b - a) / 2 * nodes)
            # At equal rates the curve rises vertically: take the segment between the last point left of z and the
            # first right of it.
            left = np.searchsorted(rate, z, side="left") - 1
            w = (z - rate[left]) / (rate[left + 1] - rate[left])
            total += (b - a) / 2 * np.sum(weights * (overlap[left] + w * (overlap[left + 1] - overlap[left])))
        values.append(total / np.log(high / low))
    return values


def images(rng, count, height, width, levels):
    maps, masks = [], []
    yy, xx = np.mgrid[:height, :width]
    for i in range(count):
        mask = np.zeros((height, width), dtype=bool)
        for _ in range(i % 4):
            cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.5, 4)
            mask |= (yy - cy) ** 2 + (xx - cx) ** 2 <= r * r
        values = rng.normal(size=mask.shape) + 1.2 * mask
        maps.append((np.round(values * levels) / levels).astype(np.float32))
        masks.append(mask)
    return maps, masks


def main():
    rng = np.random.default_rng(20250412)
    ranked = []
    for n, share, levels, shift, scale in [
        (400, 0.3, 0, 0.5, 1), (400, 0.5, 4, 0.5, 1), (400, 0.05, 1, 1.0, 1), (50, 0.5, 0, 0.0, 1e-30),
        (200, 0.5, 8, 0.8, 1e6), (200, 0.02, 2, -0.7, 1), (60, 0.4, 1, 0.0, 0.0),
    ]:
        s, y = scores(rng, n, share, levels, shift, scale)
        ranked.append({
            "scores": s.astype(np.float64).tolist(), "labels": y.tolist(),
            "auroc": float(roc_auc_score(y, s)), "average_precision": float(average_precision_score(y, s)),
            "f1_max": f1_max(y, s),
        })
    overlap = []
    for count, height, width, levels in [(6, 16, 20, 16), (5, 13, 11, 2), (3, 9, 9, 1000)]:
        maps, masks = images(rng, count, height, width, levels)
        flat, truth = np.concatenate([m.ravel() for m in maps]), np.concatenate([g.ravel() for g in masks])
        overlap.append({
            "height": height, "width": width,
            "maps": [m.astype(np.float64).ravel().tolist() for m in maps],
            "masks": [g.astype(int).ravel().tolist() for g in masks],
            "regions": int(sum(ndimage.label(g, structure=np.ones((3, 3)))[1] for g in masks)),
            "auroc": float(roc_auc_score(truth, flat)),
            "au_pro": {str(limit): au_pro(maps, masks, limit) for limit in (0.3, 0.05, 0.01, 1.0)},
        })
    low_rate = []
    for bounds, levels in [((1e-3, 1e-2), 1000), ((1e-4, 1e-1), 3), ((2e-2, 0.7), 8)]:
        good = [np.round(rng.normal(size=(h, w)) * levels).astype(np.float32) / np.float32(levels) for h, w in [(20, 15), (9, 12), (14, 14)]]
        maps, masks = images(rng, 4, 12, 10, levels)
        maps, masks = maps[1:], masks[1:]
        low_rate.append({
            "bounds": bounds, "good": [{"shape": g.shape, "map": g.astype(np.float64).ravel().tolist()} for g in good],
            "shape": maps[0].shape, "maps": [m.astype(np.float64).ravel().tolist() for m in maps],
            "masks": [g.astype(int).ravel().tolist() for g in masks], "aupimo": aupimo(good, maps, masks, *bounds),
        })
    versions = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
                "scikit-learn": sklearn.__version__}
    text = json.dumps({"versions": versions, "ranked": ranked, "overlap": overlap, "low_rate": low_rate}, separators=(",", ":"))
    Path(__file__).with_name("metrics.json").write_text(text + "\n")


main()
