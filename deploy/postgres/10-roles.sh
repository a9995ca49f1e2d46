#!/bin/sh
# Runs once, when the data volume is empty: one role owns and migrates, the other serves. `glasswork migrate`
# grants the second what it needs.
set -eu

OWNER_PASSWORD=$(cat /run/secrets/owner_password)
SERVING_PASSWORD=$(cat /run/secrets/serving_password)
export OWNER_PASSWORD SERVING_PASSWORD

psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv owner_password OWNER_PASSWORD
\getenv serving_password SERVING_PASSWORD
CREATE ROLE glasswork_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE glasswork LOGIN PASSWORD :'serving_password';
CREATE DATABASE glasswork OWNER glasswork_owner;
REVOKE ALL ON DATABASE glasswork FROM PUBLIC;
GRANT CONNECT ON DATABASE glasswork TO glasswork;
SQL
