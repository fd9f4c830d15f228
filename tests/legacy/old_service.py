from daebus import Blueprint, Daebus, DaebusHttp, DaebusWebSocket, broadcast, logger, request, response

USERS = {"u1": {"id": "u1", "name": "Ada"}}

users = Blueprint("users")


@users.action("get_user")
def get_user():
    user = USERS.get(request.payload["id"])
    if user is None:
        return response.error(f"User {request.payload['id']} not found")
    return response.success(user)


@users.action("create_user")
def create_user():
    user = {"id": f"u{len(USERS) + 1}", "name": request.payload["name"]}
    USERS[user["id"]] = user
    broadcast.send("user_events", {"type": "user_created", "user_id": user["id"]})
    return response.success(user)


@users.action("import_users")
def import_users():
    names = request.payload["names"]
    for done in range(1, len(names)):
        response.progress({"done": done})
    return response.success({"done": len(names)})


@users.action("forget_user")
def forget_user():
    USERS.pop(request.raw["id"], None)


@users.listen("user_events")
def on_user_event(event):
    logger.info(f"event {event['type']}")


@users.route("/api/users/<user_id>")
def http_get_user(req, user_id):
    if user_id not in USERS:
        return response.send({"error": f"User {user_id} not found"}, 404)
    return response.send(USERS[user_id], 200)


@users.socket_connect()
def on_connect(data, sid):
    return {"client_id": sid}


@users.socket_register()
def on_register(data, sid):
    return {"status": "registered", "name": data["name"]}


@users.socket("get_users")
def ws_get_users(data, sid):
    return list(USERS.values())


@users.background("count_users", 3600)
def count_users():
    logger.info(f"{len(USERS)} users")


app = Daebus(__name__)
app.attach(DaebusHttp(port=8080))
app.attach(DaebusWebSocket())  # on 8081
app.register_blueprint(users)

if __name__ == "__main__":
    app.run(service="users")
