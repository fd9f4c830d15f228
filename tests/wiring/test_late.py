from __future__ import annotations

import pytest
from dependency_injector import containers, errors, providers

from daebus.wiring.late import LateDependency


class Engine:
    pass


asked: list[type] = []


@pytest.fixture(autouse=True)
def nobody_has_asked() -> None:
    asked.clear()


def load() -> type[Engine]:
    asked.append(Engine)
    return Engine


class Car:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine


class Base(containers.DeclarativeContainer):
    engine: providers.Dependency[Engine] = LateDependency(load)
    car = providers.Factory(Car, engine)


def test_the_class_is_not_asked_for_before_an_object_is_given() -> None:
    container, engine = Base(), Engine()
    container.engine.set_default(engine)
    assert asked == []
    assert container.car().engine is engine
    assert asked == [Engine]
    assert container.engine.instance_of is Engine


def test_another_object_is_refused() -> None:
    container = Base(engine=providers.Object("steam"))
    with pytest.raises(errors.Error, match=r"steam is not an instance of .*Engine"):
        container.engine()


def test_a_container_that_is_not_filled_says_which_dependency_is_missing() -> None:
    with pytest.raises(errors.Error, match=r'"Base\.engine" is not defined'):
        Base().car()


def test_a_copy_keeps_what_fills_and_what_overrides_it() -> None:
    filled, first, second = LateDependency(load), Engine(), Engine()
    filled.set_default(providers.Object(first))
    assert providers.deepcopy(filled)() is first
    filled.override(providers.Object(second))
    assert providers.deepcopy(filled)() is second
    assert providers.deepcopy([filled, filled])[0] is not filled
    one, other = providers.deepcopy([filled, filled])
    assert one is other


def test_two_are_alike_without_anybody_asking() -> None:
    assert LateDependency(load).is_like(Base().engine)
    assert not LateDependency(load).is_like(LateDependency(lambda: Engine))
    assert not LateDependency(load).is_like(providers.Dependency(instance_of=Engine))
    assert asked == []
