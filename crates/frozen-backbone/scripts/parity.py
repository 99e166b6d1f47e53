"""Freeze the features that PyTorch computes on weights made by a formula: what `tests/parity.rs` compares with.

    pip install -r requirements.txt && python parity.py

Nothing is downloaded. The networks are timm's, torchvision's and transformers' own; every weight is a function of its tensor's name and
its place in it, which `tests/common/mod.rs` repeats, so that no file of weights is needed. Writes into tests/golden:
  parity.safetensors   every fifth channel of each map, f32: `<network>/<number>`
  <network>.txt        name and shape of the tensors in use, as PyTorch has them
"""
import pathlib
import tempfile

import numpy as np
import timm
import torch
import torchvision
import transformers
from safetensors.torch import save_file

from convert import pattern

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def values(name, shape):
    """Numbers spread evenly around what suits the kind of tensor, from a hash of its name and the index."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = (start ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(start) + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    r = (z >> np.uint64(40)) / 2.0**23 - 1.0
    if name.endswith("running_var"):
        v = 1.0 + 0.5 * r
    elif name.endswith("lambda1"):
        v = 0.5 + 0.25 * r
    elif name.startswith("embeddings.") and not name.endswith("weight"):
        v = 0.5 * r
    elif len(shape) > 1:
        v = np.sqrt(6.0 / np.prod(shape[1:])) * r
    elif name.endswith("weight"):
        v = 1.0 + 0.25 * r
    else:
        v = 0.1 * r
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


def tensors(net, state, unused):
    """Name and value of the tensors in use; writes their list."""
    shapes = {n: tuple(t.shape) for n, t in state.items() if not n.startswith(unused) and "num_batches" not in n}
    lines = [" ".join([n, *map(str, s)]) for n, s in sorted(shapes.items())]
    (GOLDEN / f"{net}.txt").write_text("\n".join(lines) + "\n")
    return {n: values(n, s) for n, s in shapes.items()}


def keep(out, net, maps):
    for i, features in enumerate(maps):
        out[f"{net}/{i}"] = features[0, ::5].float().contiguous()
        print(net, i, tuple(features.shape[1:]), "rms", float(features.square().mean().sqrt()))


def image(height, width, mean, deviation):
    x = torch.from_numpy(pattern(height, width)).permute(2, 0, 1)[None]
    return (x - mean[:, None, None]) / deviation[:, None, None]


def lite(out, number):
    net = f"lite{number}"
    model = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False, features_only=False).eval()
    state = tensors(net, model.state_dict(), ("conv_head", "bn2.", "classifier"))
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys
    half = torch.full((3,), 0.5)
    x = model.bn1(model.conv_stem(image(50, 71, half, half)))
    maps = []
    for stage, blocks in enumerate(model.blocks):
        x = blocks(x)
        if stage > 0:
            maps.append(x)
    keep(out, net, maps)


def wide_resnet(out):
    model = torchvision.models.wide_resnet50_2(weights=None).eval()
    model.load_state_dict(tensors("wide_resnet50_2", model.state_dict(), ("layer4", "fc")), strict=False)
    x = model.maxpool(model.relu(model.bn1(model.conv1(image(39, 50, MEAN, DEVIATION)))))
    maps = []
    for layer in (model.layer1, model.layer2, model.layer3):
        x = layer(x)
        maps.append(x)
    keep(out, "wide_resnet50_2", maps)


def dinov2(out, net, width, heads, layers, taps, rows, columns):
    config = transformers.Dinov2Config(
        hidden_size=width, num_attention_heads=heads, num_hidden_layers=layers, image_size=518, patch_size=14
    )
    # through a file, so that the library itself translates the public names
    with tempfile.TemporaryDirectory() as folder:
        transformers.Dinov2Model(config).save_pretrained(folder)
        from safetensors.torch import load_file

        state = tensors(net, load_file(f"{folder}/model.safetensors"), "embeddings.mask_token")
        save_file(state | {"embeddings.mask_token": torch.zeros(1, width)}, f"{folder}/model.safetensors", {"format": "pt"})
        model = transformers.Dinov2Model.from_pretrained(folder).eval()
    for name, value in model.state_dict().items():
        if name in state:
            assert torch.equal(value, state[name]), name
    hidden = model(image(14 * rows, 14 * columns, MEAN, DEVIATION), output_hidden_states=True).hidden_states
    maps = [model.layernorm(hidden[tap])[:, 1:].transpose(1, 2).reshape(1, width, rows, columns) for tap in taps]
    keep(out, net, maps)


def dinov3(out, net, width, heads, layers, taps, rows, columns):
    # the sizes, the four registers and the bias of all but the keys are those of the public configurations
    config = transformers.DINOv3ViTConfig(
        hidden_size=width, intermediate_size=4 * width, num_attention_heads=heads, num_hidden_layers=layers,
        num_register_tokens=4, key_bias=False, use_gated_mlp=False, rope_theta=100.0, layer_norm_eps=1e-5,
    )
    with tempfile.TemporaryDirectory() as folder:
        transformers.DINOv3ViTModel(config).save_pretrained(folder)
        from safetensors.torch import load_file

        state = tensors(net, load_file(f"{folder}/model.safetensors"), "embeddings.mask_token")
        save_file(state | {"embeddings.mask_token": torch.zeros(1, 1, width)}, f"{folder}/model.safetensors", {"format": "pt"})
        model = transformers.DINOv3ViTModel.from_pretrained(folder).eval()
    for name, value in model.state_dict().items():
        name = name.removeprefix("model.")
        assert "mask_token" in name or torch.equal(value, state[name]), name
    hidden = model(image(16 * rows, 16 * columns, MEAN, DEVIATION), output_hidden_states=True).hidden_states
    maps = [model.norm(hidden[tap])[:, 5:].transpose(1, 2).reshape(1, width, rows, columns) for tap in taps]
    keep(out, net, maps)


def main():
    out = {}
    with torch.no_grad():
        for number in (0, 1, 2):
            lite(out, number)
        wide_resnet(out)
        dinov2(out, "dinov2_small", 384, 6, 12, (1, 3, 12), 3, 4)
        dinov2(out, "dinov2_base", 768, 12, 2, (2,), 9, 10)
        dinov3(out, "dinov3_small", 384, 6, 12, (1, 3, 12), 3, 4)
        dinov3(out, "dinov3_base", 768, 12, 2, (2,), 9, 10)
    versions = {p.__name__: p.__version__ for p in (torch, timm, torchvision, transformers)}
    save_file(out, GOLDEN / "parity.safetensors", metadata=versions)
    print(versions, (GOLDEN / "parity.safetensors").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
