"""Constraints in transformers' continuous batching: a constraint for each request, and texts that end within it.

    settings = ContinuousBatchingConfig(use_async_batching=False)
    manager = model.init_continuous_batching(continuous_batching_config=settings)
    batching = ConstrainedBatching(manager)
    manager.start()
    name = batching.add_request(ids, constraint, max_new_tokens=64)

transformers 5.24 has no public argument for a processor of one's own (what `generate_batch(logits_processor=...)` is
given, it drops without a word). So ours is put first into the manager's list before the start, with the one count that
this list keeps.

What a request has written is read off its state at every step, so nothing is lost where the manager takes a request out
of memory and begins it anew with its own output as a part of the prompt. Near the end of `max_new_tokens` a text is
completed (follower.py). Cost: a mask row a request, and one kernel for the batch.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers.generation.continuous_batching.cb_logits_processors import ContinuousBatchingLogitsProcessor

from structgen.bits import words_for
from structgen.engines.masking import apply_table
from structgen.errors import OptionError, VocabularyError
from structgen.integrations.follower import Follower
from structgen.matcher import Constraint
from structgen.vocabulary import check_model

__all__ = ["ConstrainedBatching"]

_MOST = 4096  # requests whose place is remembered; another one's is found again from its tokens
_log = logging.getLogger("structgen")


class ConstrainedBatching:
    """Puts constraints into a manager of continuous batching that has not started.

    Raises OptionError for a manager that has, for one that draws the next token before it knows the last
    (`use_async_batching`), for CUDA graphs, and for a transformers whose manager is made otherwise.
    """

    def __init__(self, manager: Any) -> None:
        config, processors = manager.continuous_batching_config, getattr(manager, "logit_processor", None)
        if processors is None or not {"tensors_required", "supported_keys"} <= set(vars(processors)):
            raise OptionError("this version of transformers keeps its processors otherwise", option="manager")
        if manager.batch_processor is not None:
            raise OptionError("constraints are put in before the manager starts", option="manager")
        if config.use_async_batching:
            raise OptionError("a mask needs the last token: use_async_batching=False", option="use_async_batching")
        graphs = config.use_cuda_graph
        if any(graphs) if isinstance(graphs, Sequence) else graphs:
            raise OptionError("masks are made anew at every step: use_cuda_graph=False", option="use_cuda_graph")
        self.manager = manager
        processors.logits_processor.insert(0, _Processor())
        processors.tensors_required += 1
        processors.do_processing = True
        processors._retrieve_processors_kwargs()

    def add_request(self, input_ids: Sequence[int], constraint: Constraint | None = None, **options: Any) -> str:
        """Queue a request; `options` are those of the manager's `add_request`. Its stop tokens are the constraint's.

        Raises VocabularyError where the model speaks another vocabulary.
        """
        if constraint is not None:
            check_model(constraint.vocabulary, self.manager.model)
            options = {"eos_token_id": list(constraint.vocabulary.stop_ids), **options, "constraint": _Held(constraint)}
        return str(self.manager.add_request(list(input_ids), **options))


class _Held:
    """A constraint that requests share, also those that are copied."""

    def __init__(self, constraint: Constraint) -> None:
        self.constraint = constraint

    def __deepcopy__(self, _: Any) -> _Held:
        return self


class _Processor(ContinuousBatchingLogitsProcessor):
    """Masks the logits of a step. Its argument for a request is the row of a table, -1 without a constraint."""

    supported_kwargs = {"constraint": _Held}  # noqa: RUF012 - as its base class has it
    ignored_kwargs = ()

    def __init__(self) -> None:
        self._followers: OrderedDict[str, tuple[Follower, list[int]]] = OrderedDict()
        self._table = torch.zeros((0, 0), dtype=torch.int32)

    def fill_defaults(self, int32_tensor: torch.Tensor) -> None:
        """No constraint."""
        int32_tensor.fill_(-1)

    def prepare_tensor_args(self, requests_with_new_token: list[Any]) -> torch.Tensor:
        """The row of each request, i32 (n,), which is written here."""
        states = [request.state for request in requests_with_new_token]
        held = [state.logit_processor_kwargs.get("constraint") for state in states]
        words = max((words_for(each.constraint.vocabulary.size) for each in held if each is not None), default=0)
        rows = np.zeros((len(states), words), np.uint32)
        for row, state, each in zip(rows, states, held, strict=True):
            if each is not None:
                self._follower(state, each.constraint).fill(row)
        self._table = torch.from_numpy(rows.view(np.int32))
        return torch.tensor([-1 if each is None else at for at, each in enumerate(held)], dtype=torch.int32)

    def __call__(self, scores: torch.Tensor, tensor_arg: torch.Tensor) -> torch.Tensor:
        """(n, V) scores with everything that is not allowed at -inf."""
        if self._table.shape[1]:
            apply_table(scores, self._table.to(scores.device), tensor_arg[: len(scores)].contiguous())
        return scores

    def _follower(self, state: Any, constraint: Constraint) -> Follower:
        """A request's place behind all that it has written."""
        written = _written(state)
        known = self._followers.pop(state.request_id, None)
        if known is None or known[0].matcher.constraint is not constraint or written[: len(known[1])] != known[1]:
            known = Follower(constraint.matcher()), []
            if state.max_new_tokens is not None:
                known[0].steer(len(written) - len(state.generated_tokens) + state.max_new_tokens)
        follower, taken = known
        for token in written[len(taken) :]:
            if not follower.take(token):
                _log.error("request %s wrote token %d, which its constraint forbids", state.request_id, token)
                follower.error = VocabularyError(f"token {token} was not allowed")
        self._followers[state.request_id] = follower, written
        if len(self._followers) > _MOST:
            self._followers.popitem(last=False)
        return follower


def _written(state: Any) -> list[int]:
    """What a request has written: of one that was begun anew, a part of it is in its prompt."""
    before = state.initial_tokens[state._true_initial_tokens :] if state._true_initial_tokens else []
    return [*before, *state.generated_tokens]
