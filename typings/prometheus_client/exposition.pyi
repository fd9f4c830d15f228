from collections.abc import Callable

from .registry import Collector

def choose_encoder(accept_header: str) -> tuple[Callable[[Collector], bytes], str]: ...
