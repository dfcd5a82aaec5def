"""How the Prefect server uses PostgreSQL."""

import asyncio

from sqlalchemy import make_url, text

from analytics_worker.server.database import PostgresWithoutJit


def test_sessions_of_the_server_compile_no_queries(database_url):
    url = make_url(database_url).set(drivername="postgresql+asyncpg")
    configuration = PostgresWithoutJit(
        connection_url=url.render_as_string(hide_password=False),
        sqlalchemy_pool_size=1,
    )

    async def jit() -> list[str]:
        engine = await configuration.engine()
        assert await configuration.engine() is engine
        shown = []
        for is_last_of_session in (False, False, True, False):
            async with engine.connect() as connection:
                shown.append((await connection.execute(text("show jit"))).scalar_one())
                if is_last_of_session:
                    await connection.invalidate()
        await engine.dispose()
        return shown

    assert asyncio.run(jit()) == ["off"] * 4
