"""Which package may import which, that only one knows Dagster, and that nothing happens while a module is loaded.

The contracts stand in pyproject.toml under [tool.importlinter]; `lint-imports` tells them at the command line.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "digest_pipeline").rglob("*.py"))
    if path.name != "__main__.py"
}


def test_the_packages_keep_to_the_contracts() -> None:
    script = "import sys\nfrom importlinter.cli import lint_imports\nsys.exit(lint_imports(no_cache=True))"  # a process of its own: it silences all loggers
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_command_line_says_its_help_without_loading_dagster() -> None:
    script = "import sys\nfrom digest_pipeline.cli import main\nmain(['--help'])\nprint('dagster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_loading_the_definitions_loads_no_library_that_only_ranking_needs() -> None:
    """Every run process and code server would pay two seconds for it."""
    script = "import sys\nfrom digest_pipeline.definitions import defs\ndefs()\nprint(sorted({'sklearn', 'scipy', 'openai'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_opens_with_what_lives_there(module: str) -> None:
    docstring = ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))
    assert docstring
    assert docstring.splitlines()[0].rstrip().endswith((".", ":", ",")) or len(docstring.splitlines()) > 1


AT_IMPORT = """
import importlib, os, sys
names = sys.argv[1:]
for name in names: importlib.import_module(name)          # first, so that libraries are loaded and do not count
for name in [n for n in sys.modules if n.split('.')[0] == 'digest_pipeline']: del sys.modules[name]

touched = []
CLOCK = {'time', 'time_ns', 'monotonic', 'perf_counter', 'now', 'utcnow', 'today', 'localtime', 'gmtime'}
def ours():
    frame = sys._getframe(2)
    while frame is not None:                               # up to the module whose body is running
        if os.sep.join(('', 'pydantic', '')) in frame.f_code.co_filename or 'dagster' in frame.f_code.co_filename or frame.f_code.co_filename.endswith('gettext.py'):
            return None                                    # they look while they make a class, an asset or a command; nothing of ours depends on it
        if frame.f_code.co_name == '<module>' and frame.f_globals.get('__name__', '').startswith('digest_pipeline'):
            return frame.f_globals['__name__']
        frame = frame.f_back
def watch(frame, event, what):
    if event == 'c_call' and what.__name__ in CLOCK and (module := ours()):
        touched.append(f'{module}: clock, {what.__qualname__}')
sys.addaudithook(lambda event, args: touched.append(f'{m}: {event}') if event.startswith(('socket.', 'urllib.')) and (m := ours()) else None)
class Guarded(type(os.environ)):
    def __getitem__(self, name):
        if m := ours(): touched.append(f'{m}: environment, {name}')
        return super().__getitem__(name)
os.environ.__class__ = Guarded
sys.setprofile(watch)
for name in names: importlib.import_module(name)
sys.setprofile(None)
print(chr(10).join(sorted(set(touched))))
"""


def test_no_module_asks_clock_network_or_environment_while_it_is_loaded() -> None:
    """All but `definitions`, which Dagster loads to be given the definitions that the settings make."""
    names = [name for name in MODULES if name != "digest_pipeline.definitions"]
    done = subprocess.run([sys.executable, "-c", AT_IMPORT, *names], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines() == []
