"""Pool, named queries, transactions and rows; the only importer of asyncpg."""
