"""YOLO labels of `maphc2f synth`, read and redrawn by the dataset code of ultralytics: `python distributed/test_yolo.py
[BINARY]`. It runs without torch, which webdataset would mistake for the real one: hence a file of its own.
"""

import os
import shutil
import tempfile
import unittest

import numpy as np
from test_formats import COUNT, read_run, synth

import without_torch  # noqa: F401  before ultralytics, behind webdataset

os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp())
os.environ["YOLO_OFFLINE"] = "1"


def redraw(polygons, shape):
    """Draws polygons as ultralytics does: `ultralytics.data.utils.polygons2masks`, all instances in one mask."""
    from ultralytics.data.utils import polygons2masks

    if not polygons:
        return np.zeros(shape, bool)
    return polygons2masks(shape, polygons, color=1, downsample_ratio=1).max(axis=0) > 0


class Yolo(unittest.TestCase):
    """Labels through the dataset code of ultralytics, at the image's own size."""

    @classmethod
    def setUpClass(cls):
        cls.home = os.getcwd()

    def tearDown(self):
        os.chdir(self.home)

    def labels(self, data, side):
        """Image, class, polygons in px of every sample, as the trainer's dataset has them, from any folder."""
        from ultralytics.data import utils
        from ultralytics.data.dataset import YOLODataset

        utils.check_font = lambda *_: None  # fetches a font to draw with
        with tempfile.TemporaryDirectory() as elsewhere:
            os.chdir(elsewhere)
            found = utils.check_det_dataset(data, autodownload=False)
            dataset = YOLODataset(
                img_path=found["train"], imgsz=side, augment=False, data=found, task="segment", batch_size=1
            )
            os.chdir(self.home)
        self.assertEqual(len(dataset), COUNT)
        for label in dataset.labels:
            yield int(os.path.basename(label["im_file"])[:-4]), label["cls"], [s * side for s in label["segments"]]

    def check(self, side, least, formats="mvtec,yolo,yolo-joined"):
        out = synth(side, formats)
        self.addCleanup(shutil.rmtree, out, ignore_errors=True)
        manifest, masks = read_run(out)
        self.assertEqual(sorted(manifest), sorted(masks))
        with open(f"{out}/yolo/data.yaml") as file:
            self.assertIn("# There is no held-out split", file.read())
        corners = []
        for folder in ["yolo", "yolo-joined"]:
            overlaps = []
            for index, classes, polygons in self.labels(f"{out}/{folder}/data.yaml", side):
                if folder == "yolo-joined":
                    self.assertEqual(len(polygons), 1)
                self.assertEqual(len(classes), len(polygons))
                truth, drawn = masks[index], redraw(polygons, (side, side))
                overlaps.append((truth & drawn).sum() / (truth | drawn).sum())
                corners.append(sum(map(len, polygons)))
            print(f"{folder} at {side} px: IoU {min(overlaps):.4f} at least, {np.mean(overlaps):.4f} on average")
            if folder == "yolo":  # joined parts have bridges
                self.assertGreaterEqual(min(overlaps), least)
        print(f"corners of a sample: {max(corners)} at most, {np.mean(corners):.0f} on average")

    def test_labels_are_redrawn_at_288_px(self):
        self.check(288, 0.95)

    def test_labels_are_redrawn_at_96_px(self):
        self.check(96, 0.85)


if __name__ == "__main__":
    unittest.main()
