"""Statements that no adapter has: what a test brings about behind the services' backs."""

from mainspring_postgres import Database, Query


async def run_script(database: Database, sql: str) -> None:
    """Runs several statements without parameters."""
    await database.execute(Query(name="script", purpose="Statements without parameters.", sql=sql))
