#!/bin/sh
# Makes the secrets of docker-compose.yml: sh deploy/make-secrets.sh
set -eu

cd "$(dirname "$0")/.."
# The folder is closed to other users of this machine. The files are not: they are mounted one by one into
# containers whose users are none of this machine's.
mkdir -m 700 secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

owner=$(random)
serving=$(random)
random >secrets/postgres_password.txt
printf %s "$owner" >secrets/owner_password.txt
printf %s "$serving" >secrets/serving_password.txt
printf %s "postgresql+asyncpg://glasswork_owner:$owner@postgres:5432/glasswork" >secrets/migration_database_url.txt
printf %s "postgresql+asyncpg://glasswork:$serving@postgres:5432/glasswork" >secrets/database_url.txt
random >secrets/jwt_secret.txt
random >secrets/grafana_password.txt
# Where Alertmanager posts what it has to tell. Put yours here: until then NotificationsFailing is raised.
for receiver in page ticket watchdog; do
  printf %s "http://localhost:9/$receiver" >"secrets/${receiver}_url.txt"
done
chmod 644 secrets/*.txt
# Where Traefik keeps certificates that it was given, as a user of its own.
mkdir -m 777 secrets/acme
