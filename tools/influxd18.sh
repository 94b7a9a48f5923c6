#!/usr/bin/env bash
# Builds influxd 1.8.10 into the user's cache folder, once: tests of InfluxDB 1.8 run where it is there and are skipped elsewhere.
# Needs go and 2.5 minutes of CPU.
set -euo pipefail
version=1.8.10
folder="${XDG_CACHE_HOME:-$HOME/.cache}/bwmgr"
program="$folder/influxd-$version"
if [ -x "$program" ]; then
  echo "$program"
  exit 0
fi
command -v go >/dev/null || { echo "influxd $version needs go to be built; its tests will be skipped" >&2; exit 1; }
mkdir -p "$folder"
work="$(mktemp -d "$folder/build.XXXXXX")"
trap 'rm -rf "$work"' EXIT
GOBIN="$work" GOFLAGS=-trimpath nice -n 10 go install -ldflags "-X main.version=$version" "github.com/influxdata/influxdb/cmd/influxd@v$version"
mv "$work/influxd" "$program"
echo "$program"
