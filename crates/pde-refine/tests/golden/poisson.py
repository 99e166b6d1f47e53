"""Golden data: masked Poisson compositing solved by SciPy's sparse direct solver in f64.

    python -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python poisson.py

writes, beside itself, raw little-endian arrays without a header, row by row, all 64 rows x 64 columns:

    mask.u8            (64, 64)     1 inside: a wavy blob with a hole and a thin branch; it touches no edge of the frame
    target.f32         (64, 64, 3)  the image around the mask, I
    source.f32         (64, 64, 3)  what is pasted, c
    import.f64         (64, 64, 3)  guidance `import`, lambda = 0
    screened.f64       (64, 64, 3)  guidance `import`, lambda = 0.05
    mixed.f64          (64, 64, 3)  guidance `mixed`, lambda = 0

The last three solve, per channel, -div(grad u - v) + lambda (u - c) = 0 on the mask's pixels, u = I on the pixels around
it, and hold I elsewhere: they are not clamped. The Laplacian is the five-point one. v lives on the faces between pixels:
where both pixels are in the mask, `import` takes the source's difference and `mixed` the stronger of the source's and the
target's (the source's on a tie); where one is outside, both take the target's. target and source are in [0, 1] and
already rounded to f32, so that a reader of the files poses the same problem.
"""

import pathlib

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve

N = 64
HERE = pathlib.Path(__file__).parent


def mask():
    y, x = np.mgrid[0:N, 0:N].astype(float)
    angle = np.arctan2(y - 33, x - 28)
    radius = 17 * (1 + 0.18 * np.sin(3 * angle + 0.4) + 0.09 * np.cos(7 * angle))
    blob = np.hypot(y - 33, x - 28) < radius
    hole = np.hypot((y - 30) / 1.5, x - 25) < 4
    m = blob & ~hole
    m[20, 40:60] = True  # a branch one pixel wide
    m[20:29, 59] = True
    m[20:29, 44] = True
    return m


def images(rng):
    y, x = np.mgrid[0:N, 0:N].astype(float)
    target, source = np.empty((N, N, 3)), np.empty((N, N, 3))
    for c in range(3):
        target[..., c] = 0.5 + 0.2 * np.sin(x / (9 + 2 * c) + 0.3 * c) * np.cos(y / 13) + 0.02 * rng.standard_normal((N, N))
        source[..., c] = 0.4 + 0.1 * c + 0.15 * np.cos((x + 2 * y) / 7 + c) + 0.03 * rng.standard_normal((N, N))
    return [a.clip(0, 1).astype("<f4") for a in (target, source)]


def solve(m, target, source, mixed, lam):
    index = np.full((N, N), -1)
    index[m] = np.arange(m.sum())
    out = target.astype(float)
    rows, cols, vals = [], [], []
    b = np.zeros((m.sum(), 3))
    for y, x in np.argwhere(m):
        i = index[y, x]
        diagonal = lam
        b[i] += lam * source[y, x].astype(float)
        for ny, nx in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            own = target[ny, nx].astype(float) - target[y, x].astype(float)
            pasted = source[ny, nx].astype(float) - source[y, x].astype(float)
            diagonal += 1
            if m[ny, nx]:
                v = np.where(np.abs(own) > np.abs(pasted), own, pasted) if mixed else pasted
                rows.append(i), cols.append(index[ny, nx]), vals.append(-1.0)
            else:
                v = own
                b[i] += target[ny, nx].astype(float)
            b[i] -= v
        rows.append(i), cols.append(i), vals.append(diagonal)
    a = csc_matrix((vals, (rows, cols)))
    u = spsolve(a, b)
    assert np.abs(a @ u - b).max() < 1e-13
    out[m] = u
    return out.astype("<f8")


def main():
    m = mask()
    assert not (m[0].any() or m[-1].any() or m[:, 0].any() or m[:, -1].any())
    target, source = images(np.random.default_rng(2026))
    (m.astype("u1")).tofile(HERE / "mask.u8")
    target.tofile(HERE / "target.f32")
    source.tofile(HERE / "source.f32")
    for name, mixed, lam in (("import", False, 0.0), ("screened", False, 0.05), ("mixed", True, 0.0)):
        solve(m, target, source, mixed, lam).tofile(HERE / f"{name}.f64")


if __name__ == "__main__":
    main()
