"""asyncpg: prepares a statement that changes something and one that reads, runs each twice; prints how it went."""

import asyncio
import sys

import asyncpg


async def attempt(run):
    try:
        print(await run)
    except asyncpg.PostgresError as error:
        print(error.sqlstate)


async def changed(statement):
    await statement.fetch()
    return "changed " + statement.get_statusmsg().rsplit(" ", 1)[1]


async def read(statement):
    return f"read {await statement.fetchval()}"


async def main(changes, reads):
    connection = await asyncpg.connect()
    change, reading = await connection.prepare(changes), await connection.prepare(reads)
    for _ in range(2):
        await attempt(changed(change))
    for _ in range(2):
        await attempt(read(reading))
    await connection.close()


asyncio.run(main(sys.argv[1], sys.argv[2]))
