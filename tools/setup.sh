# shellcheck shell=bash
# What ./run, ./test and tools/get_default_model share: packages, configuring, building. Sourced by bash, from anywhere.
# Standard output belongs to the answer, so everything here is printed on standard error. Standard input may be a prompt, so
# nothing here reads it. Each step does nothing if there is nothing to do. It can be interrupted anywhere: the next start
# continues from there.
# It does not parse arguments and does not run ogas.

ogas_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
ogas_state=$ogas_root/build/.setup  # stamps, logs and the lock
ogas_prefix=()                      # a command that starts the build, e.g. setarch

say() { printf 'ogas: %s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# For scripts that a person watches: Ctrl-C ends them with a word, not as if a step had failed.
end_on_interrupt() { trap 'echo >&2; say "interrupted; the next start continues from here"; exit 130' INT; }

# One set-up at a time in this folder; held until unlock_setup or the end of the script.
lock_setup() {
  mkdir -p "$ogas_state"
  exec {ogas_lock_fd}>"$ogas_state/lock"
  if ! flock --nonblock "$ogas_lock_fd"; then
    say "waiting for another set-up in this folder to end"
    flock "$ogas_lock_fd"
  fi
}

unlock_setup() { exec {ogas_lock_fd}>&-; }

# show_progress LOG: copies standard input to LOG and shows it on a terminal's standard error, as one line that changes.
show_progress() {
  local log=$1 line terminal=false columns=80
  if [[ -t 2 ]]; then
    terminal=true
    columns=$(tput cols 2>/dev/null || echo 80)
  fi
  : >"$log"
  while IFS= read -r line || [[ -n $line ]]; do
    printf '%s\n' "$line" >>"$log"
    if [[ $terminal == true ]]; then printf '\r\033[K%.*s' $((columns - 1)) "$line" >&2; fi
  done
  if [[ $terminal == true ]]; then printf '\r\033[K' >&2; fi
}

# run_logged NAME COMMAND...: its output goes to a log, and to the terminal only as one line that changes. If it fails,
# shows the end of the log.
run_logged() {
  local log=$ogas_state/$1.log
  shift
  local status=0
  "$@" </dev/null 2>&1 | show_progress "$log" || status=$?
  if ((status != 0)); then
    tail -n 25 "$log" >&2
    say "this failed: $*"
    say "the whole log: $log"
  fi
  return "$status"
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Prints the packages of the groups that are not installed.
missing_packages() {
  local wanted package native installed
  mapfile -t wanted < <(awk -v groups=" $* " '$1 !~ /^#/ && NF && index(groups, " " $1 " ") { print $2 }' \
                        "$ogas_root/tools/packages.txt" | sort -u)
  native=$(dpkg --print-architecture)
  installed=$'\n'$(dpkg-query --show --showformat '${db:Status-Status} ${Package}:${Architecture}\n' \
                   "${wanted[@]}" 2>/dev/null || true)$'\n'
  for package in "${wanted[@]}"; do
    local found=false name
    for name in "$package" "$package:$native" "$package:all"; do
      [[ $installed == *$'\n'"installed $name"$'\n'* ]] && found=true
    done
    [[ $found == true ]] || printf '%s\n' "$package"
  done
}

# Installs Debian packages by name, as root or through sudo.
install_packages() {
  local install="apt-get install --no-install-recommends $*"
  if ((EUID != 0)) && ! have sudo; then
    say "these Debian packages are missing, and installing them needs root or sudo: $*"
    die "run this as root, then start again: apt-get update && $install"
  fi
  say "installing $# Debian packages: $*"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get --yes -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  as_root true || die "sudo did not work; run this as root, then start again: apt-get update && $install"
  as_root dpkg --configure -a </dev/null >/dev/null 2>&1 || true  # ends what an interrupted installation left
  run_logged apt-update as_root "${apt[@]}" update ||
    say "some package lists could not be refreshed; using those at hand"
  if ! run_logged apt-install as_root "${apt[@]}" install --no-install-recommends "$@"; then
    say "trying once more after repairing"
    run_logged apt-repair as_root "${apt[@]}" --fix-broken install || true
    run_logged apt-install as_root "${apt[@]}" install --no-install-recommends "$@" ||
      die "apt-get could not install: $*"
  fi
}

# ensure_packages GROUP...: installs what is missing of these groups of tools/packages.txt. A stamp with the state of
# dpkg's data base saves asking again.
ensure_packages() {
  if ! have dpkg-query; then
    say "this is not a Debian system: tools/packages.txt names what must be installed; continuing"
    return
  fi
  local IFS=' ' missing state stamp="$ogas_state/packages-${*// /-}"
  stamp=${stamp// /-}
  state="$(stat --format='%i %z' /var/lib/dpkg/status) $(cksum <"$ogas_root/tools/packages.txt")"
  if [[ -f $stamp && $(<"$stamp") == "$state" ]]; then return; fi
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} > 0)); then
    install_packages "${missing[@]}"
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} == 0)) || die "still not installed: ${missing[*]}"
    state="$(stat --format='%i %z' /var/lib/dpkg/status) $(cksum <"$ogas_root/tools/packages.txt")"
  fi
  printf '%s\n' "$state" >"$stamp.new"
  mv "$stamp.new" "$stamp"
}

# Sets up the checks before a commit, in a clone without hooks of its own that a person works in.
ensure_hooks() {
  [[ -z ${CI:-} && -e $ogas_root/.git ]] && have git || return 0
  [[ $(git -C "$ogas_root" rev-parse --show-toplevel 2>/dev/null) == "$ogas_root" ]] || return 0
  [[ -z $(git -C "$ogas_root" config --get core.hooksPath) ]] || return 0
  local hooks
  hooks=$(git -C "$ogas_root" rev-parse --git-path hooks)
  [[ -z $(find "$ogas_root/$hooks" "$hooks" -type f ! -name '*.sample' 2>/dev/null) ]] || return 0
  git -C "$ogas_root" config core.hooksPath tools/hooks
  say "git now runs tools/hooks/pre-commit before a commit (undo: git config --unset core.hooksPath)"
}

# configure PRESET: again only after a change of the presets, or in a folder that was configured elsewhere. (Ninja
# itself sees changes of CMakeLists.txt.)
configure() {
  local preset=$1 folder=$ogas_root/build/$1 options=()
  if [[ -f $folder/.configured && -f $folder/build.ninja && ! $ogas_root/CMakePresets.json -nt $folder/.configured &&
        $(<"$folder/.configured") == "$ogas_root" ]]; then
    return
  fi
  if [[ -f $folder/CMakeCache.txt ]]; then options=(--fresh); fi
  say "configuring build/$preset"
  (cd "$ogas_root" && run_logged "configure-$preset" cmake "${options[@]}" --preset "$preset") ||
    die "cmake could not configure the build"
  printf '%s\n' "$ogas_root" >"$folder/.configured"
}

# As many compilers at once as there are processors and gigabytes of free memory for them.
n_compilers() {
  local processors memory
  processors=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1000000) }' /proc/meminfo)
  if ((memory < 1)); then memory=1; fi
  echo $((memory < processors ? memory : processors))
}

# build PRESET [TARGET...]: configures if need be and builds these targets, or all, and shows how long it will take.
build() {
  local preset=$1 color=() ninja steps=$ogas_state/steps-$1
  shift
  configure "$preset"
  [[ -t 2 ]] && color=(CLICOLOR_FORCE=1)
  ninja=(env "${color[@]}" "${ogas_prefix[@]}" ninja -C "$ogas_root/build/$preset" -j "$(n_compilers)")
  "${ninja[@]}" -t commands "$@" </dev/null >"$steps" 2>/dev/null || true
  "${ninja[@]}" "$@" </dev/null 2>&1 | "$ogas_root/tools/show_build" "$ogas_state/build-$preset.log" "$steps" ||
    die "the build of build/$preset failed"
}
