#!/bin/sh
# Builds the checker into $1 from the packages that the go command itself carries; no module is fetched.
set -eu
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/main.go" "$work"
mkdir -p "$work/mod/sumdb"
cp -r "$(go env GOROOT)/src/cmd/vendor/golang.org/x/mod/sumdb/note" "$(go env GOROOT)/src/cmd/vendor/golang.org/x/mod/sumdb/tlog" "$work/mod/sumdb"
printf 'module golang.org/x/mod\n\ngo 1.23\n' > "$work/mod/go.mod"
printf 'module sumdb\n\ngo 1.23\n\nrequire golang.org/x/mod v0.0.0\n\nreplace golang.org/x/mod => ./mod\n' > "$work/go.mod"
cd "$work"
GOFLAGS=-mod=mod GOPROXY=off GONOSUMDB='*' GOCACHE="${GOCACHE:-$HOME/.cache/actledger/go}" go build -o "$1" .
