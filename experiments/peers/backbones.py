"""What ONNX Runtime and PyTorch need for the backbones that read downloaded weights: one image, on the CPU, random weights.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r experiments/peers/backbones.txt
    /tmp/peers/bin/python experiments/peers/backbones.py --ours target/release/backbone_ms
        [--networks wide_resnet50_2 lite1 dinov2_small] [--side 256] [--runs 5] [--rounds 5]

prints one JSON object: versions, cpu, side, and for each network and one and two threads {fastest, median} in milliseconds of

    onnxruntime  the CPU provider, all graph optimizations, batch norm folded by the exporter
    torch        the network in inference mode, contiguous tensors
    ours         the crate's example, in turn with the peers, so that a busy neighbor meets all alike; it starts from an (H, W, C) image

All give the same maps: the three layers of the residual network, the default taps of the others. The side is rounded down to a multiple
of 14 for the transformers. The random weights are saved for ours in the file format that the public weights come in.
"""

import argparse
import io
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time

import onnxruntime
import timm
import torch
import torchvision
import transformers
from safetensors.torch import save_file

from detector import milliseconds

NETWORKS = ("wide_resnet50_2", "lite0", "lite1", "lite2", "dinov2_small", "dinov2_base", "dinov3_small")


class WideResNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torchvision.models.wide_resnet50_2(weights=None)

    def forward(self, x):
        net = self.net
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        first = net.layer1(x)
        second = net.layer2(first)
        return first, second, net.layer3(second)


class Lite(torch.nn.Module):
    def __init__(self, number):
        super().__init__()
        self.net = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False)

    def forward(self, x):
        x, taps = self.net.bn1(self.net.conv_stem(x)), []
        for stage in self.net.blocks[:5]:
            x = stage(x)
            taps.append(x)
        return tuple(taps[1:])


class Dino(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.net = transformers.Dinov2Model(transformers.Dinov2Config(
            hidden_size=width, num_attention_heads=heads, num_hidden_layers=12, image_size=518, patch_size=14))

    def forward(self, x):
        hidden = self.net(x, output_hidden_states=True).hidden_states
        return tuple(self.net.layernorm(hidden[layer])[:, 1:] for layer in (3, 6, 9, 12))


class Dino3(Dino):
    def __init__(self, width, heads):
        torch.nn.Module.__init__(self)
        self.net = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(
            hidden_size=width, intermediate_size=4 * width, num_attention_heads=heads, num_hidden_layers=12, num_register_tokens=4))

    def forward(self, x):
        hidden = self.net(x, output_hidden_states=True).hidden_states
        return tuple(self.net.norm(hidden[layer])[:, 5:] for layer in (3, 6, 9, 12))


def build(name):
    if name.startswith("dinov3"):
        return Dino3(384, 6)
    if name.startswith("lite"):
        return Lite(name[-1])
    if name.startswith("dinov2"):
        return Dino(*((384, 6) if name.endswith("small") else (768, 12)))
    return WideResNet()


def save(model, folder):
    if isinstance(model, Dino):
        model.net.save_pretrained(folder)
        return f"{folder}/model.safetensors"
    path = f"{folder}/weights.safetensors"
    save_file(model.net.state_dict(), path)
    return path


def ort_run(model, image, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads > 1 else "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: image.numpy()}
    return lambda: session.run(None, feed)


def torch_run(model, image):
    def run():
        with torch.inference_mode():
            return model(image)

    return run


def measure(name, arguments):
    side = arguments.side // 14 * 14 if name.startswith("dinov2") else arguments.side
    torch.manual_seed(0)
    model, image = build(name).eval(), torch.randn(1, 3, side, side)
    # trained batch norm keeps the maps in a range where no number is denormal
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    exported = io.BytesIO()
    torch.onnx.export(model, (image,), exported, dynamo=True, optimize=True, verbose=False)
    threads = {}
    with tempfile.TemporaryDirectory() as folder:
        path = save(model, folder)
        for count in (1, 2):
            torch.set_num_threads(count)
            runners = {"onnxruntime": ort_run(exported.getvalue(), image, count), "torch": torch_run(model, image)}
            samples = {}
            for _ in range(arguments.rounds):
                for peer, run in runners.items():
                    samples.setdefault(peer, []).extend(milliseconds(run, arguments.runs))
                environment = {**os.environ, "RAYON_NUM_THREADS": str(count)}
                command = [arguments.ours, str(side), str(arguments.runs), name, path]
                ours = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
                samples.setdefault("ours", []).extend(json.loads(ours)["ours"])
            threads[count] = {
                peer: {"fastest": round(min(v), 1), "median": round(statistics.median(v), 1)} for peer, v in samples.items()
            }
    return {"side": side, "threads": threads}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True, help="the built program backbone_ms")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["wide_resnet50_2", "lite1", "dinov2_small"])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--runs", type=int, default=5, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    networks = {name: measure(name, arguments) for name in arguments.networks}
    versions = {"python": platform.python_version()}
    versions |= {p.__name__: p.__version__ for p in (onnxruntime, torch, torchvision, timm, transformers)}
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    print(json.dumps({"versions": versions, "cpu": cpu, "networks": networks}, indent=1))


if __name__ == "__main__":
    main()
