"""Our decode loop inside transformers' `generate`: texts that are whole within `max_new_tokens`.

    from structgen.integrations.custom_generate import complete
    model.generate(**inputs, custom_generate=complete, constraint=constraint, max_new_tokens=64)

A `LogitsProcessor` masks, and a loop of transformers then stops where its tokens run out, in the middle of a text. Here
the loop is ours (engines/decode.py): near its end a row goes back to its last whole value and is completed from there.
Temperature, top-k, top-p, min-p and the repetition penalty are read from the generation config, other processors are
called as they are, and torch's seed decides the draws. Whatever else `generate` is asked for is refused by its name.

Cost: that of our loop; a row that has ended is read on with its last token until all have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.generation import logits_process
from transformers.generation.stopping_criteria import EosTokenCriteria, MaxLengthCriteria

from structgen.engines.decode import Request, decode
from structgen.engines.transformers import TransformersEngine
from structgen.errors import OptionError
from structgen.matcher import Constraint
from structgen.options import SamplingOptions
from structgen.vocabulary import check_model

__all__ = ["complete"]

_READ = tuple(  # what is read from the generation config
    getattr(logits_process, f"{name}Logits{kind}")
    for name, kind in (
        ("Temperature", "Warper"), ("TopK", "Warper"), ("TopP", "Warper"), ("MinP", "Warper"),
        ("RepetitionPenalty", "Processor"),
    )
)  # fmt: skip
_INPUTS = (
    "attention_mask",
    "position_ids",
    "cache",
    "past_key_values",
    "use_cache",
    "logits_to_keep",
    "cache_position",
)


def complete(
    model: Any,
    input_ids: torch.Tensor,
    logits_processor: Any = (),
    stopping_criteria: Any = (),
    generation_config: Any = None,
    *,
    constraint: Constraint | Sequence[Constraint | None],
    **inputs: Any,
) -> torch.Tensor:
    """i64 (B, t + n): prompts (B, t) and the outputs behind them, padded on the right.

    `constraint`: one for all rows, or one per prompt. Raises OptionError for what is not done, BudgetTooSmall where not
    even the shortest text of a constraint fits, ModelError for encoder-decoder models, VocabularyError.
    """
    _check(generation_config, stopping_criteria, inputs)
    constraints = [constraint] if isinstance(constraint, Constraint) else list(constraint)
    known = next((each.vocabulary for each in constraints if each is not None), None)
    if known is None or len(input_ids) % len(constraints):
        reason = f"{len(constraints)} constraints for {len(input_ids)} sequences"
        raise OptionError(reason, option="constraint")
    check_model(known, model)
    engine = TransformersEngine(model, None, known)
    attention = inputs.get("attention_mask")
    kept = torch.ones_like(input_ids) if attention is None else attention
    prompts = [row[mask.bool()].tolist() for row, mask in zip(input_ids, kept, strict=True)]
    budget = generation_config.max_length - input_ids.shape[1]
    processors = tuple(each for each in logits_processor if not isinstance(each, _READ))
    requests = [
        Request(prompt, each, budget, is_json=each is not None and each.target is not None, processors=processors,
                steer=each is not None)
        for row, prompt in enumerate(prompts)
        for each in (constraints[row * len(constraints) // len(prompts)],)
    ]  # fmt: skip
    outputs = decode(engine, requests, _sampling(generation_config), weigh=False)
    rows = [[*each.token_ids, *(() if each.stop_id is None else (each.stop_id,))] for each in outputs]
    pad = generation_config.pad_token_id
    filler = known.stop_ids[0] if pad is None else int(pad)
    longest = max(map(len, rows))
    written = torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows], device=input_ids.device)
    return torch.cat([input_ids, written.to(input_ids.dtype)], dim=1)


def _check(config: Any, criteria: Any, inputs: dict[str, Any]) -> None:
    """Refuse what this loop does not do."""
    for option, usual in (("num_beams", 1), ("return_dict_in_generate", False), ("prompt_lookup_num_tokens", None)):
        if getattr(config, option, usual) not in (usual, None):
            raise OptionError(f"{option} is not done by this loop", option=option)
    for each in criteria:
        if not isinstance(each, MaxLengthCriteria | EosTokenCriteria):
            raise OptionError(f"{type(each).__name__} is not done by this loop", option="stopping_criteria")
    for name, value in inputs.items():
        if name not in _INPUTS and value is not None:
            raise OptionError(f"the model's input {name} is not read by this loop", option=name)


def _sampling(config: Any) -> SamplingOptions:
    """How tokens are drawn."""
    penalty = 1.0 if config.repetition_penalty is None else config.repetition_penalty
    if not config.do_sample:
        return SamplingOptions(temperature=0.0, repetition_penalty=penalty)
    return SamplingOptions(
        temperature=1.0 if config.temperature is None else config.temperature,
        top_k=config.top_k or None,
        top_p=config.top_p,
        min_p=config.min_p,
        repetition_penalty=penalty,
        seed=int(torch.randint(1 << 62, ())),
    )
