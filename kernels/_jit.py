"""Which functions are kernels, and the only place where Numba's flags are set.

    @UNIT.entry    what Python calls; its annotations are the types of its arguments (kernels/_signatures.py)
    @inner         what kernels call; `@inlined`: wherever it is called, `@allocating`: it makes arrays or returns them

The entries of a unit and all they call become one module of LLVM, so that every function is optimised and made machine
code once, and Python's wrappers exist for entries alone. Numba's own way is a module per function, each with a copy of
all it calls, eight deep. Receipt: docs/benchmarks.md, "First use".

A unit is compiled when an entry is first called, or found on disk (kernels/_disk.py); GIL released. Arrays are borrowed
from the caller: without Numba's run time nobody counts references to them (receipt: 5 % of the time of masks).
"""

from __future__ import annotations

import contextlib
import gc
import pickle
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, overload

import numba
from numba import types
from numba.core import event
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, Flags, compile_extra, compile_result
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps
from numba.extending import intrinsic

from structgen.kernels._disk import kernel_cache_dir, read_checked, warn_once, write_checked
from structgen.kernels._signatures import argument_types

F = TypeVar("F", bound=Callable[..., Any])
Progress = Callable[[], None]

DISABLED = bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]


class _InnerLibrary(JITCodeLibrary):
    """The code of an inner function: what units link in, itself neither optimised as a module nor made machine code."""

    def finalize(self) -> None:
        self._finalized = True

    def add_linking_library(self, library: Any) -> None:
        self._linking_libraries.append(library)

    def parts(self) -> list[Any]:
        """This and all it calls, some of them several times."""
        return [self, *chain.from_iterable(map(_parts, self._linking_libraries))]

    def get_pointer_to_function(self, name: str) -> int:
        """There is nothing that could be called."""
        return 0

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, environment: Any) -> None:
        """An environment belongs to machine code."""


class _UnitLibrary(JITCodeLibrary):
    """The code of a unit's entries, and of all they call."""

    def add_linking_library(self, library: Any) -> None:
        for part in _parts(library):
            super().add_linking_library(part)  # type: ignore[no-untyped-call]


class _MachineCode(JITCodeLibrary):
    """A unit's code from disk, and `symbols` that will be called.

    Numba's own way makes its whole type system ready first, and parses bitcode for those who would link it in. Receipt:
    first compile and mask of a process, kernels cached, 0.55 -> 0.22 s of processor time.
    """

    def __init__(self, codegen: Any, name: str, code: bytes, symbols: list[str]) -> None:
        super().__init__(codegen, name)  # type: ignore[no-untyped-call]
        self.enable_object_caching()
        self._set_compiled_object(code)
        self._finalize_final_module()
        codegen._engine._defined_symbols.update(symbols)


def _symbols(description: Any) -> tuple[str, str]:
    return description.llvm_func_name, description.llvm_cpython_wrapper_name


def _parts(library: Any) -> list[Any]:
    return library.parts() if isinstance(library, _InnerLibrary) else [library]


class _InnerCompiler(Compiler):
    def compile_extra(self, func: Any) -> Any:
        self.state.library = _InnerLibrary(self.state.targetctx.codegen(), func.__qualname__)
        return super().compile_extra(func)  # type: ignore[no-untyped-call]


class Inner(CPUDispatcher):
    """A function that kernels call. It has no machine code of its own: calling it from Python is a TypeError."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """One machine code whatever the arguments' values: Numba makes another for each literal that is passed."""
        return super().get_call_template([types.unliteral(kind) for kind in args], kws)

    def __call__(self, *arguments: Any) -> Any:
        raise TypeError(f"{self.py_func.__qualname__} is called by kernels only; .py_func is the same in Python")


class Entry(CPUDispatcher):
    """A function that Python calls, with one machine code per declared signature; its unit is made when it must be."""

    def __init__(self, function: Callable[..., Any], unit: Unit, allocates: bool, variants: tuple[dict[str, Any], ...]):
        self.unit, self._variants = unit, variants
        super().__init__(function, targetoptions=_options(_nrt=allocates, no_cfunc_wrapper=True))

    def declared(self) -> list[tuple[Any, ...]]:
        """The argument types of every signature."""
        return [argument_types(self.py_func, **variant) for variant in self._variants]

    def compile(self, sig: Any) -> Any:
        """What Numba asks for when a kernel calls an entry."""
        raise TypeError(f"{self.py_func.__qualname__} is an entry: kernels call inner functions")

    def _compile_for_args(self, *args: Any) -> Any:
        """What the dispatcher asks for when no machine code takes these arguments: that of the unit, at first."""
        self.unit.ready()
        given = [self.typeof_pyval(value) for value in args]
        overloads = dict[Any, Any](self.overloads)
        if found := overloads.get(tuple(given)):
            return found.entry_point
        for declared, result in overloads.items():
            if all(self.typingctx.can_convert(a, b) is not None for a, b in zip(given, declared, strict=True)):
                return result.entry_point
        raise TypeError(f"{self.py_func.__qualname__} takes {list(self.overloads)}, not {given}")


class Unit:
    """Entries that are compiled together, and kept in one file.

    Who shares inner functions belongs together; units are compiled in parallel (structgen/warmup.py).
    """

    def __init__(self, name: str, *modules: str) -> None:
        """`modules` of this package are those with entries of the unit."""
        self.name, self._modules = name, modules
        self._entries: dict[str, Entry] = {}
        self.is_ready = DISABLED

    @overload
    def entry(self, function: F) -> F: ...

    @overload
    def entry(self, *, allocates: bool = False, variants: tuple[dict[str, Any], ...] = ({},)) -> Callable[[F], F]: ...

    def entry(
        self, function: Any = None, *, allocates: bool = False, variants: tuple[dict[str, Any], ...] = ({},)
    ) -> Any:
        """A kernel that Python calls; `variants`: other types for some of its arguments, one dictionary a signature."""

        def decorate(function: Any) -> Any:
            if DISABLED:
                return function
            self._entries[f"{function.__module__}.{function.__qualname__}"] = made = Entry(
                function, self, allocates, variants
            )
            return made

        return decorate if function is None else decorate(function)

    @property
    def entries(self) -> dict[str, Entry]:
        """All entries by dotted name."""
        for module in self._modules:
            import_module(f"structgen.kernels.{module}")
        return self._entries

    @property
    def path(self) -> Path:
        """The file of the unit's machine code."""
        return kernel_cache_dir() / f"{self.name}.bin"

    @property
    def steps(self) -> int:
        """How often `compile` calls `progress`."""
        return 1 + sum(len(entry.declared()) for entry in self.entries.values())

    def ready(self) -> None:
        """Make sure that the entries have machine code: from disk, or else compiled here and kept."""
        with global_compiler_lock:
            if not self.is_ready:
                self._load(read_checked(self.path) or self.make())

    def make(self, progress: Progress = lambda: None) -> bytes:
        """Compile, and keep the machine code on disk if that is possible."""
        content = self.compile(progress)
        try:
            write_checked(self.path, content)
        except OSError as error:
            warn_once("compiled kernels are not kept", str(error))
        return content

    def compile(self, progress: Progress = lambda: None) -> bytes:
        """The machine code of all entries, for `ready`; `progress` is called for each signature and at the end."""
        with global_compiler_lock, _uncollected():
            target, typing = cpu_target.target_context, cpu_target.typing_context
            target.refresh()
            library = _UnitLibrary(target.codegen(), self.name)
            library.enable_object_caching()
            results = []
            for name, dispatcher in self.entries.items():
                for arguments in dispatcher.declared():
                    with event.trigger_event("numba:compile", data={"dispatcher": dispatcher, "args": arguments}):
                        results.append((name, _lowered(dispatcher, arguments, library, typing, target)))
                    progress()
            with event.trigger_event("structgen:link", data={"unit": self.name}):
                library.finalize()
                code = library._get_compiled_object()
            progress()
            described = [(name, result.fndesc, result.environment, result.signature) for name, result in results]
            return dumps((code, tuple(library._reload_init), described))  # type: ignore[no-any-return]

    def _load(self, content: bytes) -> None:
        """Give the entries the machine code of `content`, and no other."""
        target, entries = cpu_target.target_context, self.entries
        rtsys.initialize(target)
        code, reload_init, described = pickle.loads(content)
        for initialise in reload_init:
            initialise()
        library = _MachineCode(
            target.codegen(), self.name, code, [symbol for entry in described for symbol in _symbols(entry[1])]
        )
        for name, description, environment, signature in described:
            result = compile_result(
                target_context=target,
                typing_context=cpu_target.typing_context,
                library=library,
                environment=environment,
                entry_point=target.get_executable(library, description, environment),
                fndesc=description,
                signature=signature,
                objectmode=False,
            )
            entries[name].add_overload(result)
        for dispatcher in entries.values():
            dispatcher.disable_compile()
        self.is_ready = True


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """No cyclic garbage collection: Numba's objects live until the end. Receipt: 73 -> 60 s of processor time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _lowered(dispatcher: Entry, arguments: tuple[Any, ...], library: Any, typing: Any, target: Any) -> Any:
    """Numba's result for one signature, its code added to `library` and not yet compiled."""
    flags: Any = Flags()
    dispatcher.targetdescr.options.parse_as_flags(flags, dispatcher.targetoptions)
    flags.no_compile = True
    result = compile_extra(typing, target, dispatcher.py_func, arguments, None, flags, {}, library)
    result.fndesc.typemap = result.fndesc.calltypes = None  # they need not be kept, and some cannot
    return result


def _options(**flags: Any) -> dict[str, Any]:
    return {"nopython": True, "boundscheck": None, "nogil": True, "_nrt": False, **flags}


def inner(function: F, **flags: Any) -> F:
    """A function that kernels call."""
    if DISABLED:
        return function
    options = _options(no_cpython_wrapper=True, no_cfunc_wrapper=True, **flags)
    return Inner(function, targetoptions=options, pipeline_class=_InnerCompiler)  # type: ignore[return-value]


def inlined(function: F) -> F:
    """As `inner`, for parts of a kernel: they are compiled where they are called."""
    return inner(function, forceinline=True)


def allocating(function: F) -> F:
    """As `inner`, for functions that make arrays or return them."""
    return inner(function, _nrt=True)


NETWORKS = Unit("networks", "build", "interning")  # a grammar's arrays
MASKS = Unit("masks", "entries")  # its automaton and mask rows
TOKENS = Unit("tokens", "handles", "kept", "rows", "self_loops", "survey", "tables", "trie")  # the vocabulary
LEXED = Unit("lexed", "lexed_entries")  # automaton and mask rows of a grammar with a lexer
CANVAS = Unit(
    "canvas", "canvas", "canvas_law", "columns", "minimal", "nested", "nested_law"
)  # all slots of a canvas at once
UNITS = (MASKS, NETWORKS, TOKENS, LEXED, CANVAS)  # the longest first


if DISABLED:

    def lowest(word: Any) -> int:
        """The number of the lowest set bit of a u64 that is not 0."""
        return (int(word) & -int(word)).bit_length() - 1

    def ones(word: Any) -> int:
        """How many bits of a u64 are set."""
        return int(word).bit_count()

else:

    @intrinsic
    def lowest(typing, word):  # type: ignore[no-untyped-def]
        """The number of the lowest set bit of a u64 that is not 0."""

        def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

        return types.uint64(types.uint64), code

    @intrinsic
    def ones(typing, word):  # type: ignore[no-untyped-def]
        """How many bits of a u64 are set."""

        def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.ctpop(arguments[0])

        return types.uint64(types.uint64), code
