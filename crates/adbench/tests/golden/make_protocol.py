"""Makes protocol.json: ground truth resized by PIL, torchvision's arithmetic and OpenCV, and maps smoothed by scipy.

Run: python make_protocol.py  (numpy, scipy, pillow, opencv-python-headless; pillow 11.3.0, since 13 orders the
directions otherwise; the versions are written into the file)
"""

import json
from pathlib import Path

import cv2
import numpy as np
import PIL
import scipy
from PIL import Image
from scipy import ndimage


def crop(a, side):
    top, left = (int(round((n - side) / 2.0)) for n in a.shape)  # torchvision.transforms.CenterCrop
    return a[top:top + side, left:left + side]


def pil(a, height, width, kernel=Image.Resampling.BILINEAR):
    return np.asarray(Image.fromarray(a).resize((width, height), kernel))


def main():
    rng = np.random.default_rng(11)
    cases = []
    for height, width in [(300, 300), (413, 300), (260, 391), (900, 900), (309, 300)]:  # the last: a crop's margin of 39 rows
        yy, xx = np.mgrid[:height, :width]
        mask = np.zeros((height, width), dtype=bool)
        ellipses = []
        for _ in range(7):
            cy, cx, a, b = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.6, 30), rng.uniform(0.6, 30)
            ellipses.append([cy, cx, a, b])
            mask |= ((yy - cy) / a) ** 2 + ((xx - cx) / b) ** 2 <= 1
        g = mask.astype(np.uint8) * 255
        size = (256, int(256 * width / height)) if height <= width else (int(256 * height / width), 256)
        out = {
            "patchcore-224": crop(pil(g, *size), 224) == 255,
            "glass-288": pil(g, 288, 288) == 255,
            "glass-288-visa": pil(g, 288, 288) > 0,
            "dinomaly-392": pil(crop(pil(g, 448, 448), 392).copy(), 256, 256, Image.Resampling.NEAREST) > 0,
            "draem-256": (cv2.resize(g, (256, 256), interpolation=cv2.INTER_LINEAR) / 255.0).astype(np.uint8) == 1,
            "resize-256": pil(g, 256, 256, Image.Resampling.NEAREST) > 0,
        }
        cases.append({"height": height, "width": width, "ellipses": ellipses, "pixels": int(mask.sum()),
                      "truth": {k: np.flatnonzero(v).tolist() for k, v in out.items()}})
    smoothing = []
    for height, width in [(40, 33), (9, 50)]:
        m = rng.normal(size=(height, width)).astype(np.float32)
        taps = np.exp(-0.5 * (np.arange(-2, 3) / 4.0) ** 2)
        square = np.outer(taps, taps) / np.outer(taps, taps).sum()
        smoothing.append({"height": height, "width": width, "map": m.astype(float).ravel().tolist(),
                          "scipy": ndimage.gaussian_filter(m, 4.0).astype(float).ravel().tolist(),
                          "zero": ndimage.convolve(m.astype(float), square, mode="constant").ravel().tolist()})
    versions = {"numpy": np.__version__, "scipy": scipy.__version__, "pillow": PIL.__version__, "opencv": cv2.__version__}
    text = json.dumps({"versions": versions, "truth": cases, "smoothing": smoothing}, separators=(",", ":"))
    Path(__file__).with_name("protocol.json").write_text(text + "\n")


main()
