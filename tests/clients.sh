#!/usr/bin/env bash
# Drives `dukou demo` with FHIR and MLLP clients that other people wrote. Says so and stops where they cannot be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=../shared/tools/clients
[ -d "$tools" ] || { echo "skipped: $tools is not here"; exit 0; }

work=target/clients
mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet -r "$tools/requirements.txt" \
        || { rm -rf "$work/venv"; echo "skipped: the Python clients cannot be installed here"; exit 0; }
fi
cp "$tools"/package*.json "$tools"/*.mjs "$work/"
node=yes
[ -d "$work/node_modules" ] || npm --prefix "$work" ci --silent >/dev/null 2>&1 || node=no

cargo build --quiet --locked --package dukou-gateway
data=$(mktemp -d)
info="$data/info.json"
target/debug/dukou demo --data "$data/demo" --info "$info" --quiet --any-port >"$data/out" 2>"$data/err" &
pid=$!
trap 'kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; rm -rf "$data"' EXIT
for _ in $(seq 300); do [ -s "$info" ] && break; sleep 0.1; done
[ -s "$info" ] || { cat "$data/err"; echo "the demo did not come up"; exit 1; }
read_info() { python3 -c "import json,sys; d=json.load(open('$info')); print(eval('d'+sys.argv[1]))" "$1"; }
base=$(read_info "['fhir']"); mllp=$(read_info "['mllp']"); token=$(read_info "['tokens']['system']")
host=${mllp%:*}; port=${mllp##*:}

"$work/venv/bin/python" "$tools/fhirpy_crud.py" "$base" --token "$token"
# This client knows no bearer token: it takes user and password of the host from a netrc file.
printf 'machine 127.0.0.1 login system password %s\n' "$token" >"$data/netrc"
NETRC="$data/netrc" "$work/venv/bin/python" "$tools/fhirclient_smoke.py" "$base"
"$work/venv/bin/python" "$tools/mllp_send.py" --quiet "$host" "$port" ../shared/corpus/hl7v2/cdc-phdi
if [ "$node" = yes ]; then
    (cd "$work" && node kit_client.mjs "$base" "$token")
    (cd "$work" && node medplum_client.mjs "$base" "$token")
    (cd "$work" && node node_hl7_client.mjs "$host" "$port" ../../../shared/corpus/hl7v2/cdc-phdi)
else
    echo "skipped: the Node clients cannot be installed here"
fi
