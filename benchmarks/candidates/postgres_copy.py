"""A limit: COPY of a ready CSV file into a logged table with the same key."""

from __future__ import annotations

import psycopg

from job import Job

TABLE = """CREATE TABLE orders (
    order_id BIGINT PRIMARY KEY, status TEXT, customer JSONB, items JSONB, currency TEXT,
    shipping NUMERIC(12, 2), ordered_at TIMESTAMPTZ, updated_at TIMESTAMPTZ, note TEXT)"""


def run(job: Job) -> None:
    with psycopg.connect(job.target) as connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
        with (
            job.file.open("rb") as file,
            cursor.copy("COPY orders FROM STDIN (FORMAT csv, HEADER true)") as copy,
        ):
            while block := file.read(1 << 20):
                copy.write(block)
