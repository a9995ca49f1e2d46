#!/bin/sh
# Starts Alertmanager with the addresses of the receivers, which are secrets, in its configuration:
# page_url, ticket_url and watchdog_url below /run/secrets, or RECEIVERS.
set -eu

here=$(dirname "$0")
filled=$(mktemp)
cp "$here/alertmanager.yml" "$filled"
for name in page ticket watchdog; do
  url=$(sed 's/[\\&|]/\\&/g' "${RECEIVERS:-/run/secrets}/${name}_url")
  sed -i "s|http://$name\.invalid/|$url|" "$filled"
done
exec "${ALERTMANAGER:-alertmanager}" --config.file="$filled" "$@"
