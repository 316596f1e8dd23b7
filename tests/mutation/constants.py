"""Mutants of what stands outside functions, where mutmut makes none: limits, tables, texts and regular expressions.

Each runs in a forked process, whose import system hands out the mutated module in place of the one on disk.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.abc
import importlib.util
import io
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import libcst as cst
import pytest
from mutmut.mutation.file_mutation import create_mutations
from typing_extensions import override

from tests.mutation.functions import ROOT
from tests.mutation.patterns import mutants_of
from tests.mutation.score import Score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from pathlib import Path
    from types import ModuleType

PACKAGE: Final = "tracksync.liverc"
_FOLDER: Final = ROOT / "operator" / "src" / "tracksync" / "liverc"
_SECONDS: Final = 60
_TESTS: Final = ROOT / "tests" / "liverc"
_OPTIONS: Final = (
    f"--ignore={_TESTS / 'test_captures.py'}", f"--ignore={_TESTS / 'test_properties.py'}",
    f"--rootdir={ROOT}", "-x", "-q", "--tb=no", "-p", "no:cacheprovider",
    "-p", "no:unraisableexception", "-p", "no:threadexception",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module's source with one thing changed."""

    module: str
    code: str
    original: str

    @property
    def change(self) -> str:
        """Return what was changed, as the lines before and after."""
        lines = difflib.ndiff(self.original.splitlines(), self.code.splitlines())
        changed = [f"    {line}" for line in lines if line.startswith(("- ", "+ "))]
        return "\n".join([f"{self.module}:", *changed])


def measure_constants(*, jobs: int) -> tuple[Score, list[str]]:
    """Return the score of all mutants outside functions, and what the survivors changed.

    Raises:
        RuntimeError: the tests fail without any mutant, or pass although a module cannot be imported.
    """
    _check_the_method()
    mutants = list(dict.fromkeys(mutant for file in sorted(_FOLDER.glob("*.py")) for mutant in _mutants_of(file)))
    codes = _run_all(mutants, jobs)
    survivors = [mutant.change for mutant, code in zip(mutants, codes, strict=True) if code == pytest.ExitCode.OK]
    timed_out = codes.count(-signal.SIGALRM)
    score = Score(
        "constants and patterns",
        killed=len(mutants) - len(survivors) - timed_out,
        survived=len(survivors),
        timed_out=timed_out,
    )
    return score, survivors


def _mutants_of(file: Path) -> Iterator[Mutant]:
    source = file.read_text(encoding="utf-8")
    # mutmut finds them, with the operators that it uses inside functions, and then leaves them out.
    module, mutations, _, _ = create_mutations(str(file), source)
    changes: list[tuple[cst.CSTNode, cst.CSTNode]] = [
        (mutation.original_node, mutation.mutated_node)
        for mutation in mutations
        if not isinstance(mutation.contained_by_top_level_function, cst.FunctionDef)
    ]
    for old, new in (*changes, *_pattern_changes(module)):
        mutated = cst.ensure_type(module.deep_replace(old, new), cst.Module)
        yield Mutant(f"{PACKAGE}.{file.stem}", mutated.code, source)


def _pattern_changes(module: cst.Module) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    outside = [statement for statement in module.body if not isinstance(statement, cst.FunctionDef | cst.ClassDef)]
    nodes = [node for statement in outside for node in _walk(statement)]
    for node in nodes:
        if isinstance(node, cst.SimpleString | cst.FormattedString) and "r" in node.prefix:
            # A nested {NAME} stays as it is: to `mutants_of` it is text.
            quote = node.quote if isinstance(node, cst.SimpleString) else node.end
            opening, text = f"{node.prefix}{quote}", module.code_for_node(node)
            for mutant in mutants_of(text[len(opening) : -len(quote)]):
                yield node, cst.parse_expression(f"{opening}{mutant}{quote}")


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _check_the_method() -> None:
    # Plugins and conftest.py, read once here and inherited by each process, are most of a short run.
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", *_OPTIONS, str(ROOT / "tests" / "mutation")])
    broken = Mutant(f"{PACKAGE}.text", "raise ImportError\n", "")
    unchanged = Mutant(f"{PACKAGE}.text", (_FOLDER / "text.py").read_text(encoding="utf-8"), "")
    failing, passing = _run_all([broken, unchanged], jobs=1)
    if failing == pytest.ExitCode.OK or passing != pytest.ExitCode.OK:
        raise RuntimeError("The tests in tests/liverc must pass before mutants can be judged: run them first.")


def _run_all(mutants: Sequence[Mutant], jobs: int) -> list[int]:
    """Return each mutant's exit code: pytest's, or minus the signal that ended it."""
    codes: dict[int, int] = {}
    running: dict[int, int] = {}
    for place, mutant in enumerate(mutants):
        if len(running) == jobs:
            _wait_for_one(running, codes)
        running[_start(mutant)] = place
        if place and place % 100 == 0:
            print(f"{place} of {len(mutants)} mutants have started", file=sys.stderr)  # noqa: T201 - it takes minutes
    while running:
        _wait_for_one(running, codes)
    return [codes[place] for place in range(len(mutants))]


def _wait_for_one(running: dict[int, int], codes: dict[int, int]) -> None:
    pid, status = os.wait()
    codes[running.pop(pid)] = os.waitstatus_to_exitcode(status)


def _start(mutant: Mutant) -> int:
    """Return the process that runs the tests on the mutant; whatever happens, it ends by itself."""
    pid = os.fork()
    if pid == 0:
        code = int(pytest.ExitCode.INTERNAL_ERROR)
        try:
            signal.alarm(_SECONDS)
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            sys.meta_path.insert(0, _Finder(mutant))
            code = _run_tests(mutant.module.rpartition(".")[2])
        finally:
            os._exit(code)
    return pid


def _run_tests(module: str) -> int:
    """Return pytest's exit code; most mutants fall to the module's own tests, which take a fraction of all."""
    own = [str(file) for file in _TESTS.glob(f"test_{module}*.py")]
    code = int(pytest.main([*own, *_OPTIONS])) if own else pytest.ExitCode.OK
    return int(pytest.main([str(_TESTS), *_OPTIONS])) if code == pytest.ExitCode.OK else code


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Import the mutant where its module is asked for."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._mutant.module else None

    @override
    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.code, self._mutant.module, "exec"), module.__dict__)  # noqa: S102 - it is our own code
