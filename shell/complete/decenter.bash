# Completion of decenter for bash: source this file, or put it in /etc/bash_completion.d.
_decenter() {
    local LC_ALL=C # so that COMP_POINT, which counts bytes, cuts bytes
    local left=${COMP_LINE:0:COMP_POINT}
    local term=${left##*[[:space:]]}
    local given= text hint
    # Readline takes a colon for the end of a word; then only what follows it is replaced.
    if [[ $COMP_WORDBREAKS == *:* && $term == *:* ]]; then
        given=${term%"${term##*:}"}
    fi
    COMPREPLY=()
    while IFS=$'\t' read -r text hint; do
        COMPREPLY+=("${text#"$given"}")
    done < <("${COMP_WORDS[0]}" complete "$left" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o nosort -F _decenter decenter
