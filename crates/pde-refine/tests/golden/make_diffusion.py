"""Makes diffusion.json: what MedPy says of Perona-Malik diffusion, and a direct reading of edge-enhancing diffusion, in
float64, about a seeded image.

Run: python make_diffusion.py  (MedPy, NumPy, SciPy; the versions are written into the file)
"""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
from medpy.filter.smoothing import anisotropic_diffusion
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq


def edge_enhancing(image, steps, kappa, noise, integration, m, floor, tau):
    """(H, W, C). The insulated frame becomes a torus by mirroring the image both ways; every operation then wraps."""
    h, w, _ = image.shape
    u = np.concatenate([image, image[::-1]], 0)
    u = np.concatenate([u, u[:, ::-1]], 1).astype(np.float64)
    c_m = brentq(lambda c: 1 - np.exp(-c) * (1 + 2 * m * c), 0.5, 20)
    blur = lambda a, s: gaussian_filter(a, s, mode="wrap", truncate=3) if s else a
    for _ in range(steps):
        tensor = np.zeros(u.shape[:2] + (2, 2))
        for k in range(u.shape[2]):
            v = blur(u[:, :, k], noise)
            right, down, both = np.roll(v, -1, 1), np.roll(v, -1, 0), np.roll(v, (-1, -1), (0, 1))
            g = np.stack([(right - v + both - down) / 2, (down - v + both - right) / 2], -1)
            tensor += g[..., :, None] * g[..., None, :] / u.shape[2]
        for i in range(2):
            for j in range(2):
                tensor[..., i, j] = blur(tensor[..., i, j], integration)
        values, vectors = np.linalg.eigh(tensor)
        s = np.sqrt(np.maximum(values[..., 1], 1e-300))
        with np.errstate(over="ignore", divide="ignore"):
            across = np.maximum(1 - np.exp(-c_m * (kappa / s) ** (2 * m)), floor)
        n = vectors[..., :, 1]
        d = np.eye(2) + (across - 1)[..., None, None] * n[..., :, None] * n[..., None, :]
        a, b, c = d[..., 0, 0, None], d[..., 0, 1, None], d[..., 1, 1, None]
        # minus the gradient of the cells' energies with respect to their four pixels
        at = lambda dy, dx: np.roll(u, (-dy, -dx), (0, 1))
        force = np.zeros_like(u)
        for weight, (p, q) in [
            ((a - abs(b)) / 2, ((0, 0), (0, 1))),
            ((a - abs(b)) / 2, ((1, 0), (1, 1))),
            ((c - abs(b)) / 2, ((0, 0), (1, 0))),
            ((c - abs(b)) / 2, ((0, 1), (1, 1))),
            (np.maximum(b, 0), ((0, 0), (1, 1))),
            (np.maximum(-b, 0), ((0, 1), (1, 0))),
        ]:
            flux = weight * (at(*q) - at(*p))
            force += np.roll(flux, p, (0, 1)) - np.roll(flux, q, (0, 1))
        u = u + tau * force
    return u[:h, :w]


def main():
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:20, :27]
    image = np.stack([0.4 * (x + 0.5 * y > 17 + k) + 0.1 * np.sin(y / 3) for k in range(3)], -1)
    image = (0.3 + image + 0.05 * rng.normal(size=image.shape)).astype(np.float32)
    perona_malik = []
    for option, name in [(1, "exponential"), (2, "rational")]:
        for kappa, step, steps in [(0.08, 0.2, 1), (0.08, 0.2, 12), (0.3, 0.1, 12)]:
            planes = [
                anisotropic_diffusion(image[:, :, k].astype(np.float64), steps, kappa, step, option=option)
                for k in range(3)
            ]
            out = np.stack(planes, -1).astype(np.float32)
            perona_malik.append(
                dict(edge_stop=name, kappa=kappa, step=step, steps=steps, image=out.ravel().tolist())
            )
    tensor = []
    for kappa, noise, integration, m, floor, step, steps in [
        (0.05, 1.0, 0.0, 4, 0.0, 0.2, 1),
        (0.05, 1.0, 0.0, 4, 0.0, 0.2, 10),
        (0.03, 0.0, 0.0, 1, 0.2, 0.25, 5),
        (0.04, 1.0, 2.0, 2, 0.0, 0.15, 10),
    ]:
        out = edge_enhancing(image, steps, kappa, noise, integration, m, floor, step).astype(np.float32)
        tensor.append(
            dict(kappa=kappa, noise_scale=noise, integration_scale=integration, power=m, floor=floor, step=step,
                 steps=steps, image=out.ravel().tolist())
        )
    versions = {name: version(name) for name in ("MedPy", "numpy", "scipy")} | {"python": platform.python_version()}
    golden = dict(versions=versions, shape=image.shape, image=image.ravel().tolist(),
                  perona_malik=perona_malik, edge_enhancing=tensor)
    round_all = lambda v: float(f"{v:.9g}") if isinstance(v, float) else v
    text = json.dumps(golden, default=str)
    text = json.dumps(json.loads(text, parse_float=lambda s: round_all(float(s))))
    (Path(__file__).parent / "diffusion.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
