"""An uploaded file in a body that is not declared as a form, and would be decoded from JSON."""

from typing import Annotated

import msgspec
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body

from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")
FORM = Body(media_type=RequestEncodingType.MULTI_PART)


class Portrait(msgspec.Struct):
    user_id: str
    photo: UploadFile


@users.route("/portraits", methods=["POST"])
# wrong
# ! start-up undecodable: save(data: Portrait): a file is sent in a form, but Portrait is decoded from JSON; annotate it as Annotated[Portrait, Body(media_type=RequestEncodingType.MULTI_PART)], with Body of litestar.params
async def save(data: Portrait) -> None:
    print(data, Annotated[Portrait, FORM])


# right
async def save(data: Annotated[Portrait, FORM]) -> None:
    print(data)


# both
app = Daebus("users")
app.attach(DaebusHttp(port=0))
app.register_blueprint(users)
