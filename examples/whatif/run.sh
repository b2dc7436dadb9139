#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A what-if from nothing. SOSIA: the command (sosia); PORT: a free port (7475).
set -eu
cd "$(dirname "$0")"
SOSIA=${SOSIA:-sosia} PORT=${PORT:-7475}
export SOSIA_URL="http://127.0.0.1:$PORT"
"$SOSIA" serve --memory --http "127.0.0.1:$PORT" >/dev/null 2>&1 &
server=$!
trap 'kill $server; wait $server || true' EXIT
until curl -sf --noproxy '*' -o /dev/null "$SOSIA_URL/healthz"; do sleep 0.1; done

"$SOSIA" import models.json village.ndjson --quiet

# What moves, what is counted, what is tried: one document each.
for kind in behaviour kpi whatif; do
    for file in *.$kind; do
        curl -sf --noproxy '*' -o /dev/null -X PUT -d "@$file" \
            "$SOSIA_URL/${kind}s/${file%.*}?api-version=2023-10-31"
    done
done

"$SOSIA" whatif
"$SOSIA" whatif pump-breaks
"$SOSIA" get tower --world pump-breaks
