"""The schema, step by step. Times are ms since 1970, more than PostgreSQL's INTEGER holds; SQLite counts only INTEGER keys up."""

import sqlalchemy as sa

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
