"""Trainings by Hugging Face Trainer, Accelerate and Lightning, unmodified and with the callbacks of steelyard_step."""

import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

# Nothing here is fetched or told to anybody.
os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
warnings.filterwarnings("ignore")

import lightning  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from accelerate import Accelerator  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[3] / "agent/steelyard_agent/hook/path"))
import steelyard_step  # noqa: E402

Truth = dict[str, Any]
STEPS, BATCH, ACCUMULATION, VOCABULARY, LONGEST = 12, 2, 2, 64, 24


class Counted(transformers.LlamaForCausalLM):
    """A tiny Llama that writes down what it was given to train on."""

    seen: list[tuple[int, int, int]]

    def forward(self, input_ids: Any = None, attention_mask: Any = None, labels: Any = None, **rest: Any) -> Any:
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            mask, with_loss = attention_mask, labels
            self.seen.append((input_ids.numel(), int(mask.sum()), int((with_loss != -100).sum())))
        return super().forward(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **rest)


def llama() -> Counted:
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False,
    )  # fmt: skip
    model = Counted(config)
    model.seen = []
    return model


def samples(count: int) -> list[list[int]]:
    """Sentences of 5 to 24 tokens; the first three of each are a question, without a loss."""
    return [[(place + word) % VOCABULARY for word in range(5 + place * 7 % 20)] for place in range(count)]


def padded(batch: list[list[int]], least: int = 0) -> dict[str, torch.Tensor]:
    longest = max(least, *map(len, batch))
    rows = [(words, longest - len(words)) for words in batch]
    return {
        "input_ids": torch.tensor([words + [0] * gap for words, gap in rows]),
        "attention_mask": torch.tensor([[1] * len(words) + [0] * gap for words, gap in rows]),
        "labels": torch.tensor([[-100] * 3 + words[3:] + [-100] * gap for words, gap in rows]),
    }


def truth_of(model: Counted, steps: int = STEPS, accumulation: int = ACCUMULATION) -> Truth:
    """Of all steps after the first: processed, non-padding and loss tokens, and the model's parameters."""
    counted = model.seen[accumulation : steps * accumulation]
    tokens, nonpad, with_loss = (sum(column) for column in zip(*counted, strict=True))
    parameters = sum(p.numel() for p in model.parameters())
    return {"steps": steps - 1, "tokens": tokens, "nonpad_tokens": nonpad, "loss_tokens": with_loss,
            "parameters": parameters}  # fmt: skip


def trainer(model: Any, callbacks: list[Any] | None = None, **settings: Any) -> Any:
    arguments = transformers.TrainingArguments(
        output_dir=mkdtemp(), max_steps=STEPS, per_device_train_batch_size=BATCH, save_strategy="no", use_cpu=True,
        gradient_accumulation_steps=ACCUMULATION, report_to=[], disable_tqdm=True, remove_unused_columns=False,
        **({"logging_strategy": "no"} | settings),
    )  # fmt: skip
    return transformers.Trainer(
        model=model, args=arguments, train_dataset=samples(STEPS * BATCH * ACCUMULATION), eval_dataset=samples(4),
        data_collator=padded, callbacks=callbacks,
    )  # fmt: skip


def hugging_face_padded() -> Truth:
    model = llama()
    trainer(model).train()
    return truth_of(model)


def hugging_face_evaluating() -> Truth:
    model = llama()
    trainer(model, eval_strategy="steps", eval_steps=4).train()
    truth = truth_of(model)
    # The steps after evaluations four and eight are kept apart.
    marked = sum(sum(tokens for tokens, _, _ in model.seen[2 * step : 2 * step + 2]) for step in (4, 8))
    return {"steps": truth["steps"] - 2, "tokens": truth["tokens"] - marked, "marked_steps": 2, "marked_tokens": marked,
            "parameters": truth["parameters"]}  # fmt: skip


def hugging_face_compiled() -> Truth:
    # A model that counts would break the graph, so each batch has one size.
    model = transformers.LlamaForCausalLM(llama().config)
    made = trainer(model, torch_compile=True, torch_compile_backend="aot_eager", bf16=True)
    made.data_collator = lambda batch: padded(batch, LONGEST)
    made.train()
    parameters = sum(p.numel() for p in model.parameters())
    return {"steps": STEPS - 1, "tokens": (STEPS - 1) * ACCUMULATION * BATCH * LONGEST, "parameters": parameters,
            "precision": "bfloat16"}  # fmt: skip


def hugging_face_checkpointed() -> Truth:
    model = llama()
    trainer(model, gradient_checkpointing=True).train()
    return truth_of(model)


def hugging_face_callback() -> Truth:
    model = llama()
    callbacks = [steelyard_step.hugging_face()]
    trainer(model, callbacks, include_num_input_tokens_seen="all", logging_strategy="steps", logging_steps=1).train()
    truth = truth_of(model)
    return {"steps": truth["steps"], "tokens": truth["tokens"], "parameters": truth["parameters"], "origin": "declared"}


class Module(lightning.LightningModule):
    """A LightningModule that calls its model; the module itself is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.model = llama()

    def training_step(self, batch: Any, batch_index: int) -> Any:
        return self.model(**batch).loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class CallingItself(Module):
    """A LightningModule that is called itself."""

    def forward(self, **batch: Any) -> Any:
        return self.model(**batch)

    def training_step(self, batch: Any, batch_index: int) -> Any:
        return self(**batch).loss


def loader() -> Any:
    return torch.utils.data.DataLoader(samples(STEPS * BATCH * ACCUMULATION), batch_size=BATCH, collate_fn=padded)


def fit(module: Module, callbacks: list[Any]) -> Counted:
    lightning.Trainer(
        max_steps=STEPS, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accumulate_grad_batches=ACCUMULATION, callbacks=callbacks,
        default_root_dir=mkdtemp(),
    ).fit(module, loader())  # fmt: skip
    return module.model


def lightning_plain() -> Truth:
    return truth_of(fit(CallingItself(), []))


def lightning_inner() -> Truth:
    truth = truth_of(model := fit(Module(), []))
    # The model inside is looked for when three steps have shown no tokens; the steps before have none.
    told = 6
    truth |= {"steps": truth["steps"] - 2, "token_steps": told}
    columns = zip(*model.seen[-told * ACCUMULATION :], strict=True)
    return truth | dict(zip(("tokens", "nonpad_tokens", "loss_tokens"), map(sum, columns), strict=True))


def lightning_callback() -> Truth:
    truth = truth_of(fit(Module(), [steelyard_step.lightning()]))
    return {"steps": truth["steps"], "tokens": truth["tokens"], "parameters": truth["parameters"], "origin": "declared"}


def accelerated(say: Callable[[Any], Callable[[Any], None]]) -> Counted:
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=ACCUMULATION)
    model = llama()
    optimizer = torch.optim.AdamW(model.parameters())
    model, optimizer, batches = accelerator.prepare(model, optimizer, loader())
    said = say(accelerator)
    for batch in batches:
        with accelerator.accumulate(model):
            accelerator.backward(model(**batch).loss)
            optimizer.step()
            optimizer.zero_grad()
            said(batch)
    return model


def accelerate_plain() -> Truth:
    return truth_of(accelerated(lambda accelerator: lambda batch: None))


def accelerate_said() -> Truth:
    truth = truth_of(accelerated(steelyard_step.accelerate))
    return {"steps": truth["steps"], "tokens": truth["tokens"], "parameters": truth["parameters"], "origin": "declared"}


CASES: tuple[Callable[[], Truth], ...] = (
    hugging_face_padded, hugging_face_evaluating, hugging_face_compiled, hugging_face_checkpointed,
    hugging_face_callback, lightning_plain, lightning_inner, lightning_callback, accelerate_plain, accelerate_said,
)  # fmt: skip
