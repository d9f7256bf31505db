package lab

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// The exit codes of a shell for a command that could not be run.
const (
	exitNoExec   = 126
	exitNotFound = 127
	exitSignal   = 128 // plus the signal's number
)

// What a command inside finds as on a real satellite: its engine's configuration, and this program.
const (
	configEnv = "DECENTER_CONFIG"
	program   = "decenter"
)

// exec runs a command inside; its exit code is ours.
func (c *command) exec(l *Lab) (int, error) {
	h, err := l.find(c.rest[0])
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(c.rest[1], c.rest[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.In, c.Out, c.Err
	cmd.Env = append(os.Environ(), configEnv+"="+l.paths(c.rest[0]).config())
	if cmd.Args[0] == program && cmd.Err != nil {
		cmd.Path, cmd.Err = l.Binary, nil // it need not be installed
	}
	// What ends us would leave the command behind, so signals are the command's; the caller's context, which ends
	// with the first Ctrl-C, does not count here.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	if err := h.Process.enter(cmd); err != nil {
		switch {
		case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
			c.tell("decenter lab: %v", err)
			return exitNotFound, nil
		case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOEXEC):
			c.tell("decenter lab: %v", err)
			return exitNoExec, nil
		}
		return 0, err
	}
	over := make(chan struct{})
	defer close(over)
	go pass(signals, cmd.Process, over)
	return exitCode(cmd.Wait())
}

// pass hands signals on until over. A terminal sends its Ctrl-C and Ctrl-\ to the command as well, so these are not
// sent twice.
func pass(signals <-chan os.Signal, to *os.Process, over <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if (s == syscall.SIGINT || s == syscall.SIGQUIT) && inForeground() {
				continue
			}
			_ = to.Signal(s) // it may just have ended
		case <-over:
			return
		}
	}
}

// inForeground tells whether our process group is the one its terminal sends signals to.
func inForeground() bool {
	tty, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(tty)
	group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return exitSignal + int(s.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// enter starts a command in all namespaces of a process, at the root of its file system, and finds it there.
func (p Process) enter(cmd *exec.Cmd) error {
	fd, err := p.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return onThread(func() error {
		// Threads share their view of the file system; this one goes its own way.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return err
		}
		const all = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWPID
		if err := unix.Setns(fd, all); err != nil { // by pidfd since Linux 5.8
			return err
		}
		if path, err := exec.LookPath(cmd.Args[0]); err == nil {
			cmd.Path, cmd.Err = path, nil
		}
		cmd.Dir = "/"
		return cmd.Start()
	})
}
