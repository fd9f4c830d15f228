"""Where the books are."""

from collections.abc import AsyncIterator

from bookshop.contracts import Book


class Database:
    """All tables."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.books: dict[str, Book] = {}


class Session:
    """One unit of work."""

    def __init__(self, db: Database) -> None:
        self.db = db


class BookRepo:
    """The books of a database."""

    def __init__(self, db: Database, *, limit: int) -> None:
        self.db = db
        self.limit = limit

    async def find(self, isbn: str) -> Book | None:
        """The book, if there is one."""
        return self.db.books.get(isbn)

    async def add(self, book: Book) -> Book:
        """Add a book."""
        self.db.books[book.isbn] = book
        return book


async def open_database(url: str) -> AsyncIterator[Database]:
    """A database, closed again."""
    yield Database(url)


async def open_session(db: Database) -> AsyncIterator[Session]:
    """A session, committed or rolled back."""
    yield Session(db)
