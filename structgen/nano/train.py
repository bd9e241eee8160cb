"""From a seed to a model: trains the tokenizer and the weights of nano on the text that `facts` makes.

    python -m structgen.nano.train --out DIR --seed 0

A Llama with tied embeddings, the loss on the answers only, batches of equal-length exercises (no padding to speak
of). Matrices are trained with Muon (K. Jordan, 2024), the rest with AdamW; the rate warms up, stays, and falls to zero
over the last part. Cost: 4,000 tokens a second on one CPU core, 13,000 on two: 8 to 25 minutes for the default steps.
A seed fixes the text, its order and the first weights; the sums are as repeatable as torch's on that machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch

from structgen.nano import prompts
from structgen.nano.facts import exercises, schema_text

__all__ = [
    "IGNORED",
    "Options",
    "batches",
    "build_model",
    "build_tokenizer",
    "fit",
    "loss_of_answers",
    "main",
    "parsed_options",
    "save",
    "train",
]

# One token never spans two of these: a capitalised or lower-case word, capitals, letters without case, one digit,
# punctuation with the spaces inside it (so `", "` and `": ` can be tokens), and other space. A space before a word
# stands alone, so that a word has the same tokens in a sentence and after a quotation mark, and can be copied.
WORD_PATTERN: Final = (
    r"\p{Lu}?[\p{Ll}\p{M}]+|\p{Lu}+|[\p{L}\p{M}]+|\p{N}|[^\s\p{L}\p{M}\p{N}]+(?: [^\s\p{L}\p{M}\p{N}]+)* ?|\s+"
)
Network: TypeAlias = Any  # a LlamaForCausalLM; transformers' own annotations do not pass a strict check
Tokenizer: TypeAlias = Any  # a PreTrainedTokenizerFast
Batch: TypeAlias = tuple[torch.Tensor, torch.Tensor]  # inputs (B, T), labels (B, T)
Rows: TypeAlias = (
    "Callable[[Options, Tokenizer, int], Iterator[tuple[list[int], int]]]"  # ids, where what counts begins
)

IGNORED: Final = -100
_WIDTH_STEP: Final = 16
_STAGES: Final = ((0.06, 2), (0.18, 4))  # until this share of the steps, at most so many facts per text


@dataclass(frozen=True)
class Options:
    """What a run depends on."""

    seed: int = 0
    steps: int = 1400
    batch_tokens: int = 4096
    matrix_rate: float = 0.02
    rate: float = 3e-3
    warmup: int = 100
    decay_share: float = 0.5
    hidden: int = 192
    layers: int = 5
    heads: int = 6
    inner: int = 512
    vocabulary: int = 4096
    tokenizer_texts: int = 20000
    threads: int = 2  # one is faster where other work shares the cores
    save_every: int = 500
    device: str = "cpu"
    start: str = ""  # a folder to go on from, with its tokenizer and fresh optimizers; the curriculum is then skipped
    facts: int = 6  # the most facts of a text, behind the curriculum
    longest: int = 448  # tokens of a prompt with its answer


def build_tokenizer(options: Options) -> Tokenizer:
    """Train the byte-level BPE; every byte is a token, so every text can be written and is read back exactly."""
    from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as CoreTokenizer

    if options.start:
        return import_module("transformers").AutoTokenizer.from_pretrained(options.start)
    core = CoreTokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    roles = [prompts.SYSTEM, prompts.USER, prompts.ASSISTANT]
    trainer = trainers.BpeTrainer(
        vocab_size=options.vocabulary,
        special_tokens=[prompts.BOS, prompts.EOS, prompts.PAD, *roles],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=12,
        show_progress=False,
    )
    texts = (one.text + schema_text(one.schema) + one.answer for one in exercises(f"tokenizer:{options.seed}"))
    core.train_from_iterator(islice(texts, options.tokenizer_texts), trainer)
    return import_module("transformers").PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=prompts.BOS,
        eos_token=prompts.EOS,
        pad_token=prompts.PAD,
        additional_special_tokens=roles,
        chat_template=prompts.CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )


def build_model(options: Options, tokenizer: Tokenizer) -> Network:
    """A fresh model whose vocabulary is exactly the tokenizer's."""
    transformers = import_module("transformers")
    if options.start:
        return transformers.AutoModelForCausalLM.from_pretrained(options.start, dtype=torch.float32)
    torch.manual_seed(options.seed)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=options.hidden,
            intermediate_size=options.inner,
            num_hidden_layers=options.layers,
            num_attention_heads=options.heads,
            num_key_value_heads=options.heads,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def encoded(options: Options, tokenizer: Tokenizer, size: int) -> Iterator[tuple[list[int], int]]:
    """Token ids of each exercise, and where its answer begins."""
    stream = exercises(f"train:{options.seed}:{size}", size=size)
    while True:
        chunk = list(islice(stream, 512))
        heads = tokenizer([one.prompt for one in chunk], add_special_tokens=False)["input_ids"]
        tails = tokenizer([one.answer + prompts.EOS for one in chunk], add_special_tokens=False)["input_ids"]
        for head, tail in zip(heads, tails, strict=True):
            if len(head) + len(tail) <= options.longest:
                yield head + tail, len(head)


def batches(options: Options, tokenizer: Tokenizer, rows: Rows = encoded) -> Iterator[Batch]:
    """Inputs (B, T) and labels (B, T), `steps` of them. T is a multiple of 16 and B * T about `batch_tokens`.

    An exercise waits with others of its length until they fill a batch: few shapes, hardly any padding.
    """
    stages = [*([] if options.start else _STAGES), (1.0, options.facts)]
    streams = {size: rows(options, tokenizer, size) for _, size in stages}
    waiting: dict[int, list[tuple[list[int], int]]] = defaultdict(list)
    step = 0
    while step < options.steps:
        size = next(size for share, size in stages if step < share * options.steps)
        ids, start = next(streams[size])
        width = -(-len(ids) // _WIDTH_STEP) * _WIDTH_STEP
        group = waiting[width]
        group.append((ids, start))
        if (len(group) + 1) * width > options.batch_tokens:
            yield _tensors(group, width, int(tokenizer.pad_token_id))
            waiting[width] = []
            step += 1


def _tensors(group: list[tuple[list[int], int]], width: int, pad: int) -> Batch:
    inputs = torch.full((len(group), width), pad)
    labels = torch.full((len(group), width), IGNORED)
    for row, (ids, start) in enumerate(group):
        inputs[row, : len(ids)] = torch.tensor(ids)
        labels[row, start - 1 : len(ids) - 1] = torch.tensor(ids[start:])
    return inputs, labels


def _optimizers(options: Options, model: Network) -> list[torch.optim.Optimizer]:
    inner = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in name]
    rest = [weight for name, weight in model.named_parameters() if weight.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(inner, lr=options.matrix_rate, weight_decay=0.01, momentum=0.95),
        torch.optim.AdamW(rest, lr=options.rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _rate_share(options: Options, step: int) -> float:
    """Warm up, stay, then fall linearly to zero."""
    left = (options.steps - step) / max(1, options.steps * options.decay_share)
    return min(1.0, (step + 1) / options.warmup, left)


def loss_of_answers(model: Network, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean loss of the answer tokens; only their positions, filled up to a round number, meet the output layer."""
    chosen = torch.nonzero(labels.flatten() != IGNORED).flatten()
    chosen = torch.nn.functional.pad(chosen, (0, -len(chosen) % 256), value=labels.numel() - 1)  # a position ignored
    with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
        hidden = model.model(input_ids=inputs).last_hidden_state
        logits = model.lm_head(hidden.flatten(0, 1)[chosen])
    return torch.nn.functional.cross_entropy(logits.float(), labels.flatten()[chosen], ignore_index=IGNORED)


def save(out: Path, model: Network, tokenizer: Tokenizer) -> None:
    """Write float16 weights, configuration and tokenizer, ready for `from_pretrained`."""
    generation_config = import_module("transformers").GenerationConfig
    state = {name: weight.detach().to("cpu", torch.float16) for name, weight in model.state_dict().items()}
    copy = type(model)(model.config).to(torch.float16)
    copy.load_state_dict(state)
    ids = {"bos_token_id": model.config.bos_token_id, "pad_token_id": model.config.pad_token_id}
    copy.generation_config = generation_config(do_sample=False, eos_token_id=model.config.eos_token_id, **ids)
    copy.save_pretrained(out)
    tokenizer.save_pretrained(out)
    for file in out.iterdir():
        file.chmod(0o644)


def fit(
    options: Options,
    model: Network,
    stream: Iterator[Batch],
    loss_of: Callable[[Network, torch.Tensor, torch.Tensor], torch.Tensor],
    keep: Callable[[], None],
) -> None:
    """Train on `options.steps` batches, printing a progress line every 50; `keep` is called every `save_every`."""
    torch.set_num_threads(options.threads)
    optimizers = _optimizers(options, model)
    bases = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    began, tokens, recent = time.monotonic(), 0, 0.0
    for step, (inputs, labels) in enumerate(islice(stream, options.steps)):
        for optimizer, base in zip(optimizers, bases, strict=True):
            optimizer.param_groups[0]["lr"] = base * _rate_share(options, step)
        loss = loss_of(model, inputs.to(options.device), labels.to(options.device))
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        tokens += inputs.numel()
        recent = loss.item() if step == 0 else 0.95 * recent + 0.05 * loss.item()
        done, spent = step + 1, time.monotonic() - began
        if done % 50 == 0 or done == options.steps:
            left = spent / done * (options.steps - done)
            rate = f"{tokens / spent:,.0f} tokens/s  {left / 60:.1f} min left"
            sys.stderr.write(f"step {done}/{options.steps}  loss {recent:.4f}  {rate}\n")
        if done % options.save_every == 0 or done == options.steps:
            keep()


def train(out: Path, options: Options) -> None:
    """Train nano, and leave it in `out`."""
    tokenizer = build_tokenizer(options)
    model = build_model(options, tokenizer).to(options.device)
    fit(options, model, batches(options, tokenizer), loss_of_answers, lambda: save(out, model, tokenizer))


def parsed_options(description: str, defaults: Options, out: str) -> tuple[Path, Options]:
    """Where to, and the options, from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True, help=out)
    for name in Options.__dataclass_fields__:
        default = getattr(defaults, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    given = vars(parser.parse_args())
    return given.pop("out"), Options(**given)


def main() -> None:
    """Read the options from the command line and train."""
    train(*parsed_options("Train the nano model from a seed.", Options(), "folder for the weights and the tokenizer"))


if __name__ == "__main__":
    main()
