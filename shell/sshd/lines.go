package sshd

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"decenter/engine/api"
)

// lines reads commands line by line. At a terminal it prompts; from a pipe it is silent but for what the
// commands print. The exit code is the last command's.
func (r *run) lines() int {
	if r.term != nil {
		fmt.Fprintln(r.sess, "decenter, line by line: `help` tells the words, Ctrl-D leaves.")
		if r.scope == api.ScopeRead {
			fmt.Fprintln(r.sess, "This login may look, and change nothing.")
		}
	}
	code := api.ExitDone
	for r.ctx.Err() == nil {
		line, err := r.line()
		switch {
		case api.CodeOf(err) == api.CodeCancelled:
			continue // Ctrl-C gives up the line
		case err != nil && !errors.Is(err, io.EOF):
			if r.ctx.Err() == nil {
				fmt.Fprintf(r.sess.Stderr(), "decenter: %v\n", err)
			}
			return api.ExitFailed
		}
		switch command := strings.TrimSpace(line); command {
		case "":
		case "quit", "exit":
			return code
		default:
			code = exitCode(r.exec(line))
		}
		if err != nil {
			return code
		}
	}
	return api.ExitFailed
}

// line gives the next line without its end; with io.EOF the last one, which may have none.
func (r *run) line() (string, error) {
	if r.term != nil {
		return r.term.Ask("decenter> ")
	}
	var line []byte
	var one [1]byte // what comes after the line may be a command's input
	for {
		n, err := r.in.Read(one[:])
		switch {
		case n == 0:
			return string(line), err
		case one[0] == '\n':
			return strings.TrimSuffix(string(line), "\r"), nil
		case len(line) >= maxLine:
			return "", &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("a line has at most %d bytes", maxLine)}
		}
		line = append(line, one[0])
	}
}
