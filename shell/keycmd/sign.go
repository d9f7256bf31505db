package keycmd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/keyfile"
)

func runSign(ctx context.Context, env Env, args []string) error {
	f := newFlags(env, "sign")
	f.withKey()
	message := f.String("message", "", "sign this `TEXT`, which is no login challenge")
	if err := f.parse(args, 0, 1); err != nil {
		return err
	}
	free := false
	f.Visit(func(g *flag.Flag) { free = free || g.Name == "message" })
	switch {
	case free && f.NArg() > 0:
		return invalid("sign takes a challenge or --message TEXT, not both", "")
	case free:
		return signMessage(env, f.key, *message)
	case f.NArg() == 1:
		return signChallenge(ctx, env, f.key, f.Arg(0))
	}
	prompt, err := readInput(env)
	if err != nil {
		return err
	}
	return signChallenge(ctx, env, f.key, prompt)
}

func signMessage(env Env, given, message string) error {
	if keys.MentionsChallenge(message) {
		return invalid("this text could pass for a login challenge", "sign a challenge without --message, so that it is checked")
	}
	k, _, err := openKey(env, given)
	if err != nil {
		return err
	}
	return printSignature(env, k, message)
}

// signChallenge signs the one challenge in prompt, if it is meant for the key's holder at this machine.
func signChallenge(ctx context.Context, env Env, given, prompt string) error {
	k, _, err := openKey(env, given)
	if err != nil {
		return err
	}
	c, err := keys.FindChallenge(k.Account.Network(), prompt)
	if err != nil {
		e := withCode(api.CodeFailed, err).(*api.Error)
		if !keys.MentionsChallenge(prompt) {
			e.Message = fmt.Sprintf("OpenSSH asks %q, which a key cannot answer", firstLine(prompt))
			e.Hint = "answer it once without SSH_ASKPASS (known_hosts, ssh-agent), or sign other text with --message"
		}
		return e
	}
	if c.Account != k.Account {
		return &api.Error{Code: api.CodeFailed, Message: fmt.Sprintf("the challenge is for account %s, the key is of %s", c.Account, k.Account),
			Hint: "log in as the key's account, or name another key with DECENTER_KEY"}
	}
	if late := env.Now().Sub(c.Expires); late > 0 {
		fmt.Fprintf(env.Stderr, "decenter key: by this machine's clock the challenge expired %v ago\n", late.Round(time.Second))
	}
	own, err := ownKeys(ctx, env)
	if err != nil {
		return err
	}
	switch {
	case len(own) == 0:
		fmt.Fprintf(env.Stderr, "decenter key: no SSH key of yours is known here, so check yourself that %s is yours (set DECENTER_SSH_KEY)\n", c.Key)
	case !own[c.Key]:
		return &api.Error{Code: api.CodeFailed, Message: fmt.Sprintf("the challenge names SSH key %s, which is not yours: someone may be relaying it to you", c.Key),
			Hint: "if it is yours, name its public key file with DECENTER_SSH_KEY"}
	}
	return printSignature(env, k, c.String())
}

func printSignature(env Env, k keyfile.Key, message string) error {
	signature, err := k.Secret.Sign(k.Account, message)
	if err != nil {
		return withCode(api.CodeFailed, err)
	}
	fmt.Fprintf(env.Stderr, "decenter key: signing as %s\n  %s\n", k.Account, printable(message))
	fmt.Fprintln(env.Stdout, signature)
	return nil
}

// printable keeps a message from driving the terminal.
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

// verifyView is what --json tells of a verification.
type verifyView struct {
	Account string `json:"account"`
	Valid   bool   `json:"valid"`
	Reason  string `json:"reason,omitempty"`
}

func runVerify(_ context.Context, env Env, args []string) error {
	f := newFlags(env, "verify")
	f.withJSON()
	f.withNetwork()
	if err := f.parse(args, 2, 3); err != nil {
		return err
	}
	network, err := keys.ParseNetwork(f.network)
	if err != nil {
		return typed(err)
	}
	account, err := keys.ParseAddress(network, f.Arg(0))
	if err != nil {
		return typed(err)
	}
	message := f.Arg(2)
	if f.NArg() == 2 {
		if message, err = readInput(env); err != nil {
			return err
		}
	}
	view := verifyView{Account: account.String(), Valid: true}
	if err := keys.Verify(account, message, strings.TrimSpace(f.Arg(1))); err != nil {
		view.Valid, view.Reason = false, err.Error()
	}
	switch {
	case f.json:
		if err := writeJSON(env.Stdout, view); err != nil {
			return err
		}
	case view.Valid:
		fmt.Fprintf(env.Stdout, "valid: %s signed it\n", account)
	default:
		fmt.Fprintf(env.Stderr, "decenter key: not valid: %s\n", view.Reason)
	}
	if !view.Valid {
		return errTold
	}
	return nil
}

// runAskpass writes the script for SSH_ASKPASS.
func runAskpass(_ context.Context, env Env, args []string) error {
	f := newFlags(env, "askpass")
	f.withKey()
	if err := f.parse(args, 1, 1); err != nil {
		return err
	}
	if env.Self == "" {
		return &api.Error{Code: api.CodeFailed, Message: "this program does not know its own path", Hint: "name a link to it that ends in -askpass"}
	}
	script := "#!/bin/sh\nexec " + quote(env.Self) + " key sign"
	if f.key != "" {
		path, err := filepath.Abs(f.key)
		if err != nil {
			return fmt.Errorf("find %s: %w", f.key, err)
		}
		script += " --key " + quote(path)
	}
	script += ` -- "$1"` + "\n"
	path := f.Arg(0)
	if old, err := os.ReadFile(path); err == nil && string(old) == script {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return &api.Error{Code: api.CodeExists, Message: path + " exists", Hint: "remove it, or name another path"}
	}
	if err != nil {
		return fmt.Errorf("write the program: %w", err)
	}
	_, err = file.WriteString(script)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	fmt.Fprintf(env.Stderr, "Use it so: SSH_ASKPASS=%s SSH_ASKPASS_REQUIRE=force ssh ACCOUNT@SATELLITE COMMAND\n", path)
	return nil
}

// quote makes one word of a POSIX shell out of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
