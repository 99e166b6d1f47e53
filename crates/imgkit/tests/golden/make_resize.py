"""Makes resize.json: PIL's resizing of a seeded float image (mode F). Run: python make_resize.py (numpy, pillow)"""

import json
import platform
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

rng = np.random.default_rng(7)
height, width = 23, 37
image = rng.random((height, width)).astype(np.float32)
cases = []
for to in [(8, 8), (23, 12), (5, 37), (46, 74), (31, 50), (1, 1), (24, 36)]:
    for name, kernel in [("bilinear", Image.Resampling.BILINEAR), ("area", Image.Resampling.BOX)]:
        out = np.asarray(Image.fromarray(image).resize((to[1], to[0]), kernel))
        assert out.dtype == np.float32 and out.shape == to
        cases.append({"to": to, "kernel": name, "pixels": [round(float(v), 7) for v in out.ravel()]})
versions = {"python": platform.python_version(), "numpy": np.__version__, "pillow": PIL.__version__}
text = json.dumps({"versions": versions, "height": height, "width": width,
                   "image": image.astype(np.float64).ravel().tolist(), "cases": cases}, separators=(",", ":"))
Path(__file__).with_name("resize.json").write_text(text + "\n")
