package main

import (
	"strings"

	"decenter/shell/complete"
)

// What follows the program's own commands, for completion: a line for each word, deeper words indented below the one they
// follow; then blanks, and what it is. That this is all of it, and nothing else, is a test.
const (
	engineWords = `
--config       the configuration file
--check        check the configuration and do nothing
--print        print the configuration and do nothing
--fingerprint  print this satellite's id
--uninstall    remove the data path
`
	labWords = `
up            make a lab
  --topology   line:N ring:N full:N torus:AxB, or a file
  --spacesuit  NAME=FILE
  --account    an owner besides the lab's own
  --stranger   a satellite that you will admit
  --log        debug info warn error
  --accel      auto kvm tcg
  --cache      remember what auto found
down          take it away
status        satellites, engines, ssh ports, cables
demo          up with the console of s1, gone when you leave
  --topology   line:N ring:N full:N torus:AxB, or a file
  --spacesuit  NAME=FILE
  --account    an owner besides the lab's own
  --stranger   a satellite that you will admit
  --log        debug info warn error
  --accel      auto kvm tcg
  --cache      remember what auto found
console       the console of a satellite
exec          a command inside a satellite
cable         cut or mend a cable
  cut          pull it
    --silent    it loses frames and keeps its carrier
  mend         plug it in
satellite     power, or the engine alone
  kill         power off
    --engine    kill -9 its engine alone
    --no-restart  which is started by hand
  start        power on
  freeze       SIGSTOP
  thaw         SIGCONT
--dir         where the lab is
--json        one object a satellite
`
	keyWords = `
new           make a key
  --out        the new key file
  --kind       p2wpkh p2tr p2sh-p2wpkh p2pkh
  --network    mainnet testnet regtest
  --words      how many
  --passphrase  seal the file
  --import     read words or a WIF from stdin
  --path       the words' path
  --json       one object
address       show the account
  --key        key file
  --json       one object
words         show the words that restore the key
  --key        key file
  --json       one object
export        show the secret, for a wallet to import
  --key        key file
sign          sign a login challenge
  --key        key file
  --message    sign this text
  --statement  sign this statement
  --no-key     also a challenge that names no SSH key
  --askpass    as ssh's askpass program
verify        check a signature
  --network    mainnet testnet regtest
  --json       one object
delegate      let ssh log in by itself, for a while
  --ssh-key    public SSH key file
  --to         a satellite's own key instead
  --scope      read operate all
  --for        how long: 12h, 30d
  --out        certificate file
  --key        key file
  --account    a wallet signs as this address
  --network    mainnet testnet regtest
  --json       one object
revoke        end delegations and logins
  --every      every key of the account
  --ssh-key    one key
  --key        key file
  --account    a wallet signs as this address
  --network    mainnet testnet regtest
  --json       one object
admit         take a satellite in
  --constellation  its name
  --key        key file
  --account    a wallet signs as this address
  --network    mainnet testnet regtest
  --json       one object
eject         put a satellite out
  --constellation  its name
  --key        key file
  --account    a wallet signs as this address
  --network    mainnet testnet regtest
  --json       one object
grant         give an account a role
  --on         all, array, array@SATELLITE or a VM's id
  --constellation  its name
  --key        key file
  --account    a wallet signs as this address
  --network    mainnet testnet regtest
  --json       one object
askpass       write the program for SSH_ASKPASS
  --key        key file
  --no-key     also sign challenges that name no SSH key
known-hosts   tell ssh which satellites to trust
  --owner      an owner's account
  --owners     a file of such
  --constellation  the one that counts
  --network    mainnet testnet regtest
ssh-config    print a block for ~/.ssh/config
  --satellite  a host
  --owner      an owner's account
  --owners     a file of such
  --constellation  the one that counts
  --account    the address to log in as
  --key        key file
  --network    mainnet testnet regtest
`
)

// words reads a table.
func words(table string) []complete.Word {
	lines := strings.Split(strings.Trim(table, "\n"), "\n")
	found, _ := wordsAt(lines, 0)
	return found
}

// wordsAt reads the words of one depth, and what is below them; it gives how many lines that took.
func wordsAt(lines []string, depth int) (found []complete.Word, n int) {
	for n < len(lines) {
		indent := len(lines[n]) - len(strings.TrimLeft(lines[n], " "))
		if indent < depth {
			return found, n
		}
		text, hint, _ := strings.Cut(lines[n][indent:], " ")
		w := complete.Word{Text: text, Hint: strings.TrimSpace(hint)}
		more, below := wordsAt(lines[n+1:], depth+2)
		w.More = more
		n += 1 + below
		found = append(found, w)
	}
	return found, n
}
