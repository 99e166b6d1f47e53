"""Times what a Python user would run for one step of anisotropic diffusion on an RGB image, on one thread.

    python diffusion.py                     a table of megapixels (of three channels) a second
    python diffusion.py --criterion DIR     the same with the figures of `cargo bench --bench filters` from DIR, the
                                            folder target/criterion, joined in

Needs numpy; numba, opencv-contrib-python-headless, medpy and scipy add their rows (versions are printed). Each figure
is the median of the runs that fit into --seconds, after a warm-up.
"""

import argparse
import json
import os
import statistics
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

KAPPA, TAU = 0.05, 0.2


def scene(n):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:n, :n]
    base = 0.5 + 0.2 * np.sin((x + y) / 20)
    return (base + 0.1 * (rng.random((3, n, n)) - 0.5)).astype(np.float32)


def numpy_naive(u):
    """The textbook's four differences, on planes (3, H, W)."""
    padded = np.pad(u, ((0, 0), (1, 1), (1, 1)), mode="edge")
    out = u.copy()
    for d in (padded[:, :-2, 1:-1] - u, padded[:, 2:, 1:-1] - u, padded[:, 1:-1, :-2] - u, padded[:, 1:-1, 2:] - u):
        out += np.float32(TAU) * d / (1 + (d / np.float32(KAPPA)) ** 2)
    return out


def numpy_flux(u):
    """Each face once, no temporaries but the two flux arrays' own."""
    dy, dx = np.empty_like(u[:, 1:]), np.empty_like(u[:, :, 1:])
    gy, gx = np.empty_like(dy), np.empty_like(dx)
    k = np.float32(1 / KAPPA**2)

    def step(u):
        for d, g, a, b in ((dy, gy, u[:, 1:], u[:, :-1]), (dx, gx, u[:, :, 1:], u[:, :, :-1])):
            np.subtract(a, b, out=d)
            np.multiply(d, d, out=g)
            g *= k
            g += 1
            np.divide(d, g, out=d)
            d *= np.float32(TAU)
        u[:, :-1] += dy
        u[:, 1:] -= dy
        u[:, :, :-1] += dx
        u[:, :, 1:] -= dx
        return u

    return step


def numba_loop(u):
    import numba

    out = np.empty_like(u)
    k, tau, one = np.float32(1 / KAPPA**2), np.float32(TAU), np.float32(1)

    @numba.njit(fastmath=True, error_model="numpy")
    def step(u, out):
        for c in range(u.shape[0]):
            for y in range(u.shape[1]):
                up, down = max(y - 1, 0), min(y + 1, u.shape[1] - 1)
                for x in range(u.shape[2]):
                    v = u[c, y, x]
                    n, s = u[c, up, x] - v, u[c, down, x] - v
                    w, e = u[c, y, max(x - 1, 0)] - v, u[c, y, min(x + 1, u.shape[2] - 1)] - v
                    flux = n / (one + n * n * k) + s / (one + s * s * k)
                    flux += w / (one + w * w * k) + e / (one + e * e * k)
                    out[c, y, x] = v + tau * flux

    return lambda u: step(u, out)


def medpy_option_2(u):
    from medpy.filter.smoothing import anisotropic_diffusion

    return lambda u: [anisotropic_diffusion(plane, 1, KAPPA, TAU, option=2) for plane in u]


def opencv(u):
    import cv2

    cv2.setNumThreads(1)
    image = np.ascontiguousarray((u.transpose(1, 2, 0) * 255).astype(np.uint8))
    return lambda _: cv2.ximgproc.anisotropicDiffusion(image, TAU, KAPPA, 1)


def numpy_tensor(integration):
    """Edge-enhancing diffusion as in tests/golden/make_diffusion.py, float32, closed-form eigenvectors."""

    def prepare(u):
        from scipy.ndimage import gaussian_filter

        def step(u):
            xx = xy = yy = 0
            for plane in u:
                v = np.pad(gaussian_filter(plane, 1.0, truncate=3), 1, mode="edge")
                p, q = v[1:, 1:] - v[:-1, :-1], v[:-1, 1:] - v[1:, :-1]
                gx, gy = (p + q) / 2, (p - q) / 2
                xx, xy, yy = xx + gx * gx / 3, xy + gx * gy / 3, yy + gy * gy / 3
            if integration:
                xx, xy, yy = (gaussian_filter(a, integration, mode="mirror", truncate=3) for a in (xx, xy, yy))
            difference, double = xx - yy, 2 * xy
            delta = np.sqrt(difference**2 + double**2)
            z = ((xx + yy + delta) / np.float32(2 * 0.03**2)) ** 4
            half = np.exp(np.float32(-3.31488) / np.maximum(z, np.float32(1e-30))) / -2
            turn = half / np.maximum(delta, np.float32(1e-30))
            a, b, c = 1 + half + turn * difference, turn * double, 1 + half - turn * difference
            b[0] = b[-1] = b[:, 0] = b[:, -1] = 0
            wx, wy = (a - abs(b)) / 2, (c - abs(b)) / 2
            wx, wy, wp, wq = wx[:-1] + wx[1:], wy[:, :-1] + wy[:, 1:], np.maximum(b, 0), np.maximum(-b, 0)
            for plane in u:
                fx, fy = wx[:, 1:-1] * np.diff(plane, axis=1), wy[1:-1] * np.diff(plane, axis=0)
                fp = wp[1:-1, 1:-1] * (plane[1:, 1:] - plane[:-1, :-1])
                fq = wq[1:-1, 1:-1] * (plane[1:, :-1] - plane[:-1, 1:])
                tau = np.float32(TAU)
                plane[:, :-1] += tau * fx
                plane[:, 1:] -= tau * fx
                plane[:-1] += tau * fy
                plane[1:] -= tau * fy
                plane[:-1, :-1] += tau * fp
                plane[1:, 1:] -= tau * fp
                plane[:-1, 1:] += tau * fq
                plane[1:, :-1] -= tau * fq
            return u

        return step

    return prepare


PEERS = {
    "numpy, four differences": (lambda u: numpy_naive, ["numpy"]),
    "numpy, fluxes in place": (numpy_flux, ["numpy"]),
    "numba loop": (numba_loop, ["numba"]),
    "medpy option 2": (medpy_option_2, ["MedPy"]),
    "OpenCV ximgproc (uint8)": (opencv, ["opencv-contrib-python-headless"]),
    "numpy + scipy tensor": (numpy_tensor(0.0), ["numpy", "scipy"]),
    "numpy + scipy tensor, integrated": (numpy_tensor(1.0), ["numpy", "scipy"]),
}
SIZES = (256, 512, 1024)


def rate(prepare, n, seconds):
    """Median megapixels a second."""
    u = scene(n)
    step = prepare(u)
    step(u)
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        step(u)
        times.append(time.perf_counter() - start)
    return n * n / statistics.median(times) / 1e6


def criterion(folder):
    """Rows of name to rates by size, from criterion's estimates."""
    rows = {}
    for path in sorted(Path(folder).glob("*/*/new/estimates.json")):
        name, n = path.parts[-4], path.parts[-3]
        if n.isdigit() and int(n) in SIZES and not name.startswith("allen"):
            nanoseconds = json.loads(path.read_text())["median"]["point_estimate"]
            rows.setdefault(f"pde-refine {name}", {})[int(n)] = int(n) ** 2 / nanoseconds * 1e3
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--criterion", help="folder target/criterion of a `cargo bench --bench filters` run")
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each figure")
    arguments = parser.parse_args()
    rows = criterion(arguments.criterion) if arguments.criterion else {}
    for name, (prepare, needs) in PEERS.items():
        try:
            versions = ", ".join(f"{need} {version(need)}" for need in needs)
            rows[f"{name} ({versions})"] = {n: rate(prepare, n, arguments.seconds) for n in SIZES}
        except (ImportError, PackageNotFoundError) as missing:
            print(f"left out: {name}: {missing}")
    print("| one step, one thread | " + " | ".join(f"{n} x {n}" for n in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    for name, rates in rows.items():
        print(f"| {name} | " + " | ".join(f"{rates[n]:.0f}" if n in rates else "-" for n in SIZES) + " |")


if __name__ == "__main__":
    main()
