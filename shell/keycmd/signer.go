package keycmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/muesli/cancelreader"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// clockForm is how times are shown: as statements write them.
const clockForm = "2006-01-02T15:04:05Z"

func clock(t time.Time) string { return t.UTC().Format(clockForm) }

// signer is whoever signs statements as one account.
type signer struct {
	account keys.Address
	// sign gives the signature of a line. It is not yet verified.
	sign func(line string) (string, error)
}

// openSigner finds who signs: the holder of the wallet named by --account, else the key file.
func openSigner(ctx context.Context, env Env, f *flags) (signer, error) {
	if f.account == "" {
		k, _, err := openKey(env, f.key)
		if err != nil {
			return signer{}, err
		}
		return signer{k.Account, func(line string) (string, error) { return k.Secret.Sign(k.Account, line) }}, nil
	}
	if f.key != "" {
		return signer{}, invalid("--account is for a wallet, --key for a key file", "give one of them")
	}
	network, err := keys.ParseNetwork(f.network)
	if err != nil {
		return signer{}, typed(err)
	}
	account, err := keys.ParseAddress(network, f.account)
	if err != nil {
		return signer{}, typed(err)
	}
	return signer{account, func(line string) (string, error) { return askWallet(ctx, env, account, line) }}, nil
}

// askWallet shows the line to sign, and reads the signature that the person brings from a wallet.
func askWallet(ctx context.Context, env Env, account keys.Address, line string) (string, error) {
	fmt.Fprintf(env.Stderr, "Sign this line, as it is, with the wallet of %s:\n\n%s\n\nSignature: ", account, line)
	answer, err := readLine(ctx, env.Stdin, keys.MaxSignature)
	if err != nil {
		return "", err
	}
	if answer == "" {
		return "", &api.Error{Code: api.CodeFailed, Message: "no signature was given", Hint: "paste it, or give it on the standard input"}
	}
	return answer, nil
}

// readLine reads one line of at most max bytes, without blanks around it. It ends with ctx.
func readLine(ctx context.Context, from io.Reader, max int64) (string, error) {
	r, err := cancelreader.NewReader(from)
	if err == nil {
		defer r.Close()
		defer context.AfterFunc(ctx, func() { r.Cancel() })()
		from = r
	} // a file has no epoll, and its reads do not wait
	line, err := bufio.NewReader(io.LimitReader(from, max+2)).ReadString('\n')
	switch {
	case ctx.Err() != nil:
		return "", &api.Error{Code: api.CodeCancelled, Message: "interrupted"}
	case err != nil && !errors.Is(err, io.EOF):
		return "", fmt.Errorf("read a line: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// declare has a statement signed, and tells on stderr what is signed. Nothing is given out that does not verify.
func (s signer) declare(env Env, st statement.Statement) (statement.Signed, error) {
	line, err := statement.New(st)
	if err != nil {
		return statement.Signed{}, typed(err)
	}
	fmt.Fprintf(env.Stderr, "decenter key: as %s, this %s\n", s.account, explain(st))
	signature, err := s.sign(line)
	if api.CodeOf(err) == api.CodeCancelled {
		return statement.Signed{}, err
	}
	if err != nil {
		return statement.Signed{}, withCode(api.CodeFailed, err)
	}
	signed := statement.Signed{Line: line, Signature: signature}
	if _, err := signed.Verify(s.account.Network()); err != nil {
		return statement.Signed{}, withCode(api.CodeFailed, err)
	}
	return signed, nil
}

// printSigned prints a signed statement as a line of the grammar, or as JSON.
func printSigned(env Env, asJSON bool, s statement.Signed) error {
	if asJSON {
		return writeJSON(env.Stdout, s)
	}
	_, err := fmt.Fprintf(env.Stdout, "declare %q %s\n", s.Line, s.Signature)
	return err
}
