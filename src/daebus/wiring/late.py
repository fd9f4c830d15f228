"""A dependency whose class is loaded only when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dependency_injector import providers
from typing_extensions import override

__all__ = ["LateDependency"]

T = TypeVar("T")


class LateDependency(providers.Dependency[T]):
    """A container's dependency that loads the class of its object when a handler that uses it is checked.

    Attributes:
        load: Returns the class; None: any object is accepted.
    """

    def __init__(self, load: Callable[[], type[T]] | None = None) -> None:
        self.load = load
        super().__init__()

    @override
    def __deepcopy__(self, memo: dict[int, object]) -> providers.Provider[T]:
        if id(self) in memo:
            return super().__deepcopy__(memo)
        # As in Dependency, but without loading the class.
        copied = memo[id(self)] = LateDependency(self.load)
        copied.set_default(providers.deepcopy(self.default, memo))
        copied.assign_parent(providers.deepcopy(self.parent, memo))
        self._copy_overridings(copied, memo)
        return copied

    @property
    @override
    def instance_of(self) -> type[T]:
        """The class."""
        return super().instance_of if self.load is None else self.load()

    def is_like(self, other: object) -> bool:
        """Whether another dependency accepts the same class; the class need not be loaded for this."""
        return isinstance(other, LateDependency) and other.load is self.load
