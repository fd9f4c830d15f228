"""The user service. Start it with ``python examples/users/app.py``; examples/README.md has more."""

from user_service.blueprints.auth import auth
from user_service.blueprints.pages import pages
from user_service.blueprints.users import users
from user_service.container import Container

from daebus import Daebus, DaebusHttp, DaebusWebSocket, Logger

app = Daebus(__name__, container=Container())
app.attach(DaebusHttp(port=8080))
app.attach(DaebusWebSocket())
app.register_blueprint(users)
app.register_blueprint(auth)
app.register_blueprint(pages)


@app.on_start()
async def initialize(*, logger: Logger) -> None:
    logger.info("application starting")


if __name__ == "__main__":
    app.run(service="user_service")
