"""The class of the container, instead of an instance."""

from accounts import Container
from daebus import Daebus

# wrong
# ! mypy arg-type: Argument "container" to "Daebus" has incompatible type "type[Container]"; expected "ServiceContainer | None"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "type[Container]" cannot be assigned to parameter "container" of type "C@Daebus | None" in function "__init__"
# ! registration wrong-container: container=Container: it is the class itself; pass an instance of it: container=Container()
# ! ty invalid-argument-type
# ! zuban type-var
app = Daebus("users", container=Container)
# right
app = Daebus("users", container=Container())
