"""The chat: ``cd examples/chat && daebus run chat.app:app``; examples/README.md has more."""

from chat.blueprints.files import files
from chat.blueprints.login import login
from chat.blueprints.rooms import talk
from chat.container import Container
from chat.pages import pages
from daebus import Daebus, DaebusHttp, DaebusWebSocket, WebSocketLimits

app = Daebus("chat", container=Container())
app.attach(DaebusHttp(port=8080))
app.attach(DaebusWebSocket(limits=WebSocketLimits(max_message_size=16_384)))
for blueprint in (pages, login, talk, files):
    app.register_blueprint(blueprint)
