from mainspring_scheduler.adapters.postgres.duties import PostgresDutyStore
from mainspring_scheduler.adapters.postgres.schedules import PostgresScheduleStore

__all__ = ["PostgresDutyStore", "PostgresScheduleStore"]
