"""A part of a form that may be a file or a text."""

from typing import Annotated

from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body

from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")
FORM = Body(media_type=RequestEncodingType.MULTI_PART)


@users.route("/portraits", methods=["POST"])
# wrong
# ! start-up undecodable: save(data: dict[str, UploadFile | str]): dict[str, UploadFile | str] cannot be decoded: a part of a form that may be a file cannot have another type, except None; give each part a field of its own in a msgspec.Struct, or take dict[str, object] and use isinstance(...)
async def save(data: Annotated[dict[str, UploadFile | str], FORM]) -> None:
    print(data)


# right
async def save(data: Annotated[dict[str, object], FORM]) -> None:
    print(data)


# both
app = Daebus("users")
app.attach(DaebusHttp(port=0))
app.register_blueprint(users)
