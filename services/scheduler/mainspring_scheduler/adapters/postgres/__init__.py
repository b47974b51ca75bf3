from mainspring_scheduler.adapters.postgres.duties import PostgresDutyStore

__all__ = ["PostgresDutyStore"]
