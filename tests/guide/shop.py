"""The service with a database that docs/guide.md shows, piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
from dependency_injector import providers
from litestar.response import ServerSentEvent, Stream
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from daebus import Blueprint, Bus, Channel, Context, Daebus, DaebusHttp, PerMessage, ServiceContainer
from daebus.errors import Conflict


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(primary_key=True)
    item: Mapped[str]


class PlaceOrder(msgspec.Struct):
    id: str
    item: str


class OrderPlaced(msgspec.Struct, tag=True):
    id: str


ORDERS = Channel[OrderPlaced]("orders", durable=True)


async def open_engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield engine
    await engine.dispose()


async def open_session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    try:
        async with sessions.begin() as session:  # commits in the end, and rolls back where the handler fails
            yield session
    except IntegrityError as error:
        raise Conflict("There is one with this id already") from error


class Container(ServiceContainer):
    database = providers.Object("sqlite+aiosqlite:///shop.db")
    engine = providers.Resource(open_engine, url=database)
    session = PerMessage(open_session, engine=engine)


shop = Blueprint("shop", services=Container)


@shop.route("/orders", methods=["POST"], status_code=201)
async def place(data: PlaceOrder, *, session: AsyncSession, bus: Bus) -> PlaceOrder:
    session.add(Order(id=data.id, item=data.item))
    await bus.publish(ORDERS, OrderPlaced(data.id), after="commit")
    return data


@shop.route("/orders.csv")
async def export(*, session: AsyncSession) -> Stream:
    async def lines() -> AsyncIterator[str]:
        async for order in await session.stream_scalars(select(Order).order_by(Order.id)):
            yield f"{order.id},{order.item}\n"

    return Stream(lines(), media_type="text/csv")


@shop.route("/orders/count")
async def watch(context: Context, *, engine: AsyncEngine) -> ServerSentEvent:
    async def counts() -> AsyncIterator[str]:
        while not context.stopping.is_set():
            async with AsyncSession(engine) as session:
                yield str(await session.scalar(select(func.count()).select_from(Order)))
            with suppress(TimeoutError):
                await asyncio.wait_for(context.stopping.wait(), 1)

    return ServerSentEvent(counts())


app = Daebus("shop", container=Container())
app.attach(DaebusHttp(port=8080))
app.register_blueprint(shop)
