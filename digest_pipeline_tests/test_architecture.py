"""One direction of dependence between the rooms, held over the real imports, so that a newcomer can read them in order."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest

from digest_pipeline_tests.support.rooms import GOLDEN, LANGUAGES, imports, modules, outside_packages, public_names, room_of, tree_of

DOMAIN = {"errors", "models", "taxonomy", "calendar", "tables", "storage"}
MAY_USE: dict[str, set[str]] = {
    # the nouns: what everything stands on
    "errors": set(),
    "models": set(),
    "taxonomy": set(),
    "text": set(),
    "mail_address": set(),
    "sample": set(),
    "calendar": {"errors"},
    "tables": {"models"},
    "storage": {"errors", "tables"},
    LANGUAGES: {"errors"},
    "settings": {"errors", "taxonomy", "calendar", "mail_address", LANGUAGES},
    "tex": {"text"},
    # a day's way: each room knows the nouns and, at most, the rooms before it
    "arxiv": {*DOMAIN, "sample", "text"} - {"tables"},
    "papers": {*DOMAIN, "arxiv"} - {"calendar", "errors"},
    "translation": {"errors", "models", "settings", "sample", "tex", LANGUAGES},
    "reading": {LANGUAGES},
    "render": {"mail_address", "errors", "models", "tables", "taxonomy", "storage", "text", "tex", LANGUAGES, "papers"},
    "ranking": {"errors", "models", "tables", "taxonomy", "storage", "mail_address", "text", "tex", "arxiv"},
    "markdown": {"errors", "models", "text", "tex", "render", LANGUAGES},
    "site": {*DOMAIN, "text", "tex", "settings", LANGUAGES, "papers", "render"},
    "notify": {*DOMAIN, "text", "mail_address", "tex", "settings", LANGUAGES, "render", "site"} - {"taxonomy", "calendar", "tables"},
    # the rooms put together, without Dagster
    "workshop": {"errors", "calendar", "storage", "settings", "sample", LANGUAGES, "arxiv", "translation"},
    "stages": {"errors", "models", "tables", "workshop", LANGUAGES, "arxiv", "papers", "translation", "markdown", "site"},
    "reconcile": {"models", "tables", "workshop"},
    "forecast": {"errors", "models", "tables", "workshop", "arxiv", "translation"},
    "doctor": {"errors", "calendar", "storage", "settings", "workshop", "arxiv", "translation", "render", "notify"},
    "reference": {"models", "tables", "settings", "calendar", "forecast", LANGUAGES, "translation", "site"},
    # and with it
    "orchestration": {*DOMAIN, "settings", "workshop", "stages", "reconcile", "translation", "render", "notify"} - {"models", "taxonomy"},
    "definitions": {"orchestration"},
    "hosted": {*DOMAIN, "settings", "workshop", "arxiv", "papers", "translation", "site", "notify", "forecast", "orchestration"} - {"taxonomy"},
    "reader_commands": {"errors", "storage", "settings", "workshop", "ranking"},
    "cli": {
        "reader_commands",
        "hosted",
        "errors",
        "models",
        "settings",
        "sample",
        "workshop",
        "arxiv",
        "papers",
        "translation",
        "site",
        "forecast",
        "doctor",
        "orchestration",
    },
}
"""Room → the rooms it may use. A new line here is a decision; say in the commit why."""

PUTS_THE_FRAMEWORK_IN = {"orchestration", "definitions"}
LOOKS_FOR_ITSELF: set[tuple[str, str]] = set()
"""Pairs of modules that know each other; the first loads the second inside a function."""


def edges() -> dict[tuple[str, str], str]:
    """(room, room it uses) → one module that does; the package's own `__init__` (the version) counts for nothing."""
    return {
        (room_of(i.module), room_of(i.target)): f"{i.module} uses {i.target}"
        for i in imports()
        if i.target and room_of(i.module) != room_of(i.target)
    }


def test_each_room_uses_only_rooms_that_lie_before_it() -> None:
    forbidden = [where for (room, used), where in edges().items() if used not in MAY_USE.get(room, set())]
    assert forbidden == []


def test_the_allowed_directions_have_no_circle_and_name_every_room() -> None:
    list(TopologicalSorter(MAY_USE).static_order())  # raises CycleError
    assert set(MAY_USE) == {room_of(module) for module in modules()} - {""}


def test_no_direction_is_allowed_that_nobody_takes() -> None:
    taken = edges()
    unused = [f"{room} → {used}" for room, allowed in MAY_USE.items() for used in allowed if (room, used) not in taken]
    assert sorted(unused) == []


def test_no_two_modules_wait_for_each_other_also_not_inside_functions() -> None:
    pairs = {(i.module, i.target) for i in imports() if i.target and i.module != i.target}
    lazy = {(i.module, i.target) for i in imports() if not i.is_eager}
    graph: dict[str, set[str]] = {}
    for module, target in pairs - LOOKS_FOR_ITSELF:
        graph.setdefault(module, set()).add(target)
    list(TopologicalSorter(graph).static_order())  # raises CycleError, naming the circle
    assert lazy >= LOOKS_FOR_ITSELF


def test_only_one_room_knows_dagster() -> None:
    knows = {room_of(module) for module, path in modules().items() if any(name.startswith("dagster") for name in outside_packages(path))}
    assert knows == PUTS_THE_FRAMEWORK_IN
    assert [i.module for i in imports() if room_of(i.target) == "orchestration" and room_of(i.module) == "cli" and i.is_eager] == []


def test_the_command_line_says_its_help_without_loading_dagster() -> None:
    script = "import sys\nfrom digest_pipeline.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint('dagster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("module", modules(), ids=lambda name: name or "digest_pipeline")
def test_every_module_opens_with_what_lives_there(module: str) -> None:
    docstring = ast.get_docstring(tree_of(modules()[module]))
    assert docstring
    assert docstring.splitlines()[0].rstrip().endswith((".", ":", ",")) or len(docstring.splitlines()) > 1


def test_the_names_each_room_gives_to_others_are_the_listed_ones() -> None:
    """A change here changes a seam. To accept it: python -m digest_pipeline_tests.support.rooms"""
    assert public_names() == GOLDEN.read_text(encoding="utf-8")


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
        if os.sep.join(('', 'pydantic', '')) in frame.f_code.co_filename or 'dagster' in frame.f_code.co_filename:
            return None                                    # they look while they make a class or an asset; nothing of ours depends on it
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
    names = [f"digest_pipeline.{module}".rstrip(".") for module in modules() if module != "definitions"]
    done = subprocess.run([sys.executable, "-c", AT_IMPORT, *names], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines() == []
