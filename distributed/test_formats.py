"""What `maphc2f synth` writes, read by the readers of others: `python distributed/test_formats.py [BINARY]`.

COCO by pycocotools, WebDataset by webdataset, both compared with the masks in MVTec's layout and with the manifest.
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


class Formats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.out = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.out, ignore_errors=True)
        run = ["--normals", PHOTOS, "--count", str(COUNT), "--seed", "2", "--side", "160"]
        run += ["--format", "mvtec,coco,webdataset"]
        subprocess.run([BINARY, "synth", *run, "--out", cls.out, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        cls.manifest = {}
        for name in glob.glob(f"{cls.out}/manifest/*.jsonl"):
            with open(name) as file:
                cls.manifest.update({line["index"]: line for line in map(json.loads, file)})
        masks = glob.glob(f"{cls.out}/mvtec/ground_truth/*/*_mask.png")
        cls.masks = {int(os.path.basename(name)[: -len("_mask.png")]): pixels(name) > 0 for name in masks}

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

    def test_webdataset(self):
        read = {}
        for sample in webdataset.WebDataset(sorted(glob.glob(f"{self.out}/webdataset/*.tar")), shardshuffle=False):
            index = int(sample["__key__"])
            read[index] = sample
            mask = next(value for name, value in sample.items() if "mask" in name)
            np.testing.assert_array_equal(pixels(io.BytesIO(mask)) > 0, self.masks[index])
            self.assertEqual(json.loads(sample["json"])["mechanism"], self.manifest[index]["mechanism"])
            with open(glob.glob(f"{self.out}/mvtec/test/*/{sample['__key__']}.png")[0], "rb") as file:
                self.assertEqual(sample["png"], file.read())
        self.assertEqual(sorted(read), list(range(COUNT)))


if __name__ == "__main__":
    unittest.main()
