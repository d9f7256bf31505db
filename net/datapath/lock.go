package datapath

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrBusy: another process owns the switch of that folder.
var ErrBusy = errors.New("another engine works with this data path")

// Lock makes the caller the owner of a folder's switch until it closes the file or ends, however it ends. Whoever opens
// or uninstalls holds it meanwhile; forwarding needs no owner. A folder that somebody else owns is ErrBusy.
func Lock(dir string) (*os.File, error) {
	// The one locked may be uninstalled by its owner before we get it; another of that name is another lock.
	for range 10 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("lock data path: %w", err)
		}
		f, err := os.Open(dir) // the folder itself: a bpffs holds no files
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("lock data path: %w", err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				err = ErrBusy
			}
			return nil, fmt.Errorf("lock data path in %s: %w", dir, err)
		}
		if locked, there := stat(f.Stat()), stat(os.Stat(dir)); locked != nil && there != nil && os.SameFile(locked, there) {
			return f, nil
		}
		f.Close()
	}
	return nil, fmt.Errorf("lock data path in %s: %w", dir, ErrBusy)
}

// stat leaves out why there is none.
func stat(i os.FileInfo, err error) os.FileInfo {
	if err != nil {
		return nil
	}
	return i
}
