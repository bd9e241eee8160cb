"""Any denoiser and a canvas -> a valid text, committed slot by slot or many slots at once.

A masked diffusion model (LLaDA: Nie et al. 2025; Dream: Ye et al. 2025) scores every slot of a text in which open slots
hold a mask token. Each step asks it once, takes one fill of the whole canvas from the exact law (structgen/infilling/
law.py), and commits some of its tokens. A subset of one valid fill can always be completed, so the text is valid
however few the steps are. Which slots come first is the model's affair: the law is exact for each step, not over the
steps.

What is missing over the steps is a weight. A step draws slots t of a fill of law p / Z, which has them with probability
p(t) Z(t) / Z, Z(t) being what is left for the other slots by the same scores; the model alone has p(t). So where it
does not depend on what is drawn which slots come next, the product of Z / Z(t) is the weight that makes runs the
model's own, given that they end valid, and its mean is the probability that they do (samplers/weights.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from structgen.errors import ModelError, OptionError
from structgen.infilling.canvas import Canvas
from structgen.infilling.law import CanvasLaw
from structgen.protocols import Chooser
from structgen.samplers.choosers import stream_of
from structgen.samplers.weights import Account

__all__ = ["Commit", "Denoised", "Order", "Step", "denoise"]

Order = Literal["confidence", "entropy", "random", "left"]
Commit = Literal["joint", "best"]
Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the slots it committed, the canvas behind it, and the log-probability that an independent draw of all
    open slots before it would have been valid."""

    committed: tuple[int, ...]
    tokens: tuple[int | None, ...]
    log_z: float


@dataclass(frozen=True, slots=True)
class Denoised:
    """A filled canvas: its tokens, its text, and the steps, one call of the model each. `account`: what the run weighs,
    where that was asked for (`weighted`)."""

    tokens: tuple[int, ...]
    text: str
    steps: tuple[Step, ...]
    account: Account | None = None


def denoise(
    model: Callable[[Longs], Any],
    canvas: Canvas,
    *,
    mask_id: int,
    steps: int,
    prompt: Sequence[int] = (),
    order: Order = "confidence",
    commit: Commit = "joint",
    block: int | None = None,
    temperature: float = 1.0,
    shifted: bool = False,
    weighted: bool = False,
    seed: int | Chooser = 0,
) -> Denoised:
    """Fill the open slots of a canvas, which becomes fixed.

    `model` gets token ids i64 (1, prompt + slots), `mask_id` in open slots, and gives logits (1, prompt + slots, >= V),
    numpy or torch on the CPU; `shifted`: those of a token stand one place before it (Dream). `steps` calls of it are
    shared evenly by blocks of `block` slots, from left to right, and by the slots of a block. `order`: which slots are
    committed first, those of the surest tokens, of the least entropy, random ones, the leftmost. `commit`: each step
    takes an exact joint draw ("joint", at `temperature`) or the likeliest fill. `weighted`: weigh the run, for orders
    "random" and "left" and joint draws; costs a second sum over the canvas a step.

    Raises Unsatisfiable where nothing fits, ModelError where the logits are none, OptionError.
    """
    _check(steps, order, commit, block, temperature)
    if weighted and (commit != "joint" or order not in ("random", "left")):
        reason = (
            "a run is weighed where it commits joint draws, in an order that does not depend on them: random or left"
        )
        raise OptionError(reason, option="weighted")
    if shifted and not len(prompt):
        raise OptionError("a model whose logits are shifted needs a prompt, of one token at least", option="prompt")
    open_slots = np.array(canvas.open_slots(), np.int64)
    blocks = [part for part in _blocks(open_slots, block or canvas.slots) if len(part)]
    chooser, taken, before = stream_of(seed), list[Step](), 0
    account = Account() if weighted else None
    for part in blocks:
        behind = before + len(part)
        share = max(1, steps * behind // len(open_slots) - steps * before // len(open_slots))
        before = behind
        for slots in np.array_split(np.arange(len(part)), min(share, len(part))):
            scores = _scores(model, canvas, mask_id, prompt, shifted)
            scores = scores if commit == "best" or temperature == 1 else scores / temperature
            law = canvas.law(scores)
            fill = law.best()[0] if commit == "best" else law.sample(chooser)
            left = np.array([i for i in part.tolist() if canvas.tokens[i] is None], np.int64)
            chosen = left[_first(order, law, fill, left, chooser)[: len(slots)]]
            for i in chosen.tolist():
                canvas.fix(i, int(fill[i]))
            taken.append(Step(tuple(sorted(chosen.tolist())), tuple(canvas.tokens), law.log_z))
            if account is not None:
                _weigh(account, law, chosen, fill[chosen], canvas.law(scores).log_z if canvas.open_slots() else 0.0)
    tokens = tuple(token for token in canvas.tokens if token is not None)
    return Denoised(tokens, canvas.text(), tuple(taken), account)


def _weigh(account: Account, law: CanvasLaw, slots: Longs, tokens: Longs, left: float) -> None:
    """Add a step that committed some tokens of a draw of `law`; by the same scores the other slots have `left`."""
    log_prob = law.log_prob_of(slots, tokens)
    log_weight = law.log_z - left if law.log_z > -np.inf else -np.inf
    account.add(log_prob, law.log_z, log_weight, log_prob - log_weight if log_weight > -np.inf else None)


def _check(steps: int, order: str, commit: str, block: int | None, temperature: float) -> None:
    """Raise OptionError where an option is none."""
    for option, given, known in (("order", order, get_args(Order)), ("commit", commit, get_args(Commit))):
        if given not in known:
            raise OptionError(f"{option} is one of {', '.join(known)}, not {given!r}", option=option)
    for option, number in (("steps", steps), ("block", block)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
            raise OptionError(f"{option} is an integer of at least 1, not {number!r}", option=option)
    if not 0 < temperature < np.inf:
        raise OptionError(f"temperature is positive and finite, not {temperature!r}", option="temperature")


def _blocks(slots: Longs, block: int) -> list[Longs]:
    """Open slots by the block they are in."""
    return [slots[slots // block == each] for each in range(int(slots.max(initial=0)) // block + 1)]


def _scores(
    model: Callable[[Longs], Any], canvas: Canvas, mask_id: int, prompt: Sequence[int], shifted: bool
) -> NDArray[Any]:
    """What the model says of every slot."""
    tokens = [mask_id if token is None else token for token in canvas.tokens]
    ids = np.array([[*prompt, *tokens]], np.int64)
    logits = np.asarray(model(ids))
    if logits.ndim != 3 or logits.shape[:2] != ids.shape:
        raise ModelError(f"the model returned logits of shape {logits.shape} for ids of shape {ids.shape}")
    first = len(prompt) - int(shifted)
    return logits[0, first : first + canvas.slots]


def _first(order: Order, law: CanvasLaw, fill: Longs, slots: Longs, chooser: Chooser) -> NDArray[np.intp]:
    """The places of `slots` in the order in which they are to be committed."""
    if order == "left":
        return np.arange(len(slots))
    if order == "random":
        return np.array(list(chooser.order(np.zeros(len(slots)))))
    log_marginals = law.log_marginals()[slots].astype(np.float64)
    if order == "confidence":
        return np.argsort(-log_marginals[np.arange(len(slots)), fill[slots]], kind="stable")
    finite = np.where(log_marginals > -np.inf, log_marginals, 0.0)
    return np.argsort(-(np.exp(log_marginals) * finite).sum(axis=1), kind="stable")
