#!/usr/bin/env bash
# Builds the .deb of a build folder ($1), unpacks it without installing, and runs the result.
set -euo pipefail
build=$1
for tool in cpack dpkg-deb dpkg-shlibdeps file; do
  command -v "$tool" >/dev/null || {
    echo "no $tool: ./test installs it"
    exit 77
  }
done
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

(cd "$build" && cpack -G DEB -B "$temporary" >"$temporary/log" 2>&1) || {
  cat "$temporary/log"
  exit 1
}
deb=$(ls "$temporary"/*.deb)
expect() {  # expect WHAT COMMAND...: the command succeeds
  local what=$1
  shift
  "$@" || {
    echo "failed: $what"
    dpkg-deb --info "$deb"
    dpkg-deb --contents "$deb"
    exit 1
  }
}
field() { dpkg-deb --field "$deb" "$1"; }

dpkg-deb --extract "$deb" "$temporary/root"
expect "the package is named ogas" [ "$(field Package)" = ogas ]
expect "it depends on the C++ library" grep -q 'libstdc++6' <<<"$(field Depends)"
expect "it depends on fmt" grep -q 'libfmt9' <<<"$(field Depends)"
version=$("$temporary/root/usr/bin/ogas" --version)
expect "the program tells the version of the package" grep -qF "$(field Version)" <<<"$version"
expect "the license comes along" test -s "$temporary/root/usr/share/doc/ogas/copyright"
expect "bash completes" bash -n "$temporary/root/usr/share/bash-completion/completions/ogas"
expect "zsh completes" grep -q '^#compdef ogas' "$temporary/root/usr/share/zsh/vendor-completions/_ogas"
expect "fish completes" grep -q 'complete' "$temporary/root/usr/share/fish/vendor_completions.d/ogas.fish"
expect "the library comes with its header" test -s "$temporary/root/usr/include/ogas/ogas.h"
expect "it tells the linker who needs it" grep -q '^libogas 1 ogas' <<<"$(dpkg-deb --info "$deb" shlibs)"
if command -v pkg-config >/dev/null && command -v cc >/dev/null; then
  pc=$(dirname "$(find "$temporary/root" -name ogas.pc)")
  read -ra flags <<<"$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs ogas)"
  expect "an example builds by pkg-config" cc -std=c89 examples/chat.c -o "$temporary/chat" "${flags[@]}"
  said=$(LD_LIBRARY_PATH=$(dirname "$pc") "$temporary/chat" /nowhere 2>&1 || true)
  expect "and finds the library" grep -q "/nowhere: .*No such" <<<"$said"
fi
expect "nothing belongs to the build" test -z "$(find "$temporary/root" -name '*.a' -o -name '*_test')"
echo "$(basename "$deb"): $version"
