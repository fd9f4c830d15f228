"""The page's app.py. The file is imported by the tests, which run it on other ports."""

from daebus import Daebus, DaebusHttp, DaebusWebSocket

from .auth import auth
from .container import Container
from .users import users

app = Daebus(__name__, container=Container())
app.attach(DaebusHttp(port=8080))
app.attach(DaebusWebSocket())
app.register_blueprint(users)
app.register_blueprint(auth)

if __name__ == "__main__":
    app.run(service="user_service")
