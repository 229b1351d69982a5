"""The training of the bench `overhead`: knows nothing of profiles. Runs until its input ends, or so many steps; prints
the processor time of a step.
"""

import select
import sys
import time

import torch
from torch import nn

VOCABULARY, WIDTH, LAYERS, BATCH, LENGTH = 256, 128, 4, 4, 32
FIRST_STEPS = 20

most = int(sys.argv[1]) if len(sys.argv) > 1 else 0
torch.manual_seed(1)
layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, dropout=0.0, batch_first=True)
model = nn.Sequential(
    nn.Embedding(VOCABULARY, WIDTH), nn.TransformerEncoder(layer, LAYERS), nn.Linear(WIDTH, VOCABULARY)
)
optimizer = torch.optim.AdamW(model.parameters())
step, begin_s = 0, 0.0
while step < most + FIRST_STEPS if most else not select.select([sys.stdin], [], [], 0)[0]:
    if step == FIRST_STEPS:
        begin_s = time.process_time()
    ids = torch.randint(VOCABULARY, (BATCH, LENGTH))
    loss = nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    step += 1
print((time.process_time() - begin_s) / max(step - FIRST_STEPS, 1))
