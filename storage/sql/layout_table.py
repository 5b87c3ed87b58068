"""Defines the table of the layout, which has a row only if the large tables are divided into buckets."""

from sqlalchemy import Column, Integer, String, Table
from sqlmodel import Field, SQLModel

from uplift.storage.sql.types import NUMBERS


class LayoutRow(SQLModel, table=True):
    """The layout of a database with buckets: their numbers, and the engine that distributes them."""

    __tablename__ = "layout"

    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    buckets: list[int] = Field(sa_column=Column(NUMBERS, nullable=False))
    engine: str = Field(sa_column=Column(String, nullable=False))


layout: Table = LayoutRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it for every table class
