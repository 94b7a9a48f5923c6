#!/usr/bin/env bash
# Builds influxd 2.7.12 into the user's cache folder, once: tests of InfluxDB 2 run where it is there and are skipped elsewhere.
# Needs go, cargo with rustc, a C compiler, and about ten minutes of one processor, so CI does not build it. Its go.mod has a
# `replace`, so `go install` refuses it: it is built from a copy of its module. Its library flux is Rust, which influxdata's own
# pkg-config builds on the way; flux denies lints that rustc came to know after it was written, hence the cap.
set -euo pipefail
version=2.7.12
folder="${XDG_CACHE_HOME:-$HOME/.cache}/bwmgr"
program="$folder/influxd-$version"
if [ -x "$program" ]; then
  echo "$program"
  exit 0
fi
for tool in go cargo rustc; do
  command -v "$tool" >/dev/null || { echo "influxd $version needs $tool to be built; its tests will be skipped" >&2; exit 1; }
done
mkdir -p "$folder"
work="$(mktemp -d "$folder/build.XXXXXX")"
trap 'rm -rf "$work"' EXIT
module="$(cd "$work" && GOFLAGS=-mod=mod go mod download -json "github.com/influxdata/influxdb/v2@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')"
cp -r "$module" "$work/source"
chmod -R u+w "$work/source"
cd "$work/source"
go build -o "$work/bin/pkg-config" github.com/influxdata/pkg-config
if command -v rustup >/dev/null; then  # flux names a toolchain of its own, which would be one more download
  RUSTUP_TOOLCHAIN="${RUSTUP_TOOLCHAIN:-$(rustup default | cut -d' ' -f1)}"
  export RUSTUP_TOOLCHAIN
fi
PATH="$work/bin:$PATH" RUSTFLAGS="--cap-lints warn" \
  nice -n 10 go build -trimpath -ldflags "-X main.version=v$version" -o "$work/influxd" ./cmd/influxd
mv "$work/influxd" "$program"
echo "$program"
