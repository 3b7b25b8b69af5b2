"""The rules of the house: who may import whom, one name per module, what stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {  # a chain: each may import those before it
    "genre_infer": ROOT / "runtime" / "genre_infer",
    "genre_train": ROOT / "train" / "genre_train",
    "genre_export": ROOT / "export" / "genre_export",
    "genre_bench": ROOT / "benchmarks" / "genre_bench",
}
HEAVY = ["numpy", "PIL", "onnxruntime", "openvino", "rich", "torch", "fastai", "onnx", "pandas"]


def imported(folder: Path) -> set[str]:
    names: set[str] = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_dependencies_point_one_way(package: str) -> None:
    found = imported(PACKAGES[package])
    assert "click" in found  # the reading of imports works
    chain = list(PACKAGES)
    assert not found & set(chain[chain.index(package) + 1 :])


def test_the_chain_is_used_and_not_a_star() -> None:
    assert "genre_train" in imported(PACKAGES["genre_export"])
    assert "genre_export" in imported(PACKAGES["genre_bench"])


def test_no_two_packages_have_modules_of_one_name() -> None:
    homes: dict[str, set[str]] = {}
    for package, folder in PACKAGES.items():
        for file in folder.rglob("*.py"):
            homes.setdefault(file.stem, set()).add(package)
    several = {name for name, packages in homes.items() if len(packages) > 1}
    assert several == {"__init__", "cli"}


@pytest.mark.parametrize("package", PACKAGES)
def test_files_are_read_in_a_sitting(package: str) -> None:
    lines = {
        file.name: len(file.read_text("utf-8").splitlines())
        for file in PACKAGES[package].rglob("*.py")
    }
    assert not {name: count for name, count in lines.items() if count > 300}


def test_the_runtime_imports_nothing_of_training() -> None:
    allowed = {"numpy", "PIL", "click", "click_default_group", "rich", "onnxruntime", "openvino"}
    assert imported(PACKAGES["genre_infer"]) <= allowed | set(sys.stdlib_module_names)


def modules_after(code: str) -> set[str]:
    code += "\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_importing_the_runtime_is_light() -> None:
    assert not modules_after("import genre_infer") & set(HEAVY)
    loaded = modules_after("from genre_infer import Classifier; Classifier(device='cpu')")
    assert {"numpy", "PIL", "onnxruntime"} <= loaded
    heavy = {"torch", "fastai", "onnx", "pandas", "matplotlib", "rich", "click"}
    assert not loaded & heavy


@pytest.mark.parametrize("package", PACKAGES)
def test_help_and_version_are_light(package: str) -> None:
    for option in ("--help", "--version"):
        code = (
            f"from {package}.cli import main\n"
            f"try: main(['{option}'], prog_name='x')\n"
            "except SystemExit as e: assert not e.code"
        )
        assert not modules_after(code) & set(HEAVY), option


@pytest.mark.parametrize(
    ("package", "args", "missing", "extra"),
    [
        ("genre_export", "'.', '-o', 'x.onnx'", "onnx", "export"),
        (
            "genre_train",
            "'evaluate', '.', '--table', __file__, '--posters', '.'",
            "pandas",
            "train",
        ),
        (
            "genre_bench",
            "'parity', '--checkpoint', '.', '--table', __file__, '--posters', '.'",
            "pandas",
            "bench",
        ),
    ],
)
def test_a_missing_extra_is_one_sentence(
    package: str, args: str, missing: str, extra: str, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.modules['{missing}'] = None\n"
        f"from {package}.cli import main\nmain([{args}], prog_name='x')\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 3
    assert f'pip install "genre-infer[{extra}]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1
