"""OpenCV's picture of the scenes that the example `compositing` writes.

    cargo run --release -p experiments --bin compositing -- --peers target/compositing
    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r experiments/peers/requirements.txt
    /tmp/peers/bin/python experiments/peers/seamless_clone.py target/compositing
    cargo run --release -p experiments --bin compositing -- --peers target/compositing

reads `target.png`, `source.png` and `mask.png` in every folder of the one given and writes `seamless_clone.png` beside them.
"""

import argparse
import pathlib

import cv2
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=pathlib.Path)
    scenes = parser.parse_args().scenes
    folders = sorted(p.parent for p in scenes.glob("*/target.png"))
    if not folders:
        parser.error(f"no scenes in {scenes}: run the example compositing first")
    for folder in folders:
        target, source = (cv2.imread(str(folder / f"{name}.png")) for name in ("target", "source"))
        mask = cv2.imread(str(folder / "mask.png"), cv2.IMREAD_GRAYSCALE)
        if target is None or source is None or mask is None:
            parser.error(f"{folder}: target.png, source.png and mask.png are needed")
        # the mask's bounding box is centered on the point given
        y, x = np.nonzero(mask)
        size = (int(x.max() - x.min()) + 1, int(y.max() - y.min()) + 1)
        at = (int(x.min()) + size[0] // 2, int(y.min()) + size[1] // 2)
        cloned = cv2.seamlessClone(source, target, mask, at, cv2.NORMAL_CLONE)
        unfinished = folder / ".seamless_clone.part.png"
        if not cv2.imwrite(str(unfinished), cloned):
            parser.error(f"{folder}: cannot be written to")
        unfinished.rename(folder / "seamless_clone.png")
        print(folder / "seamless_clone.png")


if __name__ == "__main__":
    main()
