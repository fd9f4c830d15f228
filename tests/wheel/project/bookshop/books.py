"""The handlers."""

from collections.abc import AsyncIterator

from bookshop.container import Container
from bookshop.contracts import ALL_BOOKS, BOOK_EVENTS, GET_BOOK, Book, BookAdded, BookRemoved, GetBook
from bookshop.store import BookRepo, Database, Session
from daebus import Blueprint, Bus, Client, Clients, Logger, Running, use
from daebus.errors import NotFound

books = Blueprint("books", services=Container)


@books.action(GET_BOOK)
async def get_book(query: GetBook, *, repo: BookRepo) -> Book:
    """One book."""
    book = await repo.find(query.isbn)
    if book is None:
        raise NotFound(f"There is no book {query.isbn}")
    return book


@books.action(ALL_BOOKS)
async def all_books(*, repo: BookRepo) -> AsyncIterator[Book]:
    """All books."""
    for book in repo.db.books.values():
        yield book


@books.action("add_book")
async def add_book(book: Book, *, repo: BookRepo, session: Session, bus: Bus) -> Book:
    """Add a book, and say so."""
    assert session.db is repo.db
    await bus.publish(BOOK_EVENTS, BookAdded(book.isbn))
    return await repo.add(book)


@books.route("/books/<isbn>")
async def http_get_book(isbn: str, *, repo: BookRepo = use(Container.repo)) -> Book:
    """One book."""
    return await get_book(GetBook(isbn), repo=repo)


@books.route("/books", methods=["POST"], status_code=201, summary="Add a book")
async def http_add_book(data: Book, *, repo: BookRepo) -> Book:
    """Add a book."""
    return await repo.add(data)


@books.listen(BOOK_EVENTS)
async def on_book_event(event: BookAdded | BookRemoved, *, logger: Logger) -> None:
    """Note what happened."""
    logger.info("book event", isbn=event.isbn)


@books.socket("get_book")
async def ws_get_book(data: GetBook, client: Client, *, repo: BookRepo, clients: Clients) -> Book | None:
    """One book."""
    assert client.id in await clients.connected()
    return await repo.find(data.isbn)


@books.background("tidy", cron="0 3 * * *")
async def tidy(*, db: Database) -> None:
    """Forget books without a title."""
    for book in [book for book in db.books.values() if not book.title]:
        del db.books[book.isbn]


@books.thread("watch")
def watch(running: Running) -> None:
    """Watch the shop."""
    while running():
        running.wait(60)


@books.on_start()
async def fill(*, repo: BookRepo) -> None:
    """The first book."""
    await repo.add(Book("1", "Notes by the translator"))
