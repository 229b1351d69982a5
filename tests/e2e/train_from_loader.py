"""A training that knows nothing of Steelyard, until its input ends; its argument says how slowly it loads, in ms."""

import sys
import threading
import time

import torch

ended = threading.Event()


class Rows(torch.utils.data.Dataset[torch.Tensor]):
    def __init__(self, slow_s: float) -> None:
        self.slow_s = slow_s

    def __len__(self) -> int:
        return 1 << 20

    def __getitem__(self, index: int) -> torch.Tensor:
        time.sleep(self.slow_s)
        return torch.zeros(128)


def main() -> None:
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    torch.set_num_threads(1)
    model = torch.nn.Sequential(torch.nn.Linear(128, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1))
    optimizer = torch.optim.AdamW(model.parameters())
    while not ended.is_set():
        for batch in torch.utils.data.DataLoader(Rows(float(sys.argv[1]) / 1000), batch_size=4):
            model(batch).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            time.sleep(0.02)
            if ended.is_set():
                break


if __name__ == "__main__":
    main()
