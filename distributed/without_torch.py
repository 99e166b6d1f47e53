"""Stands in for torch, so that the parts of ultralytics that need none can be imported: `import without_torch` first."""

import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
import types

ABSENT = ("torch", "torchvision")


class Anything(type):
    """A class that has every attribute, another such class, and that can be a base or a decorator."""

    def __getattr__(cls, name):
        return stand_in(name)


def stand_in(name):
    if name.startswith("__"):
        raise AttributeError(name)
    if name.endswith("Warning"):
        return Warning
    return Anything(name, (), {"__init__": lambda self, *_, **__: None, "__call__": lambda self, decorated: decorated})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        absent = name.split(".")[0] in ABSENT
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if absent else None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__version__ = "0.0.0"
        module.__getattr__ = stand_in
        return module

    def exec_module(self, module):
        pass


version = importlib.metadata.version
importlib.metadata.version = lambda name: "0.0.0" if name in ABSENT else version(name)
sys.meta_path.insert(0, Finder())
