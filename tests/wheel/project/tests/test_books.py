"""The bookshop as it runs, and its handlers as functions."""

from bookshop.app import app
from bookshop.books import add_book, get_book
from bookshop.contracts import ALL_BOOKS, GET_BOOK, Book, GetBook
from bookshop.store import BookRepo, Database

from daebus.testing import running


async def test_a_handler_is_a_function() -> None:
    db = Database("memory://")
    db.books["2"] = Book("2", "A book")
    assert await get_book(GetBook("2"), repo=BookRepo(db, limit=1)) == Book("2", "A book")


async def test_the_service() -> None:
    async with running(app) as service:
        assert (await service.call(GET_BOOK, GetBook("1"))).title == "Notes by the translator"
        assert await service.call(add_book, Book("3", "New")) == Book("3", "New")
        assert [book.isbn async for book in service.stream(ALL_BOOKS)] == ["1", "3"]
        assert (await service.http.get("/books/3")).json() == {"isbn": "3", "title": "New"}


async def test_a_fake() -> None:
    db = Database("memory://")
    db.books["1"] = Book("1", "Another")
    async with running(app) as service:
        with service.override(repo=BookRepo(db, limit=1)):
            assert (await service.call(GET_BOOK, GetBook("1"))).title == "Another"
    with app.container.repo.override(BookRepo(db, limit=2)):
        assert app.container.repo().limit == 2
