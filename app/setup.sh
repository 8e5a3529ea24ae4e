# Shared by app/run and tests/run (sourced, bash): packages, build folder, default model. Prints what it does.
# Honours FOVEA_BUILD_DIR, FOVEA_CACHE, FOVEA_OFFLINE=1. Callers set FOVEA_TOP, the folder of CMakeLists.txt.

fovea_packages=(g++ cmake ninja-build ccache pkg-config python3 python3-pip ca-certificates
    libeigen3-dev libdnnl-dev nlohmann-json3-dev libcli11-dev libpcre2-dev libexpected-dev libssl-dev)
fovea_window_packages=(qt6-base-dev qt6-svg-dev libqcustomplot-dev libgl-dev fonts-dejavu-core)
fovea_test_packages=(git clang-14 clang-format-14 libclang-rt-14-dev libomp-14-dev libbenchmark-dev mold)

say() { printf '\n== %s\n' "$*" >&2; }
die() { printf 'fovea: %s\n' "$*" >&2; exit 1; }

# Installs what dpkg does not have yet; root or sudo is used for this step only.
install_packages() {
    local missing=() name
    command -v dpkg-query >/dev/null || die "this script installs Debian packages; on another system install: $*"
    for name in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "${FOVEA_OFFLINE:-0}" != 1 ] || die "FOVEA_OFFLINE=1 is set and these packages are missing: ${missing[*]}"
    local root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "packages are missing and there is no sudo; as root: apt-get install ${missing[*]}"
        root=(sudo)
    fi
    say "installing packages: ${missing[*]}"
    "${root[@]}" apt-get update -qq || die "apt-get update failed: is the network reachable?"
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get could not install: ${missing[*]}"
}

# show_progress SECONDS: reads a build's output and says on stderr how far it is: one line that is rewritten on a terminal, elsewhere a
# line every SECONDS, also while a single file compiles for longer. The count is ninja's "[12/255] ...".
show_progress() {
    local pause=$1 line count='' begun=$SECONDS said=$SECONDS terminal=0
    [ ! -t 2 ] || terminal=1
    while true; do
        if IFS= read -r -t $((pause > 0 ? pause : 1)) line; then
            [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
            count="${BASH_REMATCH[1]} of ${BASH_REMATCH[2]} steps"
            [ $terminal = 0 ] || printf '\r\033[K   %s, %d s' "$count" $((SECONDS - begun)) >&2
        elif [ $? -le 128 ]; then
            break # the end of the output; above 128 is the time limit
        fi
        [ $terminal = 0 ] && [ -n "$count" ] && [ $((SECONDS - said)) -ge "$pause" ] || continue
        printf '   %s, %d s\n' "$count" $((SECONDS - begun)) >&2
        said=$SECONDS
    done
    [ $terminal = 0 ] || printf '\r\033[K' >&2
}

# configure_and_build FOLDER PRESET [cmake options...]; quick the second time. FOVEA_TARGETS names what to build, default all.
configure_and_build() {
    local folder=$1 preset=$2
    shift 2
    say "building ($preset) in $folder"
    (cd "$FOVEA_TOP" && cmake --preset "$preset" -B "$folder" -DFOVEA_UNITY=ON "$@" >"$folder.log" 2>&1) ||
        { tail -n 20 "$folder.log" >&2; die "cmake failed; the whole log is $folder.log"; }
    # Heavy template files need about 1 GB each: no more jobs than memory carries.
    local jobs memory
    jobs=$(nproc)
    memory=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo)
    [ "$memory" -ge 1 ] || memory=1
    [ "$jobs" -le "$memory" ] || jobs=$memory
    # shellcheck disable=SC2086  # a list of names
    (set -o pipefail
        cmake --build "$folder" -j "$jobs" ${FOVEA_TARGETS:+--target $FOVEA_TARGETS} 2>&1 | tee "$folder.log" | show_progress 30) ||
        { grep -E -A6 'error|FAILED' "$folder.log" | head -n 60 >&2; die "the build failed; the whole log is $folder.log"; }
}
