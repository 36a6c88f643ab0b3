"""Stand-ins for modules that are not installed where lint runs.

CI checks a chain without the application's packages. A type of such a package still makes a column,
a constant is still a value; what a function of it does cannot be known, and the call is noted.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

Note = Callable[[str], None]
TYPE = "absent"  # what a column's type is called that comes from such a module


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


class _Value:
    """What is done with constants: a number where one is wanted, a text beside a text, no items."""

    def __index__(self) -> int:
        return 255  # as good a length as any

    __int__ = __index__

    def __float__(self) -> float:
        return 255.0

    def _beside(self, other: object) -> Any:
        return f"{other}" if isinstance(other, str) else 255

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __or__ = __and__ = (
        _beside
    )
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __rmod__ = _beside

    def __invert__(self) -> Any:
        return self

    __neg__ = __invert__

    def _less(self, _: object) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _less

    def __getitem__(self, _: object) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __contains__(self, _: object) -> bool:
        return False


class StandInType(_Value, type):
    pass


def involved(error: BaseException) -> bool:
    """Did a call fail that had a stand-in in its hands? Then the real thing may do."""
    if StandInType.__name__ in str(error):
        return True
    trace = error.__traceback__
    while trace is not None:
        if any(isinstance(one, _Value) for one in trace.tb_frame.f_locals.values()):
            return True
        trace = trace.tb_next
    return False


def _stand_in(name: str, note: Note) -> Any:
    """A class that can be a type of a column, a base class, a constant, a function, a decorator."""
    from sqlalchemy.types import UserDefinedType

    class Meta(StandInType):
        def __getattr__(cls, attribute: str) -> Any:
            if attribute.startswith("_"):
                raise AttributeError(attribute)
            return _stand_in(f"{name}.{attribute}", note)

        def __call__(cls, *arguments: Any, **named: Any) -> Any:
            note(name)
            if len(arguments) == 1 and isinstance(arguments[0], FunctionType) and not named:
                return arguments[0]  # a decorator
            return type.__call__(cls)

        def __str__(cls) -> str:
            return name.rpartition(".")[2]

    class StandIn(_Value, UserDefinedType, metaclass=Meta):  # type: ignore[type-arg]
        cache_ok = True

        def __init__(self) -> None:
            pass

        def get_col_spec(self, **_: Any) -> str:
            return TYPE.upper()

        def __getattr__(self, attribute: str) -> Any:
            if attribute.startswith("_"):
                raise AttributeError(attribute)
            return _stand_in(f"{name}.{attribute}", note)

        def __call__(self, *arguments: Any, **_: Any) -> Any:
            # A decorator gives back what it decorates.
            return arguments[0] if len(arguments) == 1 and callable(arguments[0]) else self

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def __str__(self) -> str:
            return name.rpartition(".")[2]

    Meta.__name__ = Meta.__qualname__ = StandInType.__name__
    StandIn.__name__ = StandIn.__qualname__ = name.rpartition(".")[2]
    return StandIn
