"""What the package never does: unpickle, hand text to a shell, or run text as code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import wcgan_tf

PACKAGE = Path(wcgan_tf.__file__).parent
UNPICKLE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
RUNS_TEXT = {"eval", "exec", "system", "popen", "getoutput", "getstatusoutput", "unsafe_load", "load_model"}
IMPORTS = {"import_module", "exec_module", "run_path", "run_module", "load_module", "spec_from_file_location"}


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """All parts of the package's code of a kind, each with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kind):
                yield str(path.relative_to(PACKAGE)), node


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def test_no_file_imports_a_module_that_unpickles():
    imports = list(nodes(ast.Import | ast.ImportFrom))
    assert len(imports) > 300
    for file, node in imports:
        names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
        assert not {name.split(".")[0] for name in names} & UNPICKLE, file


def test_every_array_is_read_without_objects():
    loads = [(file, call) for file, call in nodes(ast.Call) if ast.unparse(call.func) in ("np.load", "numpy.load")]
    assert len(loads) >= 3
    for file, call in loads:
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert given.get("allow_pickle") == "False", file


def test_no_text_is_run_as_code_or_by_a_shell():
    for file, call in nodes(ast.Call):
        assert name_of(call) not in RUNS_TEXT, file
        assert not any(keyword.arg == "shell" for keyword in call.keywords), file


def test_only_config_files_and_saved_models_are_code():
    """The one is run by ml_collections, the other by TensorFlow; TF-GAN is imported by a name that is written here."""
    assert {file for file, call in nodes(ast.Call) if name_of(call) in IMPORTS} == {"cli.py", "evaluation/tfgan.py"}
