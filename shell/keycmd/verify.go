package keycmd

import (
	"context"
	"fmt"
	"strings"

	"decenter/keys"
)

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
