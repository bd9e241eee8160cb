"""What is in the wheel and in the sdist is what is in the source tree, and the wheel works without the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ("automata", "grammars", "kernels")
NOT_SHIPPED = {"__pycache__"}


def shipped_sources() -> set[str]:
    """Every file of the packages, by its path inside an installed distribution."""
    found = set()
    for folder in ("structgen", *CORE):
        for file in (ROOT / folder).rglob("*"):
            inside = file.relative_to(ROOT / folder)
            linked = folder == "structgen" and inside.parts[0] in CORE
            if not file.is_file() or linked or NOT_SHIPPED & set(inside.parts):
                continue
            found.add(str(Path("structgen") / ("" if folder == "structgen" else folder) / inside))
    return found


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist, and the wheel made from that sdist, built from a copy of the tree."""
    work = tmp_path_factory.mktemp("tree")
    for name in ("structgen", *CORE):
        shutil.copytree(ROOT / name, work / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, work / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(work / "dist"), str(work)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return work / "dist"


def test_wheel_holds_every_file_and_no_other(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == shipped_sources()


def test_sdist_holds_every_file(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = {str(Path(*Path(member.name).parts[1:])) for member in archive.getmembers() if member.isfile()}
    in_tree = {name.removeprefix("structgen/") if name.split("/")[1] in CORE else name for name in shipped_sources()}
    assert in_tree <= members, sorted(in_tree - members)


def test_other_engines_find_their_plugins(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    text = archive.read(name).decode()
    for group, module in (("vllm.general_plugins", "vllm"), ("sglang.srt.plugins", "sglang")):
        assert f"[{group}]\nstructgen = structgen.integrations.{module}:register\n" in text


def test_wheel_imports_without_the_source_tree(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in shipped_sources()
        if name.endswith(".py") and not name.endswith(("__main__.py", "sglang_backend.py"))  # on SGLang's own classes
    )
    program = (
        f"import importlib, sys; sys.path.insert(0, {str(site)!r})\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "import structgen\n"
        f"assert structgen.__file__.startswith({str(site)!r}), structgen.__file__\n"
        "assert all(hasattr(structgen, name) for name in structgen.__all__)\n"
        "assert not any(name in sys.modules for name in ('automata', 'grammars', 'kernels'))\n"
    )
    # -I: neither the current folder nor PYTHONPATH; an editable install of this tree loses to sys.path's first entry
    ran = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr[-3000:]


def test_wheel_works_in_a_new_environment(dist: Path, tmp_path: Path) -> None:
    """Installed into a virtual environment of its own; dependencies are lent, the editable install of this tree is not
    (its hook is a .pth file, which PYTHONPATH does not read)."""
    (wheel,) = dist.glob("*.whl")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = str(venv / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, cwd=tmp_path)
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_paths()["purelib"]}
    program = (
        "import structgen as sg\n"
        f"assert sg.__file__.startswith({str(venv)!r}), sg.__file__\n"
        "tokens = sg.Vocabulary.from_bytes([b'', *(bytes([b]) for b in range(256))], eos=[0])\n"
        "constraint = sg.compile(schema={'type': 'integer', 'minimum': 7}, vocabulary=tokens)\n"
        "assert constraint.accepts('12') and not constraint.accepts('6') and constraint.matcher().mask().any()\n"
    )
    for command in ([python, "-c", program], [str(venv / "bin" / "structgen"), "--version"]):
        ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert ran.returncode == 0, ran.stderr[-3000:]


def test_every_package_folder_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {str(Path(name).parent).replace("/", ".") for name in shipped_sources() if name.endswith(".py")}
    assert listed == folders


def test_a_distribution_called_kernels_does_not_meet_our_folder(tmp_path: Path) -> None:
    """transformers imports a package `kernels` when it finds one; with ours as a bare folder the real one wins."""
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").write_text("WHOSE = 'theirs'\n")
    program = f"import sys; sys.path.append({str(tmp_path)!r}); import kernels; print(kernels.WHOSE)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout.strip() == "theirs", ran.stderr
