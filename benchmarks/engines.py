"""The engines under measurement behind one small interface, so that all walk the same tokens the same way.

compile(schema) may raise: the schema is refused. start() gives a fresh sequence; mask() computes the mask and returns
nothing; allowed(t) reads a bit of the last mask, of each engine's by the same expression, and words() all of it;
commit(t) advances; complete() says whether the text may end.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.tokenizers import Tokenizer


class Engine(Protocol):
    """What the runner needs."""

    name: str

    def compile(self, schema: Any) -> Any: ...
    def start(self, compiled: Any) -> None: ...
    def mask(self) -> None: ...
    def allowed(self, token: int) -> bool: ...
    def words(self) -> NDArray[np.uint32]: ...
    def commit(self, token: int) -> bool: ...
    def complete(self) -> bool: ...


def styles() -> dict[str, Any]:
    """JsonStyles by name; those of a peer's name spell JSON as it does (benchmarks/spellings.py shows how near)."""
    from structgen.grammars.json_schema.style import JsonStyle

    return {
        "default": JsonStyle(),
        "any": JsonStyle.any(),
        "llguidance": JsonStyle(whitespace="any", numbers="any"),
        "glrmask": JsonStyle(whitespace="json_dumps", numbers="any"),
        "xgrammar": JsonStyle(whitespace="any", numbers="any", escapes="any"),
    }


class Structgen:
    """This library, in its default style, as a peer spells JSON, or with other blanks."""

    def __init__(self, tokenizer: Tokenizer, style: str = "default") -> None:
        from structgen.compiler import compile_grammar, trie_of
        from structgen.grammars.json_schema import compile_schema
        from structgen.grammars.json_schema.style import JsonStyle

        self.name = "structgen"
        self._vocabulary = tokenizer.vocabulary
        known = styles()
        self._style = known[style] if style in known else JsonStyle(whitespace=style)  # type: ignore[arg-type]
        self._schema, self._grammar = compile_schema, compile_grammar
        self._trie = trie_of(self._vocabulary)

    def compile(self, schema: Any) -> Any:
        return self._grammar(self._schema(schema, style=self._style).grammar, self._vocabulary)

    def start(self, compiled: Any) -> None:
        self._matcher = compiled.matcher()

    def mask(self) -> None:
        self._mask = self._matcher.mask()

    def allowed(self, token: int) -> bool:
        return bool(self._mask.item(token >> 5) >> (token & 31) & 1)

    def words(self) -> NDArray[np.uint32]:
        return self._mask

    def commit(self, token: int) -> bool:
        return bool(self._matcher.accept(token))

    def complete(self) -> bool:
        return bool(self._matcher.is_accepting())


class Prepared(Structgen):
    """This library, with 20 ms on masks ahead behind each compilation, which do not count as compiling."""

    def __init__(self, tokenizer: Tokenizer, style: str = "default") -> None:
        super().__init__(tokenizer, style)
        self.name = "structgen-prepared"
        self._prepared: dict[int, Any] = {}

    def start(self, compiled: Any) -> None:
        if id(compiled) not in self._prepared:
            self._prepared = {id(compiled): compiled}  # held, so that no other has its id
            compiled.prepare(0.02)
        super().start(compiled)


class Glrmask:
    """glrmask, which precompiles the parser for the vocabulary (`PARSER_DWA`)."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        import glrmask

        self.name, self._lib, vocabulary = "glrmask", glrmask, tokenizer.vocabulary
        texts = {token: vocabulary.token_bytes(token) for token in range(vocabulary.size)}
        special = {*vocabulary.special_ids, *vocabulary.stop_ids}
        self._vocabulary = glrmask.Vocab.from_id_to_bytes(
            {t: text for t, text in texts.items() if text and t not in special}
        )
        self._mask = np.zeros(-(-vocabulary.size // 32) + 1, np.int32)

    def compile(self, schema: Any) -> Any:
        grammar = self._lib.Grammar.from_json_schema(json.dumps(schema))
        compiled = grammar.compile(self._vocabulary, mask_strategy=self._lib.MaskStrategy.AUTO)
        if compiled.mask_len() > len(self._mask):
            self._mask = np.zeros(compiled.mask_len(), np.int32)
        return compiled

    def start(self, compiled: Any) -> None:
        self._state = compiled.start()

    def mask(self) -> None:
        self._state.fill_mask(self._mask)

    def allowed(self, token: int) -> bool:
        return bool(self._mask.item(token >> 5) >> (token & 31) & 1)

    def words(self) -> NDArray[np.uint32]:
        return self._mask.view(np.uint32)

    def commit(self, token: int) -> bool:
        return bool(self._state.commit_token(token))

    def complete(self) -> bool:
        return bool(self._state.is_accepting())


class Llguidance:
    """llguidance's Python matcher."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        import llguidance
        import llguidance.hf
        import llguidance.numpy

        self.name = "llguidance"
        self._lib = llguidance
        if hasattr(tokenizer.source, "backend_tokenizer"):
            self._tokenizer = llguidance.hf.from_tokenizer(tokenizer.source)
        else:
            self._tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(_Words(tokenizer)))
        self._fill = llguidance.numpy.fill_next_token_bitmask
        self._mask = llguidance.numpy.allocate_token_bitmask(1, self._tokenizer.vocab_size)

    def compile(self, schema: Any) -> Any:
        grammar = self._lib.LLMatcher.grammar_from_json_schema(json.dumps(schema))
        matcher = self._lib.LLMatcher(self._tokenizer, grammar)
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        return matcher

    def start(self, compiled: Any) -> None:
        self._matcher = compiled.deep_copy()

    def mask(self) -> None:
        self._fill(self._matcher, self._mask, 0)

    def allowed(self, token: int) -> bool:
        return bool(self._mask.item(token >> 5) >> (token & 31) & 1)

    def words(self) -> NDArray[np.uint32]:
        return self._mask[0].view(np.uint32)

    def commit(self, token: int) -> bool:
        return bool(self._matcher.consume_token(token))

    def complete(self) -> bool:
        return bool(self._matcher.is_accepting())


class Xgrammar:
    """xgrammar's matcher, one compile thread, its compile cache off. With `stops` a stop token ends a text, as in a
    model's output; without, a text that is complete has ended."""

    def __init__(self, tokenizer: Tokenizer, stops: bool = False) -> None:
        import xgrammar

        self.name, self._stops = "xgrammar", stops
        self._lib = xgrammar
        if hasattr(tokenizer.source, "backend_tokenizer"):
            info = xgrammar.TokenizerInfo.from_huggingface(tokenizer.source, vocab_size=tokenizer.vocabulary.size)
        else:
            stops = list(tokenizer.vocabulary.stop_ids)
            info = xgrammar.TokenizerInfo(_Words(tokenizer).tokens, stop_token_ids=stops)
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self._mask = xgrammar.allocate_token_bitmask(1, info.vocab_size)
        self._words = self._mask.numpy().view(np.uint32)

    def compile(self, schema: Any) -> Any:
        return self._compiler.compile_json_schema(json.dumps(schema))

    def start(self, compiled: Any) -> None:
        self._matcher = self._lib.GrammarMatcher(compiled, terminate_without_stop_token=not self._stops)

    def mask(self) -> None:
        self._matcher.fill_next_token_bitmask(self._mask)

    def allowed(self, token: int) -> bool:
        return bool(self._words.item(token >> 5) >> (token & 31) & 1)

    def words(self) -> NDArray[np.uint32]:
        return self._words[0]

    def commit(self, token: int) -> bool:
        return bool(self._matcher.accept_token(token))

    def complete(self) -> bool:
        return bool(self._matcher.is_terminated() or self._matcher.is_completed())


class Outlines:
    """outlines-core: a schema to a regex, the regex to an index of all its states."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        import outlines_core
        from outlines_core import json_schema

        self.name = "outlines"
        self._lib, self._regex = outlines_core, json_schema.build_regex_from_schema
        vocabulary = tokenizer.vocabulary
        ids: dict[bytes, list[int]] = {}
        for token in range(vocabulary.size):
            if token not in vocabulary.special_ids and vocabulary.token_bytes(token):
                ids.setdefault(vocabulary.token_bytes(token), []).append(token)
        self._stops = vocabulary.stop_ids
        self._vocabulary = outlines_core.Vocabulary(vocabulary.stop_ids[0], ids)
        self._mask = np.zeros(-(-vocabulary.size // 32), np.uint32)

    def compile(self, schema: Any) -> Any:
        return self._lib.Index(self._regex(json.dumps(schema)), self._vocabulary)

    def start(self, compiled: Any) -> None:
        self._guide = self._lib.Guide(compiled)

    def mask(self) -> None:
        self._guide.write_mask_into(self._mask.ctypes.data, self._mask.size, self._mask.itemsize)

    def allowed(self, token: int) -> bool:
        return bool(self._mask.item(token >> 5) >> (token & 31) & 1)

    def words(self) -> NDArray[np.uint32]:
        return self._mask

    def commit(self, token: int) -> bool:
        if token in self._stops:  # which a finished guide allows and does not take
            return bool(self._guide.is_finished())
        try:
            self._guide.advance(token, False)
        except ValueError:
            return False
        return True

    def complete(self) -> bool:
        return bool(self._guide.is_finished())


class _Words:
    """A vocabulary as llguidance asks for one; every id that has no text counts as special."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        vocabulary = tokenizer.vocabulary
        self.tokens = [vocabulary.token_bytes(token) for token in range(vocabulary.size)]
        self.special_token_ids = sorted(vocabulary.special_ids)
        self.eos_token_id, self.bos_token_id = vocabulary.stop_ids[0], None
        self._encode = tokenizer.encode

    def __call__(self, text: bytes) -> list[int]:
        return self._encode(text.decode())


ENGINES = {
    "structgen": Structgen,
    "structgen-prepared": Prepared,
    "llguidance": Llguidance,
    "xgrammar": Xgrammar,
    "glrmask": Glrmask,
    "outlines": Outlines,
}


def engine_of(name: str, tokenizer: Tokenizer, style: str = "default") -> Engine:
    """An engine by its name; structgen's may be followed by @ and its style, which is `style` else."""
    kind, _, own = name.partition("@")
    made: Engine = ENGINES[kind](tokenizer, own or style) if kind.startswith("structgen") else ENGINES[kind](tokenizer)
    return made
