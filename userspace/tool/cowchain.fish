# SPDX-License-Identifier: GPL-2.0-only
#
# Completion of cowchain(8) for fish. Verbs, options and their values come from the program itself
# ("cowchain --completion"); none is listed here.

# __cowchain_value KIND WORD...; the program leaves devices out that a terminal would obey
function __cowchain_value
    set -l cur (commandline --current-token)
    switch "$argv[1]"
        case file
            __fish_complete_path $cur
        case dir
            __fish_complete_directories $cur
        case device
            cowchain --completion=devices 2>/dev/null
        case image
            __fish_complete_path $cur
            cowchain --completion=devices 2>/dev/null
    end
    if set -q argv[2]
        printf '%s\n' $argv[2..-1]
    end
end

# With what the overview says about them.
function __cowchain_verbs
    cowchain --help 2>/dev/null | string replace -r -f '^  ([a-z]+) +(.*)' '$1\t$2'
end

# The rest of a line of "cowchain --completion" that begins with these words, or nothing.
function __cowchain_line
    set -l begin (string join ' ' -- $argv)' '
    for line in $__cowchain_lines
        if test (string sub -l (string length -- $begin) -- $line) = $begin
            string sub -s (math (string length -- $begin) + 1) -- $line | string split ' '
            return
        end
    end
end

# What may be behind these words: those of the command line before the cursor, without the program.
function __cowchain_complete
    set -l verb ''
    set -l last ''
    set -l nr 0
    set -g __cowchain_lines (cowchain --completion 2>/dev/null)
    for word in (commandline --tokenize --cut-at-cursor --current-process)[2..-1]
        if test -z "$verb"
            if not string match -q -- '-*' $word
                set verb $word
            end
        else if test -n "$last"
            set last ''
        else if not string match -q -- '-*' $word
            set nr (math $nr + 1)
        else if not contains -- (__cowchain_line option $verb $word)[1] '' flag
            set last $word
        end
    end
    if test -z "$verb"
        __cowchain_verbs
        printf 'help\tshow the options of a verb\n'
    else if test -n "$last"
        __cowchain_value (__cowchain_line option $verb $last)
    else if string match -q -- '-*' (commandline --current-token)
        string replace -r -f "^option $verb (\S+) .*" '$1' -- $__cowchain_lines
    else if test "$verb:$nr" = help:0
        __cowchain_verbs
    else
        __cowchain_operand $verb $nr
    end
end

# The operand of that number, or one that may be repeated from an earlier number on.
function __cowchain_operand
    set -l kind (__cowchain_line operand $argv[1] $argv[2])
    for first in (seq 0 $argv[2])
        if test -z "$kind[1]"
            set kind (__cowchain_line operand $argv[1] $first+)
        end
    end
    __cowchain_value $kind
end

complete --command cowchain --no-files --arguments '(__cowchain_complete)'
