#!/usr/bin/env bash
# Installs the binary of a release into $FOLDER, or builds it from the source of this action.
set -euo pipefail
mkdir -p "$FOLDER"
if [[ $VERSION == source ]]; then
  cargo build --release --quiet --manifest-path "$ACTION/Cargo.toml" --package doorwarden \
    --no-default-features --features scan
  target=${CARGO_TARGET_DIR:-$ACTION/target}
  binary=$target/release/doorwarden
else
  name=doorwarden-$(uname -m)-$(uname -s | tr '[:upper:]' '[:lower:]')
  gh release download "$VERSION" --repo "${GITHUB_ACTION_REPOSITORY:-doorwarden/doorwarden}" \
    --pattern "$name.tar.gz" --pattern "$name.tar.gz.sha256" --dir "$FOLDER" --clobber
  (cd "$FOLDER" && sha256sum --check --strict "$name.tar.gz.sha256" && tar -xzf "$name.tar.gz")
  binary=$FOLDER/doorwarden
fi
"$binary" --version
echo "binary=$binary" >>"$GITHUB_OUTPUT"
