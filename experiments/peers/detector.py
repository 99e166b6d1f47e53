"""What ONNX Runtime and PyTorch need for the detector's features: EfficientNet-Lite0 to block 10, one 256x256 image, on the CPU; and what
whole detectors of anomalib need.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r experiments/peers/detector.txt
    /tmp/peers/bin/python experiments/peers/detector.py [--side 256] [--runs 40] [--rounds 5] [--ours target/release/backbone_ms]
        [--images 20] [--fits 1]

prints one JSON object:

    versions, cpu, side, gflop (two per multiply and add of the convolutions)
    threads: {1: {...}, 2: {...}} of {fastest, median} in milliseconds
        onnxruntime: the CPU provider, all graph optimizations; outputs the four taps
        torch: the same graph, module calls in inference mode, batch norm folded; contiguous tensors
        torch_channels_last: the same in the other memory layout
        ours: with --ours, the crate's example; it runs in turn with the peers, so that a busy neighbor meets all alike
    detectors: {side: {threads: {...}}} at 288 and 448 px, see anomalib_models.py; null without anomalib or torch
        patchcore: predict_ms of one image, fit_s on `images` images (--fits 0 leaves it out: it takes minutes)
        efficientad_s: predict_ms, training_step_ms
    images: good images that PatchCore is fitted to

Weights are random: they do not change the time. Every convolution carries its bias, ReLU6 is a clip to [0, 6]. PyTorch pads
symmetrically where the network pads the far side by one more, which costs the same work.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import anomalib_models

# (kernel, stride, expansion, input channels, output channels) of blocks 0..=10
BLOCKS = (
    (3, 1, 1, 32, 16),
    (3, 2, 6, 16, 24),
    (3, 1, 6, 24, 24),
    (5, 2, 6, 24, 40),
    (5, 1, 6, 40, 40),
    (3, 2, 6, 40, 80),
    (3, 1, 6, 80, 80),
    (3, 1, 6, 80, 80),
    (5, 1, 6, 80, 112),
    (5, 1, 6, 112, 112),
    (5, 1, 6, 112, 112),
)
TAPS = (2, 4, 7, 10)


def layers():
    """(block or None, role, outputs, inputs, kernel, stride, groups) of every convolution, in order."""
    yield None, "stem", 32, 3, 3, 2, 1
    for i, (kernel, stride, expansion, inputs, outputs) in enumerate(BLOCKS):
        inner = inputs * expansion
        if expansion > 1:
            yield i, "expand", inner, inputs, 1, 1, 1
        yield i, "depthwise", inner, inner, kernel, stride, inner
        yield i, "project", outputs, inner, 1, 1, 1


def weights():
    rng = np.random.default_rng(0)
    for _, _, outputs, inputs, kernel, _, groups in layers():
        fan = inputs // groups * kernel * kernel
        weight = rng.normal(0, (2 / fan) ** 0.5, (outputs, inputs // groups, kernel, kernel)).astype(np.float32)
        yield weight, rng.normal(0, 0.1, outputs).astype(np.float32)


def gflop(side):
    total = 0
    for _, _, outputs, inputs, kernel, stride, groups in layers():
        side = -(-side // stride)
        total += 2 * side * side * outputs * (inputs // groups) * kernel * kernel
    return total / 1e9


def graph(side):
    nodes, constants, taps = [], [], []
    for name, value in (("zero", 0), ("six", 6)):
        constants.append(numpy_helper.from_array(np.float32(value).reshape(()), name))
    x, skip, size = "image", None, side
    for number, ((block, role, outputs, inputs, kernel, stride, groups), (weight, bias)) in enumerate(zip(layers(), weights())):
        if role == "expand" or (role == "depthwise" and block == 0):
            skip, skip_channels, skip_stride = x, inputs, 1
        if role == "depthwise":
            skip_stride = stride
        constants.append(numpy_helper.from_array(weight, f"w{number}"))
        constants.append(numpy_helper.from_array(bias, f"b{number}"))
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        size = -(-size // stride)
        near = total // 2
        nodes.append(helper.make_node("Conv", [x, f"w{number}", f"b{number}"], [f"c{number}"], strides=[stride] * 2,
                                      kernel_shape=[kernel] * 2, group=groups, pads=[near, near, total - near, total - near]))
        x = f"c{number}"
        if role != "project":
            nodes.append(helper.make_node("Clip", [x, "zero", "six"], [f"a{number}"]))
            x = f"a{number}"
        elif skip_stride == 1 and skip_channels == outputs:
            nodes.append(helper.make_node("Add", [x, skip], [f"s{number}"]))
            x = f"s{number}"
        if role == "project" and block in TAPS:
            taps.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, outputs, size, size]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side, side])
    model = helper.make_model(helper.make_graph(nodes, "lite0", [image], taps, constants),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def ort_run(model, image, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads > 1 else "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"image": image})


def torch_run(torch, image, channels_last):
    layout = torch.channels_last if channels_last else torch.contiguous_format
    convolutions = []
    for (_, _, outputs, inputs, kernel, stride, groups), (weight, bias) in zip(layers(), weights()):
        conv = torch.nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups)
        conv.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
        convolutions.append(conv.eval().to(memory_format=layout))
    x0 = torch.from_numpy(image).contiguous(memory_format=layout)
    relu6 = torch.nn.functional.relu6

    def run():
        with torch.inference_mode():
            x, taps, skip = x0, [], None
            for (block, role, *_), conv in zip(layers(), convolutions):
                if role in ("stem",):
                    x = relu6(conv(x), inplace=True)
                    continue
                if role == "expand" or block == 0 and role == "depthwise":
                    skip = x
                x = conv(x)
                if role != "project":
                    x = relu6(x, inplace=True)
                elif x.shape == skip.shape:
                    x = x + skip
                if role == "project" and block in TAPS:
                    taps.append(x)
            return taps

    return run


def milliseconds(run, runs):
    run()
    out = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        out.append(1e3 * (time.perf_counter() - start))
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--runs", type=int, default=40, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=20, help="that PatchCore is fitted to")
    parser.add_argument("--fits", type=int, default=1, help="of PatchCore, for each side and number of threads")
    parser.add_argument("--ours", help="the built program backbone_ms")
    arguments = parser.parse_args()
    try:
        import torch
    except ImportError:
        torch = None
    image = np.random.default_rng(1).normal(0, 1, (1, 3, arguments.side, arguments.side)).astype(np.float32)
    model = graph(arguments.side)
    threads = {}
    for count in (1, 2):
        runners = {"onnxruntime": ort_run(model, image, count)}
        if torch:
            torch.set_num_threads(count)
            runners["torch"] = torch_run(torch, image, False)
            runners["torch_channels_last"] = torch_run(torch, image, True)
        samples = {name: [] for name in runners}
        for _ in range(arguments.rounds):
            for name, run in runners.items():
                samples[name] += milliseconds(run, arguments.runs)
            if arguments.ours:
                environment = {**os.environ, "RAYON_NUM_THREADS": str(count)}
                command = [arguments.ours, str(arguments.side), str(arguments.runs)]
                ours = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
                for name, values in json.loads(ours).items():
                    samples.setdefault(name, []).extend(values)
        threads[count] = {n: {"fastest": round(min(v), 2), "median": round(statistics.median(v), 2)} for n, v in samples.items()}
    detectors = torch and anomalib_models.measure(torch, arguments.images, arguments.runs, arguments.rounds, arguments.fits)
    versions = {"python": platform.python_version(), "onnxruntime": onnxruntime.__version__, "torch": torch and torch.__version__}
    if detectors:
        versions["anomalib"] = version("anomalib")
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    print(json.dumps({"versions": versions, "cpu": cpu, "side": arguments.side, "gflop": round(gflop(arguments.side), 3),
                      "threads": threads, "images": arguments.images, "detectors": detectors}, indent=1))


if __name__ == "__main__":
    main()
