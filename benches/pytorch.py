#!/usr/bin/env python3
"""Training speed of the same network in PyTorch: the counterpart of `benches/training.rs` and, on a GPU, of `examples/gpu.rs`.

    python3 benches/pytorch.py [--threads 1 2] [--batch 8192 16384 32768 65536 131072]
                               [--hidden 128] [--layers 3] [--seconds 2] [--draw per-step|ahead]
                               [--compile] [--bf16] [--device cpu|cuda] [--tf32]

Prints one row a thread count and batch: threads,batch,samples_per_s,gflops (a multiply-add as two operations,
backward and forward, as in `training.rs`). Everything a step needs is timed, as there: drawing the sites of a
192 x 249 x 16 grid uniformly (`torch.randint`), gathering their coordinates and targets by index, forward pass,
mean squared error, backward pass, Adam. `--draw ahead` draws the indices of all steps before the clock starts and
leaves the gather in the step. Each row is the fastest of five slices, because the machine may be shared.

Needs PyTorch; with `--compile` a C++ compiler too. Variants: `--compile` sends forward pass and loss, and with them
their gradients, through `torch.compile`; `--bf16` runs the forward pass under `torch.autocast` in bfloat16. Adam is
PyTorch's fused one throughout. `--device cuda` has data and draws there too, and every slice waits for the device;
`--tf32` allows that format in products of f32.
"""

import argparse
import time

import torch
from torch import nn

SHAPE = (192, 249, 16)
N_SLICES = 5
OMEGA = 30.0


class Sine(nn.Module):
    """sin(omega x)."""

    def forward(self, x):
        return torch.sin(OMEGA * x)


def network(hidden: int, n_layers: int) -> nn.Sequential:
    """SIREN of `n_layers` sine layers of `hidden` units and one linear output."""
    layers, width = [], 3
    for i in range(n_layers):
        linear = nn.Linear(width, hidden)
        half_width = 1 / width if i == 0 else (6 / width) ** 0.5 / OMEGA
        nn.init.uniform_(linear.weight, -half_width, half_width)
        layers += [linear, Sine()]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, 1))


def flops_per_sample(hidden: int, n_layers: int) -> int:
    """Of a step: backward costs twice the forward pass, but for the layer that reads the coordinates."""
    forward = 2 * (3 * hidden + (n_layers - 1) * hidden * hidden + hidden)
    return 3 * forward - 2 * 3 * hidden


def data(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates of the grid in [-1, 1], and targets."""
    axes = [torch.linspace(-1, 1, n) for n in SHAPE]
    coords = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    targets = (torch.arange(len(coords)) % 97 / 97).unsqueeze(1)
    return coords.to(device), targets.to(device)


def best_rate(work, seconds: float, wait, n_together: int) -> float:
    """How often `work` runs a second, at its fastest of the slices."""
    work()
    wait()
    best = 0.0
    for _ in range(N_SLICES):
        n, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds / N_SLICES:
            # On a device steps are queued faster than they run: the queue is emptied now and then, not after each.
            for _ in range(n_together):
                work()
            wait()
            n += n_together
        best = max(best, n / (time.perf_counter() - start))
    return best


def samples_per_second(args: argparse.Namespace, batch: int) -> float:
    """Speed of training at one batch."""
    torch.manual_seed(0)
    coords, targets = data(args.device)
    net = network(args.hidden, args.layers).to(args.device)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)
    n_ahead = 16
    ahead = torch.randint(len(coords), (n_ahead, batch), device=args.device) if args.draw == "ahead" else None

    def loss_of(x, y):
        with torch.autocast(args.device, dtype=torch.bfloat16, enabled=args.bf16):
            out = net(x)
        return nn.functional.mse_loss(out.float(), y)

    if args.compile:
        loss_of = torch.compile(loss_of, dynamic=False)
    n_steps = 0

    def step():
        nonlocal n_steps
        sites = torch.randint(len(coords), (batch,), device=args.device) if ahead is None else ahead[n_steps % n_ahead]
        n_steps += 1
        optimiser.zero_grad(set_to_none=True)
        loss_of(coords[sites], targets[sites]).backward()
        optimiser.step()

    # Compilation and the first allocations are not the speed of training.
    for _ in range(3):
        step()
    if args.device == "cuda":
        return batch * best_rate(step, args.seconds, torch.cuda.synchronize, 16)
    return batch * best_rate(step, args.seconds, lambda: None, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, nargs="+", default=[8_192, 16_384, 32_768, 65_536, 131_072])
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="a row, over all slices")
    parser.add_argument("--draw", choices=["per-step", "ahead"], default="per-step")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--tf32", action="store_true", help="products of f32 in TF32")
    args = parser.parse_args()
    torch.set_float32_matmul_precision("high" if args.tf32 else "highest")
    print("threads,batch,samples_per_s,gflops")
    for n_threads in args.threads:
        torch.set_num_threads(n_threads)
        for batch in args.batch:
            rate = samples_per_second(args, batch)
            gflops = rate * flops_per_sample(args.hidden, args.layers) / 1e9
            print(f"{n_threads},{batch},{rate:.0f},{gflops:.1f}", flush=True)


if __name__ == "__main__":
    main()
