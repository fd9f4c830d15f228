from daebus import Daebus

app = Daebus("hello")


@app.action("greet")
async def greet(name: str) -> str:
    return f"Hello, {name}!"


app.run(service="hello")
