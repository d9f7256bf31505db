package sshd

import (
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// The bounds of the variables that a client may set for a session.
const (
	maxEnv      = 32
	maxEnvValue = 256
)

// sober is a channel to be opened whose requests (RFC 4254, 6) pass only where they are bounded and of use.
type sober struct{ ssh.NewChannel }

// Accept opens the channel.
func (n sober) Accept() (ssh.Channel, <-chan *ssh.Request, error) {
	ch, all, err := n.NewChannel.Accept()
	if err != nil {
		return nil, nil, err
	}
	passed := make(chan *ssh.Request)
	// It ends when the channel closes, for then all is closed; the reader of passed reads to its end.
	go func() {
		defer close(passed)
		var f filter
		for req := range all {
			if f.pass(req) {
				passed <- req
			} else {
				_ = req.Reply(false, nil) // a reply that fails is the connection's end
			}
		}
	}()
	return ch, passed, nil
}

// filter is what the requests of one channel were so far.
type filter struct {
	env     int
	started bool // something runs, and drains what comes
}

func (f *filter) pass(req *ssh.Request) bool {
	switch req.Type {
	case "shell", "exec":
		f.started = true
		return true
	case "pty-req":
		return true
	case "window-change":
		return f.started
	case "env":
		var v struct{ Name, Value string }
		if ssh.Unmarshal(req.Payload, &v) != nil || f.env >= maxEnv || len(v.Value) > maxEnvValue || !wanted(v.Name) {
			return false
		}
		f.env++
		return true
	}
	return false // signals, subsystems, forwarding of agents and X11: nothing here takes them
}

// wanted are the variables that tell how to draw and in which language.
func wanted(name string) bool {
	return slices.Contains([]string{"LANG", "TZ", "COLORTERM", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM_PROGRAM"}, name) ||
		strings.HasPrefix(name, "LC_") && len(name) <= 32
}
