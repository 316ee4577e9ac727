"""Small-angle scattering images of random particles, to train and test the sparse autoencoder on.

    pip install sasmodels==1.1.0 numpy==2.4.6
    python make.py OUT --train 2000 --test 500 --seed 0

writes OUT/train/SHAPE.npy and OUT/test/SHAPE.npy, float32, shape (images, 64, 64), for SHAPE in sphere, cylinder,
core_shell and lamellae. Needs a C compiler: sasmodels compiles its models.

An image is the intensity I on a square detector around the beam, 64 x 64 pixels whose centres reach --q-max, by default
0.2 / Angstrom, on each axis (none lies at q = 0). The scale of I is arbitrary, so it is divided by its maximum; then
the default, --scale log, takes t = log10(I / max + 1e-4) + 4, about 0 to 4, and --scale linear takes it as it is; and
either is divided by its 2-norm, so that the 2-norm of a difference of images is a relative error.

Models of sasmodels and their random parameters (Angstrom; "log" = uniform in the logarithm; polydispersity = relative
width of a Gaussian distribution over 3 sigma), every image with a flat background of 1e-4 to 1e-2 (log) of its maximum:

    sphere      sphere             radius 20 to 120 log, polydispersity of it 0.05 to 0.2
    cylinder    cylinder           radius 10 to 60 log, length 60 to 400 log, axis: theta 0 to 90, phi 0 to 180 degrees,
                                   polydispersity of the radius 0.05 to 0.2
    core_shell  core_shell_sphere  radius 15 to 80 log, shell 5 to 40 log, contrast of the shell -1 to 1 of the core's,
                                   polydispersity of the radius 0.05 to 0.2
    lamellae    lamellar           thickness 15 to 100 log, polydispersity of it 0.05 to 0.2

Train and test are drawn from streams of their own, one a shape and set: more images of one shape do not change another.
"""

import argparse
import os
import pathlib

os.environ.setdefault("SAS_OPENCL", "none")

import numpy as np
import sasmodels
from sasmodels.core import load_model
from sasmodels.direct_model import call_kernel

SIDE = 64
FLOOR = 1e-4
SOLVENT = 6.0


def log_uniform(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def smeared(rng, name):
    """Polydispersity of the parameter `name`."""
    return {f"{name}_pd": rng.uniform(0.05, 0.2), f"{name}_pd_n": 21, f"{name}_pd_nsigma": 3.0}


def sphere(rng):
    return {"radius": log_uniform(rng, 20, 120), **smeared(rng, "radius")}


def cylinder(rng):
    shape = {"radius": log_uniform(rng, 10, 60), "length": log_uniform(rng, 60, 400)}
    axis = {"theta": rng.uniform(0, 90), "phi": rng.uniform(0, 180)}
    return {**shape, **axis, **smeared(rng, "radius")}


def core_shell(rng):
    sizes = {"radius": log_uniform(rng, 15, 80), "thickness": log_uniform(rng, 5, 40)}
    densities = {"sld_core": SOLVENT + 2, "sld_shell": SOLVENT + 2 * rng.uniform(-1, 1), "sld_solvent": SOLVENT}
    return {**sizes, **densities, **smeared(rng, "radius")}


def lamellae(rng):
    return {"thickness": log_uniform(rng, 15, 100), **smeared(rng, "thickness")}


SHAPES = {
    "sphere": ("sphere", sphere),
    "cylinder": ("cylinder", cylinder),
    "core_shell": ("core_shell_sphere", core_shell),
    "lamellae": ("lamellar", lamellae),
}


def images(shape, n, rng, scale, q_max):
    model, draw = SHAPES[shape]
    q = (np.arange(SIDE) + 0.5 - SIDE / 2) / (SIDE / 2 - 0.5) * q_max
    qx, qy = np.meshgrid(q, q)
    kernel = load_model(model, dtype="double").make_kernel([qx.ravel(), qy.ravel()])
    out = np.empty((n, SIDE, SIDE), np.float32)
    for i in range(n):
        intensity = call_kernel(kernel, {"background": 0.0, **draw(rng)})
        intensity = intensity / intensity.max() + log_uniform(rng, 1e-4, 1e-2)
        intensity /= intensity.max()
        if scale == "log":
            intensity = np.log10(intensity + FLOOR) - np.log10(FLOOR)
        if not np.isfinite(intensity).all():
            raise ValueError(f"{shape} {i}: not finite")
        out[i] = (intensity / np.linalg.norm(intensity)).reshape(SIDE, SIDE)
    return out


def main():
    parser = argparse.ArgumentParser(description="Small-angle scattering images of random particles as .npy files.")
    parser.add_argument("out", type=pathlib.Path, help="folder to write into")
    parser.add_argument("--train", type=int, default=2000, help="training images a shape [2000]")
    parser.add_argument("--test", type=int, default=500, help="test images a shape [500]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", choices=["log", "linear"], default="log")
    parser.add_argument("--q-max", type=float, default=0.2, help="where the detector ends, 1/Angstrom [0.2]")
    args = parser.parse_args()
    print(f"sasmodels {sasmodels.__version__}, numpy {np.__version__}")
    for part, n in [("train", args.train), ("test", args.test)]:
        (args.out / part).mkdir(parents=True, exist_ok=True)
        for i, shape in enumerate(SHAPES):
            rng = np.random.default_rng([args.seed, ["train", "test"].index(part), i])
            path = args.out / part / f"{shape}.npy"
            np.save(path, images(shape, n, rng, args.scale, args.q_max))
            print(path)


if __name__ == "__main__":
    main()
