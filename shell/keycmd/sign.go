package keycmd

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/keyfile"
	"decenter/keys/statement"
)

// maxAhead is how far in the future a statement may be dated that is signed from text: one that someone dates years
// ahead could not be taken back until then, for the later of two holds. So it is with a challenge, which a satellite makes.
const maxAhead = 10 * time.Minute

func runSign(ctx context.Context, env Env, args []string) error {
	f := newFlags(env, "sign")
	f.withKey()
	message := f.String("message", "", "sign this `TEXT`, which is no challenge and no statement")
	line := f.String("statement", "", "sign this `LINE`, a statement of the key's account")
	how := manner{}
	f.BoolVar(&how.askpass, "askpass", false, "as ssh's askpass program: say little")
	f.BoolVar(&how.noKey, "no-key", false, "sign even if the challenge names no SSH key")
	if err := f.parse(args, 0, 1); err != nil {
		return err
	}
	given := f.NArg()
	f.Visit(func(g *flag.Flag) {
		if g.Name == "message" || g.Name == "statement" {
			given++
		}
	})
	switch {
	case given > 1:
		return invalid("sign takes one of a challenge, --message TEXT and --statement LINE", "")
	case *line != "":
		return signStatement(env, f.key, *line)
	case given == 1 && f.NArg() == 0:
		return signMessage(env, f.key, *message)
	case f.NArg() == 1:
		return signChallenge(ctx, env, f.key, f.Arg(0), how)
	}
	prompt, err := readChallenge(ctx, env)
	if err != nil {
		return err
	}
	return signChallenge(ctx, env, f.key, prompt, how)
}

// readChallenge reads all of stdin; at a terminal it asks, and one line is enough.
func readChallenge(ctx context.Context, env Env) (string, error) {
	if !env.Typed {
		return readInput(env)
	}
	fmt.Fprint(env.Stderr, "Paste the line to sign: ")
	line, err := readLine(ctx, env.Stdin, maxInput)
	if err == nil && line == "" {
		err = invalid("nothing was given to sign", "the satellite shows the line when you log in: decenter login …")
	}
	return line, err
}

// manner is how challenges are signed.
type manner struct {
	askpass bool // for ssh: one line on stderr
	noKey   bool // even those that name no SSH key
}

func signMessage(env Env, given, message string) error {
	switch {
	case keys.MentionsChallenge(message):
		return invalid("this text could pass for a login challenge", "sign a challenge without --message, so that it is checked")
	case statement.Mentions(message):
		return invalid("this text could pass for a statement about trust", "sign a statement with --statement, so that it is explained")
	}
	k, _, err := openKey(env, given)
	if err != nil {
		return err
	}
	return printSignature(env, k, message, fmt.Sprintf("signing as %s:\n  %s", k.Account, printable(message)))
}

// signStatement signs a line that delegate, revoke, admit, eject or grant would make.
func signStatement(env Env, given, line string) error {
	k, _, err := openKey(env, given)
	if err != nil {
		return err
	}
	s, err := statement.Parse(k.Account.Network(), line)
	if err != nil {
		return typed(err)
	}
	if s.Signer() != k.Account {
		return &api.Error{Code: api.CodeFailed, Message: fmt.Sprintf("the statement is one of account %s, the key is of %s", s.Signer(), k.Account),
			Hint: "name that account's key file with --key"}
	}
	if ahead := s.When().Sub(env.Now()); ahead > maxAhead {
		return &api.Error{Code: api.CodeFailed, Message: fmt.Sprintf("the statement is dated %v ahead, and could not be taken back before", ahead.Round(time.Second)),
			Hint: "check this machine's clock, or make it here: decenter key delegate, revoke, admit, eject or grant"}
	} else if -ahead > maxAhead {
		fmt.Fprintf(env.Stderr, "decenter key: by this machine's clock the statement was made %v ago\n", (-ahead).Round(time.Second))
	}
	return printSignature(env, k, line, fmt.Sprintf("as %s, this %s", k.Account, explain(s)))
}

// signChallenge signs the one challenge in prompt, if it is meant for the key's holder at this machine.
func signChallenge(ctx context.Context, env Env, given, prompt string, how manner) error {
	if how.askpass && env.Getenv("SSH_ASKPASS_PROMPT") == "none" {
		// ssh only shows something, such as that a token waits to be touched, and wants no answer: ssh(1).
		fmt.Fprintln(env.Stderr, printable(firstLine(prompt)))
		return nil
	}
	k, _, err := openKey(env, given)
	if err != nil {
		return err
	}
	c, err := findChallenge(ctx, env, k.Account, prompt, how)
	if err != nil {
		return err
	}
	if how.askpass {
		return printSignature(env, k, c.String(), fmt.Sprintf("%s logs in at %s", short(c.Account.String()), short(c.Satellite.String())))
	}
	with := "your SSH key " + c.Key.String()
	if c.Key == (keys.Fingerprint{}) {
		with = "no SSH key"
	}
	return printSignature(env, k, c.String(), fmt.Sprintf("signing as %s: it logs in at satellite %s with %s\n  %s", c.Account, c.Satellite, with, c))
}

// findChallenge finds the one challenge in prompt that is account's to sign, and none that someone may be relaying.
func findChallenge(ctx context.Context, env Env, account keys.Address, prompt string, how manner) (keys.Challenge, error) {
	c, err := keys.FindChallenge(account.Network(), prompt)
	if err != nil {
		return keys.Challenge{}, noChallenge(prompt, how, err)
	}
	if c.Account != account {
		return keys.Challenge{}, &api.Error{Code: api.CodeFailed, Message: fmt.Sprintf("the challenge is for account %s, the key is of %s", c.Account, account),
			Hint: "log in as the key's account, or name another key with DECENTER_KEY"}
	}
	late := env.Now().Sub(c.Expires)
	if -late > maxAhead {
		return keys.Challenge{}, &api.Error{Code: api.CodeFailed, Message: fmt.Sprintf("by this machine's clock the challenge expires in %v, and a satellite's does so in minutes: your signature would be a login for later, which no revocation before then ends", (-late).Round(time.Second)),
			Hint: "check this machine's clock; if it is right, the satellite is not to be trusted"}
	}
	if late > 0 {
		fmt.Fprintf(env.Stderr, "decenter key: by this machine's clock the challenge expired %v ago\n", late.Round(time.Second))
	}
	return c, checkKey(ctx, env, c, how)
}

// noChallenge tells why nothing in prompt is signed.
func noChallenge(prompt string, how manner, err error) error {
	switch {
	case statement.Mentions(prompt):
		return &api.Error{Code: api.CodeFailed, Message: "this is a statement about trust, and no login challenge",
			Hint: "if you mean it, sign it with --statement LINE"}
	case keys.MentionsChallenge(prompt):
		return withCode(api.CodeFailed, err)
	case !how.askpass:
		return invalid(fmt.Sprintf("this is not a login challenge: %q", firstLine(prompt)),
			"give the line that the satellite shows, decenter login …; other text is signed with --message TEXT")
	}
	return &api.Error{Code: api.CodeFailed, Message: fmt.Sprintf("OpenSSH asks %q, which a key cannot answer", firstLine(prompt)),
		Hint: "answer it once without SSH_ASKPASS (known_hosts, ssh-agent), or sign other text with --message"}
}

// checkKey refuses a challenge that someone may be relaying: one that names another's SSH key, or none.
func checkKey(ctx context.Context, env Env, c keys.Challenge, how manner) error {
	if c.Key == (keys.Fingerprint{}) {
		if how.noKey {
			return nil
		}
		return &api.Error{Code: api.CodeFailed, Message: "the challenge names no SSH key, so whoever passes it on to you could use your signature",
			Hint: "log in with an SSH key (ssh-keygen -t ed25519), or add --no-key if you began this login yourself"}
	}
	own, err := ownKeys(ctx, env)
	if err != nil {
		return err
	}
	switch {
	case len(own) == 0:
		return &api.Error{Code: api.CodeFailed, Message: fmt.Sprintf("the challenge names SSH key %s, and no SSH key of yours is known here", c.Key),
			Hint: "if it is yours, set DECENTER_SSH_KEY to its public key file or to this fingerprint"}
	case !own[c.Key]:
		return &api.Error{Code: api.CodeFailed, Message: fmt.Sprintf("the challenge names SSH key %s, which is not yours: someone may be relaying it to you", c.Key),
			Hint: "if it is yours, name its public key file with DECENTER_SSH_KEY"}
	}
	return nil
}

// printSignature tells what is signed on stderr, and gives the signature alone on stdout.
func printSignature(env Env, k keyfile.Key, message, what string) error {
	signature, err := k.Secret.Sign(k.Account, message)
	if err != nil {
		return withCode(api.CodeFailed, err)
	}
	fmt.Fprintf(env.Stderr, "decenter key: %s\n", what)
	fmt.Fprintln(env.Stdout, signature)
	return nil
}

// printable keeps a text from driving the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '·'
		}
		return r
	}, s)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if r := []rune(line); len(r) > 80 {
		line = string(r[:79]) + "…"
	}
	return line
}
