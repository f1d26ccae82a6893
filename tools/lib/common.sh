# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# For the scripts of tools/: sourced after $top is set.

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { warn "$@"; exit 1; }

# help_of FILE: prints the comment that opens the script, as its help.
help_of() { awk 'NR > 2 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"; }

now_s() { date +%s; }

# quietly LOG COMMAND...: output goes to LOG, and is shown only when the command fails.
quietly() {
	quietly_log=$1
	shift
	"$@" >"$quietly_log" 2>&1 && return 0
	quietly_rc=$?
	tail -n 60 "$quietly_log" >&2
	warn "failed ($quietly_rc): $*; the whole log: $quietly_log"
	return "$quietly_rc"
}
