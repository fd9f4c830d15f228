"""From ``module:app`` or ``path/to/file.py:app`` to the app itself."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import cast

from daebus.app.service import Daebus
from daebus.errors import ConfigurationError
from daebus.mistakes.show_type import show_type
from daebus.mistakes.suggestions import did_you_mean
from daebus.process.usercode import running_user_code

__all__ = ["TargetError", "load_target", "target_file"]

_SEPARATORS = tuple(separator for separator in (os.sep, os.altsep) if separator)


class TargetError(ConfigurationError):
    """A target names no app: there is no such module, file or name, or the named object is no app."""


def load_target(target: str) -> Daebus:
    """Import the module, or run the file, of a target and return its app.

    The current folder and that of the file, or of the package that contains it, are added to ``sys.path``.

    Args:
        target: ``module:name`` or ``path/to/file.py:name`` of an app, or of a function that creates one. Without the
            name: ``app``, else the only app in the module.

    Raises:
        TargetError: It names no app.
        StartupError: The user's code failed. The text has its traceback.
        DaebusError: The user's code raised one.
    """
    source, name = _split(target)
    if not source:
        raise TargetError(f"The target {target!r} has no module: write module:app, or path/to/file.py:app.")
    module = _load_file(Path(source)) if _names_file(source) else _load_module(source)
    if name is None:
        return _only_app(module, source)
    found = _named(module, source, name)
    return cast("Daebus", found) if isinstance(found, Daebus) else _make(found, f"{source}:{name}")


def target_file(target: str) -> Path | None:
    """The file of a target that names a file."""
    source, _ = _split(target)
    return Path(source).resolve() if _names_file(source) else None


def _split(target: str) -> tuple[str, str | None]:
    source, colon, name = target.rpartition(":")
    if not colon or any(separator in name for separator in _SEPARATORS):  # the colon of a drive: C:\app.py
        return target, None
    return source, name or None


def _names_file(source: str) -> bool:
    return source.endswith(".py") or any(separator in source for separator in _SEPARATORS)


def _load_file(path: Path) -> ModuleType:
    file = path.resolve()
    if not file.is_file():
        files = [entry.name for entry in file.parent.glob("*.py")] if file.parent.is_dir() else []
        what = f"{path} is a folder" if file.is_dir() else f"There is no file {path}"
        raise TargetError(f"{what}; {_hint(file.name, files, f'the Python files in {file.parent}')}")
    _put_on_path(Path.cwd())
    root, package = _package_of(file)
    _put_on_path(root)
    if package:
        with running_user_code(str(path)):
            return importlib.import_module(f"{package}.{file.stem}")
    name = _module_name(file)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is no Python file: its name must end in .py.")
    if name in sys.modules:
        return sys.modules[name]
    # Annotations, dataclasses and pickles look up their module there.
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        with running_user_code(str(path)):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _package_of(file: Path) -> tuple[Path, str]:
    """The folder from which a file is imported, and the package that contains it; an empty name if there is none."""
    root, names = file.parent, list[str]()
    while (root / "__init__.py").exists() and root.name.isidentifier():
        names.insert(0, root.name)
        root = root.parent
    return root, ".".join(names)


def _module_name(file: Path) -> str:
    """The name by which other modules import the file; another name if that would hide a module."""
    name = file.stem
    known = sys.modules.get(name)
    taken = name in sys.stdlib_module_names or (known is not None and getattr(known, "__file__", None) != str(file))
    return f"daebus_target_{name}" if taken or not name.isidentifier() else name


def _load_module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(f"{name!r} is not the name of a module: write module:app, or path/to/file.py:app.")
    _put_on_path(Path.cwd())
    with running_user_code(f"The module {name}"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            # Else it is a module that the user's own code misses.
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise _no_module(error.name) from None
        except ImportError as error:
            if "no known parent package" not in str(error):
                raise
            raise _inside_package(name) from None


def _inside_package(name: str) -> TargetError:
    """The error for a module that is imported without its package, because the current folder is that package."""
    root, package = _package_of(Path.cwd() / "app.py")
    what = f"The module {name!r} has relative imports, which cannot be resolved without its package"
    if not package:
        return TargetError(f"{what}: start it from the folder above, as package.{name}:app, or import without dots.")
    return TargetError(
        f"{what}: write {name.replace('.', '/')}.py:app, or start it from {root}, as {package}.{name}:app."
    )


def _no_module(missing: str) -> TargetError:
    parent, _, last = missing.rpartition(".")
    folders: list[str] = list(getattr(sys.modules.get(parent), "__path__", ())) if parent else [str(Path.cwd())]
    if not folders:
        return TargetError(f"There is no module {missing!r}; {parent!r} is a single file, with no modules in it.")
    names = [missing.removesuffix(last) + found.name for found in pkgutil.iter_modules(folders)]
    return TargetError(f"There is no module {missing!r}; {_hint(missing, names, f'the modules in {folders[0]}')}")


def _put_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _only_app(module: ModuleType, source: str) -> Daebus:
    apps = {name: cast("Daebus", value) for name, value in vars(module).items() if isinstance(value, Daebus)}
    if "app" in apps:
        return apps["app"]
    if len({id(app) for app in apps.values()}) == 1:
        return next(iter(apps.values()))
    if apps:
        names = ", ".join(apps)
        raise TargetError(f"{source} has several apps, {names}: choose one, as in {source}:{next(iter(apps))}.")
    if any(part.name == "app" for part in pkgutil.iter_modules(getattr(module, "__path__", []))):
        raise TargetError(f"{source} is a package with no app of its own; did you mean {module.__name__}.app?")
    raise TargetError(
        f"{source} has no app: write app = Daebus(...) in it, or name a function that makes one: {source}:make_app."
    )


def _named(module: ModuleType, source: str, name: str) -> object:
    owner: object = module
    for part in name.split("."):
        if not hasattr(owner, part):
            raise TargetError(f"{source} has no {part!r}; {_hint(part, _offered(owner), 'its apps and functions')}")
        owner = getattr(owner, part)
        source = f"{source}.{part}"
    return owner


def _offered(owner: object) -> list[str]:
    """Names that may have been meant: the apps, and functions that could create one."""
    found = cast("dict[str, object]", vars(owner)) if hasattr(owner, "__dict__") else {}
    own = [name for name, value in found.items() if inspect.isfunction(value) and not name.startswith("_")]
    return [name for name, value in found.items() if isinstance(value, Daebus)] + own


def _make(factory: object, target: str) -> Daebus:
    if not callable(factory):
        raise TargetError(f"{target} is neither an app nor a function that makes one; its type is {_kind(factory)}.")
    make = cast("Callable[[], object]", factory)
    try:
        inspect.signature(make).bind()
    except (TypeError, ValueError) as error:
        raise TargetError(
            f"{target} cannot be called to make an app: {error}. It must not require arguments."
        ) from None
    if inspect.iscoroutinefunction(make):
        raise TargetError(
            f"{target} is `async def`, and an app is made before there is an event loop: write it as `def`."
        )
    with running_user_code(f"{target}()"):
        made = make()
    if not isinstance(made, Daebus):
        raise TargetError(f"{target}() did not return an app, but an object of type {_kind(made)}.")
    return cast("Daebus", made)


def _kind(value: object) -> str:
    return show_type(type(value))


def _hint(word: str, known: Iterable[str], what: str) -> str:
    names = sorted(set(known))
    return did_you_mean(word, names, f"{what}: {', '.join(names) or 'none'}.")
