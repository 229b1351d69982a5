"""A small GPT, trained on the CPU on text that it makes up itself: for the demo, where torch is installed.

An ordinary training script: it knows nothing of Steelyard, and runs until it is ended.
"""

import torch
from torch import nn

VOCABULARY, WIDTH, HEADS, LAYERS, LENGTH, BATCH = 256, 128, 4, 4, 128, 8


class SmallGPT(nn.Module):  # type: ignore[misc,unused-ignore]  # torch is not in the lint environment
    """A decoder of four layers."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Logits of shape [batch, length, vocabulary] for ids of shape [batch, length]."""
        mask = nn.Transformer.generate_square_subsequent_mask(input_ids.shape[1])
        x = self.tokens(input_ids) + self.places.weight[: input_ids.shape[1]]
        logits: torch.Tensor = self.head(self.layers(x, mask=mask, is_causal=True))
        return logits


def main() -> None:
    """Trains for ever."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    model = SmallGPT()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    generator = torch.Generator().manual_seed(2)
    while True:
        starts = torch.randint(VOCABULARY, (BATCH, 1), generator=generator)
        ids = (starts + torch.arange(LENGTH + 1) * 3) % VOCABULARY
        logits = model(ids[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
