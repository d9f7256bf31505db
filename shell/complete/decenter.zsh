#compdef decenter
# Completion of decenter for zsh: put this file as _decenter in a folder of $fpath, or source it after compinit.
_decenter() {
    local text hint
    local -a whole wholehint open openhint
    while IFS=$'\t' read -r text hint; do
        if [[ $text == *: ]]; then
            open+=("$text")
            openhint+=("${(r:24:)text} $hint")
        else
            whole+=("$text")
            wholehint+=("${(r:24:)text} $hint")
        fi
    done < <("${words[1]}" complete "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)
    (( ${#whole} )) && compadd -l -V words -d wholehint -- "${whole[@]}"
    (( ${#open} )) && compadd -l -V keys -S '' -d openhint -- "${open[@]}"
    return 0
}
if [[ ${funcstack[1]} == _decenter ]]; then
    _decenter "$@"
else
    compdef _decenter decenter
fi
