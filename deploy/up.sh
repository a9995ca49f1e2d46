#!/bin/sh
# From a clone to https://localhost/docs: sh deploy/up.sh [--profile observability]
set -eu

cd "$(dirname "$0")/.."
[ -d secrets ] || sh deploy/make-secrets.sh
# Returns when Traefik has been started, which waits for the API, which waits for the schema.
docker compose "$@" up --build --detach
echo "Glasswork is up: https://${PUBLIC_HOST:-localhost}/docs"
