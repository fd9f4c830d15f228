"""What other services may import."""

import msgspec

from daebus import Action, Channel, StreamAction


class GetBook(msgspec.Struct):
    isbn: str


class Book(msgspec.Struct):
    isbn: str
    title: str


class BookAdded(msgspec.Struct, tag="book_added"):
    isbn: str


class BookRemoved(msgspec.Struct, tag="book_removed"):
    isbn: str


GET_BOOK = Action[GetBook, Book]("get_book", service="bookshop")
ALL_BOOKS = StreamAction[None, Book]("all_books", service="bookshop")
BOOK_EVENTS = Channel[BookAdded | BookRemoved]("book_events")
