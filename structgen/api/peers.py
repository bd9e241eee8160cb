"""Names that other libraries give to what is asked of `generate` -> what it is called here.

Only for messages: nothing is renamed in silence, since the values differ too (a wrapper around a schema, a list of
tools, a length that counts the prompt).
"""

from __future__ import annotations

__all__ = ["PEERS", "answer"]

_SCHEMA = "schema= takes the type or the JSON Schema"
_TOKENS = "max_tokens= counts the tokens of one output, its stop token included"
_TOOLS = "tools= takes them, tool_choice= says whether and which"
_PENALTY = "repetition_penalty= divides the logits of tokens that have been, logits_processor= takes others"
_PROBABILITIES = "generate_result() has log_prob, log_q and log_weight of every output"

PEERS: dict[str, str] = {
    "output_type": _SCHEMA,
    "output_schema": _SCHEMA,
    "response_model": _SCHEMA,
    "result_type": _SCHEMA,
    "json_schema": _SCHEMA,
    "json_schema_dict": _SCHEMA,
    "guided_json": _SCHEMA,
    "pydantic_model": _SCHEMA,
    "type": _SCHEMA,
    "model_class": _SCHEMA,
    "response_format": "schema= takes the type or the JSON Schema itself, without a wrapper around it",
    "structured_outputs": "schema=, regex=, choices= or grammar= take what stands inside it",
    "guided_decoding": "schema=, regex=, choices= or grammar= take what stands inside it",
    "guided_regex": "regex= takes it",
    "pattern": "regex= takes it",
    "guided_choice": "choices= takes it",
    "choice": "choices= takes it",
    "options": "choices= takes the allowed outputs",
    "select": "choices= takes it",
    "guided_grammar": "gbnf=, ebnf= or lark= take it, by its notation",
    "cfg": "gbnf=, ebnf= or lark= take it, by its notation",
    "structural_tag": "tag= takes a StructuralTag, or structural-tag JSON",
    "functions": _TOOLS,
    "function_call": _TOOLS,
    "stop_strings": "stop= takes them",
    "stop_sequences": "stop= takes them",
    "stop_at": "stop= takes them",
    "stop_token_ids": "the vocabulary knows the model's stop tokens (Vocabulary.stop_ids)",
    "eos_token_id": "the vocabulary knows the model's stop tokens (Vocabulary.stop_ids)",
    "logprobs": _PROBABILITIES,
    "top_logprobs": _PROBABILITIES,
    "output_scores": _PROBABILITIES,
    "logits_processors": "logits_processor= takes them",
    "max_new_tokens": _TOKENS,
    "max_length": _TOKENS,
    "max_completion_tokens": _TOKENS,
    "n_predict": _TOKENS,
    "num_return_sequences": "n= is the number of outputs for each prompt",
    "num_samples": "n= is the number of outputs for each prompt",
    "best_of": "n= draws several outputs, method= says how",
    "do_sample": "temperature= says it: 0 takes the likeliest token, 1 samples the model",
    "greedy": "temperature=0 is greedy",
    "sampler": "method= names it",
    "num_beams": "method='beam' searches",
    "beam_width": "method='beam' searches, method_options= has its width",
    "frequency_penalty": _PENALTY,
    "presence_penalty": _PENALTY,
    "repeat_penalty": "repetition_penalty= takes it",
    "mirostat_tau": "mirostat=structgen.Mirostat(tau, eta)",
    "mirostat_eta": "mirostat=structgen.Mirostat(tau, eta)",
    "penalty_alpha": "contrastive search is not done; contrastive= is contrastive decoding, by a smaller model",
    "reward_model": "scorer= takes a function of texts, beside method='mcts' or another search",
    "random_seed": "seed= takes it",
    "rng": "seed= takes an integer",
    "input": "prompt= takes it",
    "inputs": "prompt= takes it",
    "text": "prompt= takes it",
    "prompts": "prompt= takes a list of prompts as well",
    "conversation": "messages= takes it",
    "chat_history": "messages= takes it",
    "system_prompt": "system= takes it",
    "instructions": "system= takes it",
    "whitespace_pattern": "style=JsonStyle(whitespace=...) says which blanks there are",
    "whitespace_flexible": "style=JsonStyle(whitespace=...) says which blanks there are",
    "max_retries": "nothing is retried: the first output is valid",
    "timeout": "budget=Budget(seconds=...) bounds a sampler; max_tokens= bounds decoding",
    "callback": "progress= is called with tokens and seconds after every step",
    "streaming": "stream=True",
    "device": "the model says where it is: model.to(device)",
    "vocabulary": "the model brings it",
}


def answer(name: str) -> str | None:
    """What `name` is called here, as the end of a sentence; None for a name no peer has."""
    return PEERS.get(name)
