"""Makes aupro.json: the AU-PRO of pyaupro, which carries the official MVTec AD evaluation code, on seeded maps.

Run: python make_aupro.py  (numpy, scipy, pyaupro 0.1.11 and, for pyaupro alone, torch; versions are written into the file)

`official` is the area under the curve of compute_pro, the code published with MVTec AD, by the trapezoidal rule up to the
limit with linear interpolation there, as its evaluation does; its rates are of single precision. `exact` is that of
PerRegionOverlap(thresholds=None), in torch's single precision.
"""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from pyaupro import PerRegionOverlap
from pyaupro._reference import compute_pro


def area(rates, overlaps, limit):
    rates, overlaps = np.asarray(rates, np.float64), np.asarray(overlaps, np.float64)
    inside = rates <= limit
    total, last = np.trapezoid(overlaps[inside], rates[inside]), np.flatnonzero(inside)[-1]
    if rates[last] < limit:
        end = np.interp(limit, rates[last : last + 2], overlaps[last : last + 2])
        total += (limit - rates[last]) * (overlaps[last] + end) / 2
    return float(total / limit)


def main():
    rng = np.random.default_rng(2021)
    yy, xx = np.mgrid[:24, :30]
    cases = []
    for levels, shift in [(64, 0.3), (8, 0.1), (4096, 0.6), (3, -0.1)]:
        maps, masks = [], []
        for i in range(6):
            mask = np.zeros(yy.shape, dtype=bool)
            for _ in range(i % 4):
                cy, cx, r = rng.uniform(0, 24), rng.uniform(0, 30), rng.uniform(0.5, 5)
                mask |= (yy - cy) ** 2 + (xx - cx) ** 2 <= r * r
            values = np.clip(rng.random(mask.shape) * 0.7 + shift * mask, 0, 1)
            maps.append((np.round(values * levels) / levels).astype(np.float32))
            masks.append(mask)
        official = compute_pro(maps, [m.astype(int) for m in masks])
        metric = PerRegionOverlap(thresholds=None)
        metric.update(torch.from_numpy(np.stack(maps)), torch.from_numpy(np.stack(masks).astype(np.int64)))
        rates, overlaps = metric.compute()[:2]
        order = np.argsort(rates.numpy(), kind="stable")
        cases.append({
            "shape": list(yy.shape),
            "maps": [m.astype(np.float64).ravel().tolist() for m in maps],
            "masks": [m.astype(int).ravel().tolist() for m in masks],
            "official": {str(limit): area(*official, limit) for limit in (0.3, 0.05)},
            "exact": {"0.3": area(rates.numpy()[order], overlaps.numpy()[order], 0.3)},
        })
    versions = {"python": platform.python_version(), **{p: version(p) for p in ("numpy", "scipy", "torch", "pyaupro")}}
    text = json.dumps({"versions": versions, "cases": cases}, separators=(",", ":"))
    Path(__file__).with_name("aupro.json").write_text(text + "\n")


main()
