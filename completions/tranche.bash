# SPDX-License-Identifier: MIT
# bash completion of tranche: tranche itself tells what may follow.

_tranche()
{
	local word lines
	COMPREPLY=()
	mapfile -t lines < <(tranche __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	for word in "${lines[@]}"; do
		word=${word%%$'\t'*}
		case $word in
		:files) compopt -o default 2>/dev/null ;;
		:commands) mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}") ;;
		"${COMP_WORDS[COMP_CWORD]}"*) COMPREPLY+=("$word") ;;
		esac
	done
}

complete -F _tranche tranche
