#!/usr/bin/env bash
# Scans and reports the results to the workflow. A separate step fails the job, so that findings are
# uploaded first.
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
# An empty input is an unset variable.
[[ -n $DOORWARDEN_ACCOUNTS ]] || unset DOORWARDEN_ACCOUNTS
[[ -n $DOORWARDEN_OPERATOR_KEY ]] || unset DOORWARDEN_OPERATOR_KEY
[[ -n $DOORWARDEN_JWT_KEY ]] || unset DOORWARDEN_JWT_KEY

# Reports of an earlier scan must not be taken for this one's.
rm -f "$FOLDER"/report.*
code=0
"$BINARY" "${arguments[@]}" || code=$?
echo "code=$code" >>"$GITHUB_OUTPUT"
report=$FOLDER/report.json
if [[ ! -f $report ]]; then
  echo "::error title=Doorwarden::the scan wrote no report (exit status $code)"
  exit 0
fi
{
  jq --raw-output '"score=\(.score // "")", "grade=\(.grade // "")"' "$report"
  jq --raw-output '[.verdicts[] | select(.verdict == "finding" and .severity != "info")] | "findings=\(length)"' "$report"
  echo "sarif=$FOLDER/report.sarif"
} >>"$GITHUB_OUTPUT"
cat "$FOLDER/report.md" >>"$GITHUB_STEP_SUMMARY"
