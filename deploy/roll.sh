#!/bin/sh
# Brings what runs to the image that is here now, one process at a time, so that no request is lost:
#   docker compose build && sh deploy/roll.sh
set -eu

cd "$(dirname "$0")/.."
# The old processes go on with the new schema; see docs/migrations.md.
docker compose run --rm migrate
for service in api-1 api-2 worker; do
  docker compose up --detach --no-deps --wait "$service"
done
