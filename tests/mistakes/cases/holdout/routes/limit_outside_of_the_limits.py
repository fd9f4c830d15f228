"""A limit of HTTP as an argument of `DaebusHttp`, instead of within `HttpLimits`."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus, DaebusHttp, HttpLimits

users = Blueprint("users", services=Container)


@users.route("/users", methods=["POST"])
async def add_user(data: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(data.id)


app = Daebus("users", container=Container())
# wrong
# ! mypy call-arg: Unexpected keyword argument "max_body_size" for "DaebusHttp"; did you mean "request_max_body_size"?
# ! pyrefly unexpected-keyword
# ! pyright reportCallIssue: No parameter named "max_body_size"
# ! start-up unknown-option: DaebusHttp(...): it has no option 'max_body_size', nor has Litestar; write limits=HttpLimits(max_body_size=...)
# ! zuban call-arg
app.attach(DaebusHttp(max_body_size=20_000_000))
# right
app.attach(DaebusHttp(limits=HttpLimits(max_body_size=20_000_000)))
# both
app.register_blueprint(users)
print(HttpLimits)
