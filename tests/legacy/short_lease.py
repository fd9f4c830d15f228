"""The new service, with a lease that is out soon."""

from tests.legacy.new_service import users

from daebus import Daebus, DaebusHttp, DaebusWebSocket, Settings

app = Daebus(__name__, settings=Settings(lease=1.0, legacy=True))
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
