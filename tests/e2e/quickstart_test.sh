#!/usr/bin/env bash
# The tour of tools/quickstart, each of its checks a case.
cd "$(dirname "$0")/../.."
out=$(timeout 600 tools/quickstart --exit 2>&1)
status=$?
plain=$(printf '%s\n' "$out" | sed 's/\x1b\[[0-9;]*m//g')
printf '%s\n' "$plain" | sed -n 's/^  held  /ok /p; s/^  DID NOT HOLD  /not ok /p'
if [ $status != 0 ]; then
    printf '%s\n' "$plain" | tail -30
    echo "not ok quickstart ends with 0: it ended with $status"
else
    echo "ok quickstart ends with 0"
fi
[ -z "$(git status --porcelain --untracked-files=normal -- . 2>/dev/null | grep -E '^\?\? ' | grep -vE 'build/|var/|node_modules')" ] && echo "ok nothing left but build/ and var/" || echo "not ok nothing left but build/ and var/"
exit $status
