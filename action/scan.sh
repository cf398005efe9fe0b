#!/usr/bin/env bash
# Scans, and says in the ways of a workflow what came of it. The gate is a step of its own, so that
# what was found is uploaded before the job fails.
set -euo pipefail
arguments=(scan "$TARGET" --output "$FOLDER" --sarif-file "$CONFIG" --fail-on "$FAIL_ON" --quiet)
arguments+=(--format json --format sarif --format markdown --format html)
[[ -n $LOGIN ]] && arguments+=(--login "$LOGIN")
[[ $REGISTER == true ]] && arguments+=(--register)
[[ -n $MIN_SCORE ]] && arguments+=(--min-score "$MIN_SCORE")
[[ -n $BASELINE ]] && arguments+=(--baseline "$BASELINE")
while IFS= read -r argument; do
  [[ -n $argument ]] && arguments+=("$argument")
done <<<"$ARGUMENTS"
# An empty variable is none.
[[ -n $DOORWARDEN_ACCOUNTS ]] || unset DOORWARDEN_ACCOUNTS
[[ -n $DOORWARDEN_OPERATOR_KEY ]] || unset DOORWARDEN_OPERATOR_KEY
[[ -n $DOORWARDEN_JWT_KEY ]] || unset DOORWARDEN_JWT_KEY

# What an earlier scan left would be told as this one's.
rm -f "$FOLDER"/report.*
code=0
"$BINARY" "${arguments[@]}" || code=$?
echo "code=$code" >>"$GITHUB_OUTPUT"
report=$FOLDER/report.json
if [[ ! -f $report ]]; then
  echo "::error title=Doorwarden::the scan gave no report (exit code $code)"
  exit 0
fi
{
  jq --raw-output '"score=\(.score // "")", "grade=\(.grade // "")"' "$report"
  jq --raw-output '[.verdicts[] | select(.verdict == "finding" and .severity != "info")] | "findings=\(length)"' "$report"
  echo "sarif=$FOLDER/report.sarif"
} >>"$GITHUB_OUTPUT"
cat "$FOLDER/report.md" >>"$GITHUB_STEP_SUMMARY"
