package lab

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"decenter/engine/api"
)

// rootOnly refuses a folder that anybody but us could have filled: lab.json says what to run and to remove as root.
func rootOnly(dir string) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !st.IsDir() || !ok || int(sys.Uid) != os.Geteuid() || st.Mode().Perm()&0o022 != 0 {
		return &api.Error{Code: api.CodeDenied, Message: dir + " is not a folder that only root can change", Hint: "choose another --dir"}
	}
	return nil
}

// save writes lab.json so that a reader finds the old or the new one.
func (l *Lab) save() error {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	tmp := l.file() + ".new"
	if err := os.WriteFile(tmp, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, l.file())
}

// lockWait is how long a command waits for another one at work on the same lab.
const lockWait = 20 * time.Second

// lock makes changes to one folder happen one after another; the kernel frees it with the process.
func lock(dir string) (unlock func(), err error) {
	for end := time.Now().Add(lockWait); ; time.Sleep(20 * time.Millisecond) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := rootOnly(dir); err != nil {
			return nil, err
		}
		path := filepath.Join(dir, "lock")
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the folder went between two lines
		}
		if err != nil {
			return nil, err
		}
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			// `down` removes the file; a lock on one that has no name any more is none.
			mine, err1 := f.Stat()
			named, err2 := os.Stat(path)
			if err1 == nil && err2 == nil && os.SameFile(mine, named) {
				return func() { f.Close() }, nil
			}
		}
		f.Close()
		if time.Now().After(end) {
			return nil, &api.Error{Code: api.CodeConflict, Message: "another `decenter lab` is at work in " + dir, Hint: "wait for it, or choose another --dir"}
		}
	}
}

// checkDir refuses folders that a satellite would not see, or whose sockets' paths would be too long.
func checkDir(dir string) error {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || dir == "/" {
		return invalid("the lab's folder %q must be a clean absolute path", dir)
	}
	// A symbolic link on the way could lead to a place that is hidden inside.
	for up := dir; up != "/"; up = filepath.Dir(up) {
		if real, err := filepath.EvalSymlinks(up); err == nil {
			if real != up {
				return invalid("the lab's folder %s goes through a symbolic link: use %s", dir, real+strings.TrimPrefix(dir, up))
			}
			break
		}
	}
	for _, hidden := range []string{"/run", "/var/run", "/var/lib", "/var/cache", "/var/log", "/proc", "/sys"} {
		if dir == hidden || strings.HasPrefix(dir, hidden+"/") {
			return invalid("the lab's folder cannot be in %s: satellites have their own there", hidden)
		}
	}
	if len(dir) > 80 {
		return invalid("the lab's folder has %d characters: 80 at most, for its sockets", len(dir))
	}
	return nil
}

// vacant refuses a folder that holds something else than a lab: `down` would remove it.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "lab.json" || e.Name() == "lock" {
			return nil
		}
	}
	return &api.Error{Code: api.CodeConflict, Message: dir + " holds something that is no lab", Hint: "choose an empty or a new --dir"}
}

// dropDir removes the folder of a lab that is down. The lock's holder calls it last.
func dropDir(dir string) error {
	err := os.Remove(filepath.Join(dir, "lock"))
	if derr := os.Remove(dir); derr != nil && !errors.Is(derr, unix.ENOTEMPTY) {
		err = errors.Join(err, derr)
	}
	return err
}
