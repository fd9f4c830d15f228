"""Notes, with a blueprint for each protocol."""

from daebus import Daebus, DaebusHttp, DaebusWebSocket
from my_app.blueprints.actions import actions
from my_app.blueprints.api import api
from my_app.blueprints.tasks import tasks
from my_app.blueprints.websocket import websocket
from my_app.container import Container

app = Daebus(__name__, container=Container(), service="notes")
app.attach(DaebusHttp(port=8080))
app.attach(DaebusWebSocket())
app.register_blueprint(api)
app.register_blueprint(websocket)
app.register_blueprint(actions)
app.register_blueprint(tasks)

if __name__ == "__main__":
    app.run()
