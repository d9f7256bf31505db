package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// switchOn gives a satellite a kernel that knows nothing (a new network namespace), plugs its cables in and starts its
// holder. The holder waits for a word on a pipe, which it gets when it stands in lab.json: if we die before, so does it.
func (l *Lab) switchOn(name string) error {
	if err := errors.Join(l.dropNS(name), l.paths(name).powerUp()); err != nil {
		return err
	}
	if err := errors.Join(l.makeNS(name), l.lay(name)); err != nil {
		return err
	}
	ssh, err := listenSSH(name)
	if err != nil {
		return err
	}
	defer ssh.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer write.Close()
	p, err := l.spawn(name, ssh, read)
	if err != nil {
		return fmt.Errorf("switch on %s: %w", name, err)
	}
	l.Holders[name] = Holder{p, ssh.Addr().(*net.TCPAddr).Port}
	if err := l.save(); err != nil {
		return err
	}
	_, err = write.Write([]byte{goOn})
	return err
}

// spawn starts a holder in the satellite's network namespace. It takes word over.
func (l *Lab) spawn(name string, ssh *net.TCPListener, word *os.File) (Process, error) {
	defer word.Close()
	log, err := os.OpenFile(filepath.Join(l.paths(name).log(), "holder.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return Process{}, err
	}
	defer log.Close()
	sshFile, err := ssh.File()
	if err != nil {
		return Process{}, err
	}
	defer sshFile.Close()
	cmd := exec.Command(l.Binary, "lab", "hold", l.Dir, name)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	cmd.ExtraFiles = []*os.File{sshFile, word}
	if l.Owner != nil {
		fd, err := l.Owner.open()
		if err != nil {
			return Process{}, fmt.Errorf("the demo of this lab has ended: %w", err)
		}
		lifeline := os.NewFile(uintptr(fd), "owner")
		defer lifeline.Close()
		cmd.Args = append(cmd.Args, "--lifeline")
		cmd.ExtraFiles = append(cmd.ExtraFiles, lifeline)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID}
	// A child begins in the network namespace of the thread that makes it.
	err = onThread(func() error {
		ns, err := netns.GetFromPath(nsPath(name))
		if err != nil {
			return err
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			return err
		}
		return cmd.Start()
	})
	if err != nil {
		return Process{}, err
	}
	p, err := identify(cmd.Process.Pid)
	go func() { _ = cmd.Wait() }() // no zombie while we live
	return p, err
}

// listenSSH takes 2201 for s1 and so on, or any port where that is taken.
func listenSSH(name string) (*net.TCPListener, error) {
	n, _ := strconv.Atoi(name[1:])
	for _, port := range []int{firstSSH - 1 + n, 0} {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err == nil {
			return l, nil
		}
		if port == 0 {
			return nil, err
		}
	}
	panic("unreachable")
}
