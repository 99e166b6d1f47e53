"""What whole detectors of anomalib need, for detector.py: PatchCore with ResNet-18, and EfficientAD-S, on the CPU, random weights.

Time only: random weights need no download and cost the same. Both are anomalib's torch models, without its data loaders, trainer and
normalization of scores, which would add to them. Images are noise of `side` x `side` px; a prediction takes one, as tensor, and gives map
and score.

    patchcore       layers 2 and 3, coreset of 10 % of the patches of `images` images, 9 neighbors (anomalib's defaults but for the network).
                    Its fit is the features of the images, 8 at a time, and the greedy coreset. The bank for predictions has the same size
                    and holds random ones of the patches: which ones makes no difference in time.
    efficientad_s   a prediction is teacher, student and autoencoder; a step of its training, one image and one for the penalty, is loss,
                    gradients and Adam. anomalib's default is 70 000 steps, so that a fit takes 70 times as many seconds as a step takes
                    milliseconds, besides the teacher's statistics.
"""

import contextlib
import os
import statistics
import sys
import time
import warnings

SIDES = (288, 448)


def figures(values, digits=2):
    return {"fastest": round(min(values), digits), "median": round(statistics.median(values), digits)}


def timed(run, runs, unit):
    out = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        out.append(unit * (time.perf_counter() - start))
    return out


def patchcore(torch, side, images):
    """Functions that predict and fit."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    model = PatchcoreModel(layers=["layer2", "layer3"], backbone="resnet18", pre_trained=False)
    torch.manual_seed(0)
    normals = torch.randn(images, 3, side, side)

    def embed():
        model.train()
        model.feature_extractor.eval()
        with torch.no_grad():
            for batch in normals.split(8):
                model(batch)

    def fit():
        embed()
        model.subsample_embedding(0.1)

    embed()
    patches = torch.vstack(model.embedding_store)
    model.embedding_store.clear()
    model.memory_bank = patches[torch.randperm(len(patches))[: len(patches) // 10]]
    del patches
    image = torch.randn(1, 3, side, side)

    def predict():
        model.eval()
        with torch.inference_mode():
            model(image)

    return predict, fit


def efficientad(torch, side):
    """Functions that predict and take one step of training."""
    from anomalib.models.image.efficient_ad.torch_model import EfficientAdModel

    torch.manual_seed(0)
    model = EfficientAdModel()
    with torch.no_grad():
        for scale in (model.mean_std["std"], model.quantiles["qb_st"], model.quantiles["qb_ae"]):
            scale.fill_(1)
    image, other = torch.rand(1, 3, side, side), torch.rand(1, 3, side, side)
    weights = list(model.student.parameters()) + list(model.ae.parameters())
    optimizer = torch.optim.Adam(weights, lr=1e-4, weight_decay=1e-5)

    def step():
        model.train()
        model.teacher.eval()
        optimizer.zero_grad()
        sum(model(image, other)).backward()
        optimizer.step()

    def predict():
        model.eval()
        with torch.inference_mode():
            model(image)

    return predict, step


def measure(torch, images, runs, rounds, fits):
    """{side: {threads: {detector: figures}}}; predictions and steps in milliseconds, fits in seconds. None without anomalib."""
    os.environ["TQDM_DISABLE"] = "1"  # before it is imported
    try:
        import anomalib  # noqa: F401
    except ImportError:
        return None
    found = {}
    # its progress bars are no part of the JSON
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for side in SIDES:
            torch.set_num_threads(2)
            (predict, fit), (predict_ad, step) = patchcore(torch, side, images), efficientad(torch, side)
            samples = {count: {"patchcore": [], "efficientad_s": [], "step": [], "fit": []} for count in (1, 2)}
            # predictions first: a fit replaces the bank
            for _ in range(rounds):
                for count, of in samples.items():
                    torch.set_num_threads(count)
                    for name, run, some in (("patchcore", predict, runs), ("efficientad_s", predict_ad, runs), ("step", step, runs // 4)):
                        run()
                        of[name] += timed(run, max(some, 1), 1e3)
            for count, of in samples.items():
                torch.set_num_threads(count)
                of["fit"] = timed(fit, fits, 1) if fits else []
            found[side] = {
                count: {
                    "patchcore": {"predict_ms": figures(of["patchcore"]), **({"fit_s": figures(of["fit"])} if of["fit"] else {})},
                    "efficientad_s": {"predict_ms": figures(of["efficientad_s"]), "training_step_ms": figures(of["step"])},
                }
                for count, of in samples.items()
            }
    return found
