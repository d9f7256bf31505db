package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// killWait is how long the kernel may take to end a satellite.
const killWait = 10 * time.Second

// Process is a process as written down when it was started: numbers are used again, start times are not.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot, proc(5)
	Boot  string `json:"boot"`  // the machine's boot id
}

// identify writes down a process that runs now.
func identify(pid int) (Process, error) {
	start, err := startTime(pid)
	if err != nil {
		return Process{}, err
	}
	return Process{pid, start, bootID()}, nil
}

// startTime is field 22 of /proc/PID/stat.
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything.
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// open gives a pidfd, which names this process and no later one; unix.ESRCH when it is gone.
func (p Process) open() (int, error) {
	if p.PID <= 1 || p.Boot != bootID() {
		return -1, unix.ESRCH
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return -1, err
	}
	if start, err := startTime(p.PID); err != nil || start != p.Start {
		unix.Close(fd)
		return -1, unix.ESRCH
	}
	return fd, nil
}

// Alive tells whether it is still the same process and has not ended.
func (p Process) Alive() bool {
	fd, err := p.open()
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return !ended(fd, 0)
}

// ended waits until the process behind a pidfd has ended with all its threads; process 1 of a namespace ends after
// every other in it. (Its state in /proc says "zombie" earlier, as soon as its first thread has ended.)
func ended(pidfd int, wait time.Duration) bool {
	end := time.Now().Add(wait)
	for {
		left := max(0, time.Until(end)) + time.Millisecond - 1
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(left/time.Millisecond))
		if err != unix.EINTR {
			return err == nil && n == 1
		}
	}
}

// kill ends it and waits until it is gone, which the kernel makes so only when its whole process namespace is.
func (p Process) kill() error {
	fd, err := p.open()
	if err != nil {
		return ignoreGone(err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return ignoreGone(err)
	}
	if !ended(fd, killWait) {
		return fmt.Errorf("process %d does not end after SIGKILL", p.PID)
	}
	return nil
}

func ignoreGone(err error) error {
	if err == unix.ESRCH {
		return nil
	}
	return err
}

// unlisted finds holders of this lab that lab.json does not know, as when it was lost: processes of root that are
// process 1 of a namespace below ours and were started as `lab hold` for this very folder.
func (l *Lab) unlisted() (found []Process) {
	known := map[int]bool{}
	for _, h := range l.Holders {
		known[h.Process.PID] = h.Process.Alive()
	}
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || known[pid] {
			continue
		}
		p, err := identify(pid)
		if err == nil && isHolder(dir, l.Dir) && p.Alive() {
			found = append(found, p)
		}
	}
	return found
}

// isHolder looks at a process's folder in /proc.
func isHolder(proc, dir string) bool {
	text, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil {
		return false
	}
	args := strings.Split(string(text), "\x00")
	if i := slices.Index(args, "hold"); i != 2 || args[1] != "lab" || len(args) < 5 || args[3] != dir {
		return false
	}
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return false
	}
	var root, first bool
	for line := range strings.Lines(string(status)) {
		switch f := strings.Fields(line); {
		case len(f) == 5 && f[0] == "Uid:":
			root = f[1] == "0" && f[2] == "0"
		case len(f) > 2 && f[0] == "NSpid:":
			first = f[len(f)-1] == "1"
		}
	}
	return root && first
}
