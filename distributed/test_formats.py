"""What `maphc2f synth` writes, read by the readers of others: `python distributed/test_formats.py [BINARY]`.

COCO by pycocotools, WebDataset by webdataset and datasets, all compared with the masks in MVTec's layout and with the
manifest. `test_yolo.py` does the same for YOLO.
"""

import glob
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import webdataset
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else os.path.join(HERE, "../target/release/maphc2f"))
PHOTOS = os.path.join(HERE, "../assets/photos/objects")
COUNT = 60


def pixels(file):
    return np.asarray(Image.open(file))


def read_run(out):
    """The manifest and the masks of a run, by index."""
    manifest = {}
    for name in glob.glob(f"{out}/manifest/*.jsonl"):
        with open(name) as file:
            manifest.update({line["index"]: line for line in map(json.loads, file)})
    masks = glob.glob(f"{out}/mvtec/ground_truth/*/*_mask.png")
    return manifest, {int(os.path.basename(name)[: -len("_mask.png")]): pixels(name) > 0 for name in masks}


def synth(side, formats, *more):
    out = tempfile.mkdtemp()
    run = ["--normals", PHOTOS, "--count", str(COUNT), "--seed", "2", "--side", str(side), "--format", formats, *more]
    subprocess.run([BINARY, "synth", *run, "--out", out, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return out


class Formats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.out = synth(160, "mvtec,coco,webdataset")
        cls.addClassCleanup(shutil.rmtree, cls.out, ignore_errors=True)
        cls.manifest, cls.masks = read_run(cls.out)

    def test_every_sample_is_there(self):
        self.assertEqual(sorted(self.masks), list(range(COUNT)))
        self.assertEqual(sorted(self.manifest), list(range(COUNT)))

    def test_coco(self):
        coco = COCO(f"{self.out}/coco/annotations.json")
        self.assertEqual(len(coco.getAnnIds()), COUNT)
        names = {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())}
        for annotation in coco.loadAnns(coco.getAnnIds()):
            image = coco.loadImgs(annotation["image_id"])[0]
            index = int(os.path.splitext(image["file_name"])[0])
            expected = self.masks[index]
            np.testing.assert_array_equal(coco.annToMask(annotation) > 0, expected)
            encoded = rle.encode(np.asfortranarray(expected.astype(np.uint8)))
            self.assertEqual(annotation["area"], rle.area(encoded))
            self.assertEqual(annotation["bbox"], rle.toBbox(encoded).tolist())
            self.assertEqual(names[annotation["category_id"]], self.manifest[index]["mechanism"])
            made = pixels(f"{self.out}/coco/images/{image['file_name']}")
            self.assertEqual(made.shape[:2], (image["height"], image["width"]))

    def test_coco_results_are_loaded_beside_it(self):
        coco = COCO(f"{self.out}/coco/annotations.json")
        coco.info()
        self.assertIn("licenses", coco.dataset)
        results = [
            {"image_id": a["image_id"], "category_id": a["category_id"], "score": 0.9, "bbox": a["bbox"]}
            for a in coco.loadAnns(coco.getAnnIds())
        ]
        self.assertEqual(len(coco.loadRes(results).getAnnIds()), COUNT)

    def check_webdataset(self, samples, mask_of):
        read = {}
        for sample in samples:
            index = int(sample["__key__"])
            read[index] = sample
            np.testing.assert_array_equal(mask_of(sample) > 0, self.masks[index])
        self.assertEqual(sorted(read), list(range(COUNT)))
        return read

    def test_webdataset(self):
        tars = sorted(glob.glob(f"{self.out}/webdataset/*.tar"))
        samples = webdataset.WebDataset(tars, shardshuffle=False)
        read = self.check_webdataset(samples, lambda s: pixels(io.BytesIO(s["mask.png"])))
        for index, sample in read.items():
            self.assertEqual(json.loads(sample["json"])["mechanism"], self.manifest[index]["mechanism"])
            with open(glob.glob(f"{self.out}/mvtec/test/*/{sample['__key__']}.png")[0], "rb") as file:
                self.assertEqual(sample["png"], file.read())

    def test_webdataset_in_datasets(self):
        import datasets

        datasets.disable_progress_bars()
        with tempfile.TemporaryDirectory() as cache:
            tars = sorted(glob.glob(f"{self.out}/webdataset/*.tar"))
            found = datasets.load_dataset("webdataset", data_files={"train": tars}, split="train", cache_dir=cache)
            read = self.check_webdataset(found, lambda s: np.asarray(s["mask.png"]))
        for index, sample in read.items():
            self.assertEqual(sample["json"]["mechanism"], self.manifest[index]["mechanism"])


if __name__ == "__main__":
    unittest.main()
