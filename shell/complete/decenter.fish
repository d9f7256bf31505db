# Completion of decenter for fish: put this file in ~/.config/fish/completions.
function __decenter_complete
    set -l left (commandline -cp | string collect)
    command decenter complete "$left" 2>/dev/null
end
complete -c decenter -f -k -a '(__decenter_complete)'
