package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

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

// Alive tells whether it is still the same process, and no zombie.
func (p Process) Alive() bool {
	if p.PID <= 1 || p.Boot != bootID() {
		return false
	}
	start, err := startTime(p.PID)
	return err == nil && start == p.Start
}

// startTime is field 22 of /proc/PID/stat; an error for a zombie.
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything.
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
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

// kill ends it and waits until it is gone, which the kernel makes so only when its whole process namespace is.
func (p Process) kill(wait time.Duration) error {
	if !p.Alive() {
		return nil
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return ignoreGone(err)
	}
	defer unix.Close(fd)
	if !p.Alive() { // between the look and the open
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return ignoreGone(err)
	}
	for end := time.Now().Add(wait); p.Alive(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("process %d does not end after SIGKILL", p.PID)
		}
		// It may be our own child: then its zombie is ours to reap.
		_, _ = syscall.Wait4(p.PID, nil, syscall.WNOHANG, nil)
	}
	return nil
}

func ignoreGone(err error) error {
	if err == unix.ESRCH {
		return nil
	}
	return err
}

// inside lists the processes of the holder's process namespace, but for the holder.
func (p Process) inside() ([]int, error) {
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", p.PID))
	if err != nil {
		return nil, err
	}
	all, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, path := range all {
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		if err != nil || pid == p.PID {
			continue
		}
		if have, err := os.Readlink(path); err == nil && have == ns {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
