package keycmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/muesli/cancelreader"
	"golang.org/x/sys/unix"

	"decenter/engine/api"
)

// maxPassphrase bounds a typed passphrase, in bytes: a terminal gives no longer lines anyway (N_TTY_BUF_SIZE, 4096).
const maxPassphrase = 4096

// readPassword asks at the process's terminal, whatever stdin and stdout are, and shows nothing of what is typed. A
// signal that ends programs ends the question too, also where the program catches it for its context: nobody could leave
// the question otherwise.
func readPassword(tty *os.File, prompt string) (answer string, err error) {
	fd := int(tty.Fd())
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("ask at the terminal: %w", err)
	}
	r, err := cancelreader.NewReader(tty)
	if err != nil {
		return "", fmt.Errorf("ask at the terminal: %w", err)
	}
	defer r.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(stop)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-stop:
			r.Cancel()
		case <-done:
		}
	}()

	silent := *was
	silent.Lflag &^= unix.ECHO
	silent.Lflag |= unix.ICANON | unix.ISIG
	silent.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
		return "", fmt.Errorf("ask at the terminal: %w", err)
	}
	defer func() { err = errors.Join(err, unix.IoctlSetTermios(fd, unix.TCSETS, was)) }()
	if _, err := fmt.Fprint(tty, prompt); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(io.LimitReader(r, maxPassphrase)).ReadString('\n')
	_, after := fmt.Fprintln(tty)
	switch {
	case errors.Is(err, cancelreader.ErrCanceled):
		return "", &api.Error{Code: api.CodeCancelled, Message: "interrupted"}
	case err != nil && !errors.Is(err, io.EOF):
		return "", fmt.Errorf("ask at the terminal: %w", err)
	}
	return strings.TrimSuffix(line, "\n"), after
}
