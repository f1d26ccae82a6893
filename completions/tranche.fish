# SPDX-License-Identifier: MIT
# fish completion of tranche: tranche itself tells what may follow.

function __tranche_candidates
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    test (count $current) -eq 0; and set current ''
    command tranche __complete $words[2..-1] $current[1] 2>/dev/null
end

function __tranche_wants
    contains -- $argv[1] (__tranche_candidates)
end

complete -c tranche -f -a '(__tranche_candidates | string match -v ":*")'
complete -c tranche -n '__tranche_wants :files' -F
complete -c tranche -n '__tranche_wants :commands' -a '(__fish_complete_command)'
