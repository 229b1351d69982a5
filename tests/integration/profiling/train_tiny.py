"""An unmodified training: nothing in it knows of profiles. Ends when its input does."""

import select
import sys

import torch

model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))
optimizer = torch.optim.AdamW(model.parameters())
while not select.select([sys.stdin], [], [], 0.005)[0]:
    optimizer.zero_grad()
    model(torch.randn(16, 64)).square().mean().backward()
    optimizer.step()
