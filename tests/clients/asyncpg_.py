"""asyncpg: its own implementation of the protocol; always binary, always prepared, portals with row limits."""

import asyncio
import datetime
import decimal
import io
import logging
import sys

import asyncpg

from transcript import show

logging.disable(logging.CRITICAL)


async def types(connection):
    show(await connection.fetchrow("SELECT $1::int, $2::text, $3::numeric, $4::date, $5::int[]", 1, "Zoë",
                                   decimal.Decimal("1.50"), datetime.date(2026, 1, 2), [1, 2]))


async def prepared(connection):
    statement = await connection.prepare("SELECT first_name FROM employee WHERE employee_no = $1")
    show([type_.name for type_ in statement.get_parameters()], [a.name for a in statement.get_attributes()])
    show([await statement.fetchval(n) for n in range(1, 8)])


async def type_introspection(connection):
    show(await connection.fetchval("SELECT ROW(1, 'a'::text)"))
    show((await connection.fetchrow("SELECT e FROM employee e WHERE employee_no = 1"))["e"]["email"])


async def cursor_with_row_limit(connection):
    async with connection.transaction():
        total = 0
        async for row in connection.cursor("SELECT employee_no FROM employee ORDER BY 1", prefetch=70):
            total += row[0]
        show(total)
        cursor = await connection.cursor("SELECT employee_no FROM employee ORDER BY 1")
        show([row[0] for row in await cursor.fetch(2)])
        await cursor.forward(5)
        show((await cursor.fetchrow())[0])


async def executemany(connection):
    transaction = connection.transaction()
    await transaction.start()
    await connection.executemany("INSERT INTO department VALUES ($1, $2)", [(f"a{n:03}", f"a {n}") for n in range(500)])
    show(await connection.fetchval("SELECT count(*) FROM department"))
    await transaction.rollback()
    show(await connection.fetchval("SELECT count(*) FROM department"))


async def copy(connection):
    await connection.execute("CREATE TEMPORARY TABLE c (n int, t text)")
    show(await connection.copy_records_to_table("c", records=[(n, f"t{n}") for n in range(3000)]))
    out = io.BytesIO()
    show(await connection.copy_from_query("SELECT * FROM c WHERE n < $1 ORDER BY n", 3, output=out))
    show(out.getvalue())


async def script(connection):
    show(await connection.execute("SELECT 1; SELECT 2; SELECT 3"))


async def errors_and_savepoints(connection):
    async with connection.transaction():
        try:
            async with connection.transaction():
                await connection.execute("SELECT 1 / 0")
        except asyncpg.PostgresError as error:
            show(type(error).__name__, error.sqlstate, str(error))
        show(await connection.fetchval("SELECT 'after the savepoint'"))
    for sql in ("SELECT * FROM nowhere", "SELEC", "SELECT $1::int + 'x'"):
        try:
            await connection.fetch(sql)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            show(type(error).__name__, str(error))


async def timeout_cancels(connection):
    try:
        await connection.execute("SELECT count(pg_sleep(0.01)) FROM employee", timeout=0.5)
    except asyncio.TimeoutError:
        show("timed out")
    show(await connection.fetchval("SELECT 'usable'"))


async def listen(connection):
    heard = asyncio.Future()
    await connection.add_listener("news", lambda *args: heard.done() or heard.set_result(args[2:]))
    await connection.execute("NOTIFY news, 'read all about it'")
    show(await asyncio.wait_for(heard, 5))


async def fifty_thousand_rows(connection):
    rows = await connection.fetch("SELECT n, md5(n::text) FROM generate_series(1, 50000) n")
    show(len(rows), tuple(rows[-1]))


async def reset(connection):
    await connection.execute("SET search_path = pg_catalog")
    await connection.reset()
    show(await connection.fetchval("SHOW search_path"))


async def main():
    for scenario in (types, prepared, type_introspection, cursor_with_row_limit, executemany, copy, script,
                     errors_and_savepoints, timeout_cancels, listen, fifty_thousand_rows, reset):
        if sys.argv[1:] and scenario.__name__ not in sys.argv[1:]:
            continue
        print(f"## {scenario.__name__}", flush=True)
        connection = None
        try:
            connection = await asyncpg.connect()
            await asyncio.wait_for(scenario(connection), 60)
            await connection.close(timeout=10)
        except Exception as error:  # noqa: BLE001: whatever it is, it belongs into the transcript
            show("UNEXPECTED", type(error).__name__, error)
            if connection:
                connection.terminate()


asyncio.run(main())
