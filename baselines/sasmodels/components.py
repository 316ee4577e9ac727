"""What a linear code leaves of the images that make.py wrote: the mean 2-norm of the error on the test images after so
many principal components of (some of) the training images, for each shape and for all.

    pip install numpy==2.4.6
    python components.py FOLDER
"""

import pathlib
import sys

import numpy as np

N_TRAIN, N_TEST = 1000, 250
COMPONENTS = [1, 3, 8, 18, 27, 64, 256]


def images(folder, part, shapes, n):
    files = [np.load(folder / part / f"{shape}.npy")[:n] for shape in shapes]
    return np.concatenate([file.reshape(len(file), -1) for file in files]).astype(np.float64)


def main():
    folder = pathlib.Path(sys.argv[1])
    shapes = sorted(path.stem for path in (folder / "train").glob("*.npy"))
    print("components", *COMPONENTS)
    for name, some in [*((shape, [shape]) for shape in shapes), ("all", shapes)]:
        train, test = images(folder, "train", some, N_TRAIN), images(folder, "test", some, N_TEST)
        mean = train.mean(axis=0)
        _, vectors = np.linalg.eigh((train - mean).T @ (train - mean))
        left = []
        for n in COMPONENTS:
            basis = vectors[:, ::-1][:, :n]
            rest = (test - mean) - (test - mean) @ basis @ basis.T
            left.append(f"{np.linalg.norm(rest, axis=1).mean():.2e}")
        print(name, *left)


if __name__ == "__main__":
    main()
