"""Stand-ins for modules that are not installed where lint runs.

CI checks a chain without the application's packages. A type of such a package still makes a column,
a constant is still a value; what a function of it does cannot be known, and the call is noted.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

Note = Callable[[str], None]


@contextlib.contextmanager
def standing_in(names: set[str], note: Note) -> Iterator[None]:
    """The modules `names`, with all below them, can be imported inside. `note` hears of calls."""
    finder = _Finder(names, note)
    # In front: a submodule that is not there, of a package that is.
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [one for one, module in sys.modules.items() if isinstance(module, _Module)]:
            del sys.modules[name]


class _Module(ModuleType):
    def __init__(self, name: str, note: Note) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self.__dict__["_note"] = note

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return "0"
        if name.startswith("__"):
            raise AttributeError(name)
        found = _stand_in(f"{self.__name__}.{name}", self.__dict__["_note"])
        setattr(self, name, found)
        return found


class _Finder:
    def __init__(self, names: set[str], note: Note) -> None:
        self._names = names
        self._note = note

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        from importlib.machinery import ModuleSpec

        parts = name.split(".")
        if any(".".join(parts[: length + 1]) in self._names for length in range(len(parts))):
            return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: Any) -> ModuleType:
        return _Module(spec.name, self._note)

    def exec_module(self, module: ModuleType) -> None:
        pass


def _stand_in(name: str, note: Note) -> Any:
    """A class that can be a type of a column, a base class, a constant, a function, a decorator."""
    from sqlalchemy.types import UserDefinedType

    class Meta(type):
        def __getattr__(cls, attribute: str) -> Any:
            if attribute.startswith("_"):
                raise AttributeError(attribute)
            return _stand_in(f"{name}.{attribute}", note)

        def __call__(cls, *arguments: Any, **named: Any) -> Any:
            note(name)
            return type.__call__(cls)

        def __str__(cls) -> str:
            return name.rpartition(".")[2]

        def __index__(cls) -> int:
            return 255  # as good a length as any

        def __mul__(cls, _: object) -> int:
            return 255

        __rmul__ = __add__ = __radd__ = __sub__ = __mul__

        def __getitem__(cls, _: object) -> Any:
            return cls

        def __iter__(cls) -> Iterator[Any]:
            return iter(())

        def __len__(cls) -> int:
            return 0

        def __bool__(cls) -> bool:
            return True

        def __contains__(cls, _: object) -> bool:
            return False

    class StandIn(UserDefinedType, metaclass=Meta):  # type: ignore[type-arg]
        cache_ok = True

        def __init__(self) -> None:
            pass

        def get_col_spec(self, **_: Any) -> str:
            return "ABSENT"

        def __getattr__(self, attribute: str) -> Any:
            if attribute.startswith("_"):
                raise AttributeError(attribute)
            return _stand_in(f"{name}.{attribute}", note)

        def __call__(self, *arguments: Any, **_: Any) -> Any:
            # A decorator gives back what it decorates.
            return arguments[0] if len(arguments) == 1 and callable(arguments[0]) else self

        def __iter__(self) -> Iterator[Any]:
            return iter(())

        def __len__(self) -> int:
            return 0

        def __bool__(self) -> bool:
            return True

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def __str__(self) -> str:
            return name.rpartition(".")[2]

    StandIn.__name__ = StandIn.__qualname__ = name.rpartition(".")[2]
    return StandIn
